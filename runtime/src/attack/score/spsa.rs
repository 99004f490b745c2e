//! SPSA (Uesato, O'Donoghue, van den Oord and Kohli, "Adversarial risk and the
//! dangers of evaluating against weak attacks", ICML 2018): projected Adam steps
//! along a gradient that is estimated from random signs on every pixel value.
//!
//! As published: perturbations of 0.01, Adam with a rate of 0.01 (decays 0.9 and
//! 0.999), the margin as the loss. Otherwise: 128 points a step, as common codes
//! take, where the paper's thousands leave no step in a usual budget; each
//! iterate costs a query more, so that the attack can end with its first success;
//! points are kept within \[0, 1\]. The paper knows Linf alone: an L2 step points
//! where Adam's does and is as long as NES's, a fifth of the radius.

use super::estimate::{Estimate, length};
use super::{Search, Stop, propose};
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

const DECAYS: (f64, f64) = (0.9, 0.999);
const FLOOR: f64 = 1e-8;
/// The length of an L2 step as a share of the radius.
const L2_STEP: f64 = 0.2;

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpsaSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// How far every value of a point is moved, pixels in \[0, 1\].
    pub delta: f64,
    /// Adam's rate, pixels in \[0, 1\]; Linf alone.
    pub rate: f64,
    /// Points a step, half of them opposite the other half.
    pub samples: u64,
    /// Names the draws.
    pub seed: u64,
}

impl Default for SpsaSettings {
    /// The paper's delta and rate, 128 points, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, delta: 0.01, rate: 0.01, samples: 128, seed: 0 }
    }
}

/// The attack.
pub struct Spsa {
    settings: SpsaSettings,
}

impl Spsa {
    /// The attack.
    pub fn new(settings: SpsaSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let SpsaSettings { delta, samples, seed, .. } = self.settings;
        let mut random = search.query.draws(seed, &["spsa".into(), search.id().into(), 0.into()]);
        let estimate = Estimate { reach: delta, samples };
        let mut current = search.clean().to_vec();
        let mut adam = Adam::new(current.len());
        loop {
            let gradient = estimate.at(search, &current, &mut random, rademacher)?;
            let way = adam.way(&gradient);
            let step = match search.query.threat.norm {
                Norm::Linf => self.settings.rate,
                Norm::L2 => L2_STEP * f64::from(search.query.threat.eps()) / length(&way),
            };
            current.iter_mut().zip(way).for_each(|(value, way)| *value -= (step * way) as f32);
            search.clip(&mut current);
            search.offer(&current)?;
        }
    }
}

fn rademacher(random: &mut impl Rng) -> f32 {
    if random.random::<bool>() { 1.0 } else { -1.0 }
}

/// The moments of Adam (Kingma and Ba, 2015).
struct Adam {
    steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    fn new(size: usize) -> Self {
        Self { steps: 0, mean: vec![0.0; size], square: vec![0.0; size] }
    }

    /// Where the step at `gradient` goes, to be multiplied by the rate.
    fn way(&mut self, gradient: &[f64]) -> Vec<f64> {
        self.steps += 1;
        let unbiased = |decay: f64| 1.0 - decay.powi(self.steps);
        let (mean_scale, square_scale) = (unbiased(DECAYS.0), unbiased(DECAYS.1));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        let way = moments.zip(gradient).map(|((mean, square), slope)| {
            *mean = DECAYS.0 * *mean + (1.0 - DECAYS.0) * slope;
            *square = DECAYS.1 * *square + (1.0 - DECAYS.1) * slope * slope;
            *mean / mean_scale / ((*square / square_scale).sqrt() + FLOOR)
        });
        way.collect()
    }
}

impl Attack for Spsa {
    fn name(&self) -> &str {
        "spsa"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let SpsaSettings { queries, delta, rate, samples, seed } = self.settings;
        record([
            ("queries", json!(queries)),
            ("delta", json!(delta)),
            ("rate", json!(rate)),
            ("samples", json!(samples)),
            ("seed", json!(seed)),
        ])
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        propose(queries, threat, self.settings.queries, |search| self.search(search))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_steps_by_its_rate_whatever_the_scale_and_stands_still_without_a_slope() {
        for scale in [1e-3, 1.0, 1e3] {
            let mut adam = Adam::new(3);
            for _ in 0..3 {
                let way = adam.way(&[2.0 * scale, -scale, 0.0]);
                assert!((way[0] - 1.0).abs() < 1e-4 && (way[1] + 1.0).abs() < 1e-4, "{way:?}");
                assert_eq!(way[2], 0.0);
            }
        }
    }
}
