//! One attack at several radii: how accuracy falls as epsilon grows.

use super::gates;
use super::result::{AttackReport, Gate};
use crate::threat::Norm;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The radius at which nothing is expected to stand, in 1/255 of Linf.
const GROUND_255: f64 = 64.0;

/// The name of the file that puts the radii together.
pub const FILE: &str = "sweep.json";

/// The beginning of the name of a radius's folder.
pub const RADIUS: &str = "eps-";

/// The folders of the radii of a sweep in `out`; none where it holds one attack.
pub fn radii_in(out: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(RADIUS));
    let mut folders: Vec<PathBuf> = entries.filter(named).collect();
    folders.sort();
    folders
}

/// The object of sweep.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The attack.
    pub method: String,
    /// The threat model's norm.
    pub norm: Norm,
    /// One attack a radius, by rising radius.
    pub points: Vec<AttackReport>,
    /// The checks between them.
    pub gates: Vec<Gate>,
    /// Whether one of those, or of an attack's own, failed.
    pub unreliable: bool,
}

impl Sweep {
    /// Of the reports of one attack at several radii.
    ///
    /// # Panics
    /// There are none.
    pub fn of(mut points: Vec<AttackReport>) -> Self {
        points.sort_by(|a, b| a.eps_255.total_cmp(&b.eps_255));
        let first = points.first().expect("a sweep has points");
        let (method, norm) = (first.method.clone(), first.norm);
        let mut gates = vec![gates::monotone(&points.iter().collect::<Vec<_>>())];
        let far = |point: &&AttackReport| point.norm == Norm::Linf && point.eps_255 >= GROUND_255;
        gates.extend(points.iter().find(far).map(gates::breaks_at_64));
        let unreliable = gates.iter().any(|gate| !gate.passed) || points.iter().any(|point| point.unreliable);
        Self { method, norm, points, gates, unreliable }
    }
}
