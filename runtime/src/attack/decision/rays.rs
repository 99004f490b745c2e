//! RayS (Chen and Gu, "RayS: a ray searching method for hard-label adversarial
//! attack", KDD 2020): among directions of signs, the one along which the decision
//! boundary is nearest. Blocks of signs are flipped, all, then halves, then
//! quarters; a flip is kept when the boundary comes nearer, which one query
//! denies and a binary search measures. Linf only.
//!
//! As published: starts upward on every value, with no radius known; blocks are
//! contiguous in 3 x res x res order; the fast check at the best radius; no draw
//! is random. Otherwise: the search ends when a whole pass over all blocks kept
//! no flip, as another could not either.

use super::{Search, Stop, propose};
use crate::attack::bisection::blocks;
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

const NAME: &str = "rays";

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RaysSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// Where a binary search ends, as a Euclidean length with pixels in \[0, 1\]:
    /// tolerance / sqrt(3 * res * res) of the radius.
    pub tolerance: f64,
    /// What it is after.
    pub goal: Goal,
}

impl Default for RaysSettings {
    /// The published code's tolerance, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, tolerance: 1e-3, goal: Goal::Inside }
    }
}

/// The attack.
pub struct Rays {
    settings: RaysSettings,
}

impl Rays {
    /// The attack.
    pub fn new(settings: RaysSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let mut signs = vec![1.0; search.clean().len()];
        let mut radius = self.nearer(search, &signs, f64::INFINITY)?.unwrap_or(f64::INFINITY);
        let mut kept = true;
        while kept {
            kept = false;
            for block in blocks(signs.len()) {
                flip(&mut signs[block.clone()]);
                match self.nearer(search, &signs, radius)? {
                    Some(shorter) => (radius, kept) = (shorter, true),
                    None => flip(&mut signs[block]),
                }
            }
        }
        Ok(())
    }

    /// The radius of the boundary along `signs` where it is below `radius`.
    fn nearer(&self, search: &mut Search<'_>, signs: &[f32], radius: f64) -> Result<Option<f64>, Stop> {
        // No pixel can move by more than 1.
        let mut high = radius.min(1.0);
        if !search.crosses(&along(search.clean(), signs, high))? {
            return Ok(None);
        }
        let tolerance = self.settings.tolerance / (signs.len() as f64).sqrt();
        let mut low = 0.0;
        while high - low > tolerance {
            let middle = 0.5 * (low + high);
            if search.crosses(&along(search.clean(), signs, middle))? {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok((high < radius).then_some(high))
    }
}

fn flip(signs: &mut [f32]) {
    signs.iter_mut().for_each(|sign| *sign = -*sign);
}

/// `clean` moved by `radius` along `signs`, within \[0, 1\].
fn along(clean: &[f32], signs: &[f32], radius: f64) -> Vec<f32> {
    let moved = |(clean, sign): (&f32, &f32)| (clean + sign * radius as f32).clamp(0.0, 1.0);
    clean.iter().zip(signs).map(moved).collect()
}

impl Attack for Rays {
    fn name(&self) -> &str {
        NAME
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf]
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let RaysSettings { queries, tolerance, goal } = self.settings;
        record([("queries", json!(queries)), ("tolerance", json!(tolerance)), ("goal", json!(goal))])
    }

    fn measures(&self, threat: Threat) -> Option<Norm> {
        self.settings.goal.measures(threat)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        propose(queries, threat, (self.settings.queries, self.settings.goal), |search| self.search(search))
    }
}
