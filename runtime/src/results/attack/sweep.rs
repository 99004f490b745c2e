//! One attack at several radii: the object of sweep.json, beside a folder for each radius.

use super::{AttackReport, Gate};
use crate::threat::Norm;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The name of the file that puts the radii together.
pub const FILE: &str = "sweep.json";

/// The name of the same figures as a table.
pub const TABLE: &str = "sweep.csv";

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
