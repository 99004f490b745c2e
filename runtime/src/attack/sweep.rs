//! One attack at several radii: how accuracy falls as epsilon grows.

use super::gates;
use crate::results::attack::AttackReport;
use crate::results::attack::sweep::Sweep;
use crate::threat::Norm;

/// The radius at which nothing is expected to stand, in 1/255 of Linf.
const GROUND_255: f64 = 64.0;

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
