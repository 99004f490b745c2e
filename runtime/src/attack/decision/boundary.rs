//! The Boundary attack (Brendel, Rauber and Bethge, "Decision-based adversarial
//! attacks: reliable attacks against black-box machine learning models", ICLR
//! 2018): a random walk along the decision boundary, each step a Gaussian one on
//! the sphere around the clean picture, then a small one towards it, taken when
//! it still crosses. L2 only.
//!
//! As published: both steps start at 0.01 of the distance; the spherical one aims
//! at crossing half of the time, the one inward at a quarter, and both are changed
//! by the factor 1.5 otherwise; the walk ends when the inward step is below 1e-7.
//! Otherwise: the spherical half is asked by itself every fifth step and a step
//! size is judged after twenty answers, where common codes take every tenth and up
//! to a hundred: a budget of some thousands would see no change. The walk starts
//! on the boundary, found by a binary search from noise or blended noise.

use super::{Search, Stop, propose};
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::random::normal;
use crate::threat::{Norm, Threat};
use rand::Rng;
use serde_json::{Map, Value, json};

const NAME: &str = "boundary";
/// Steps from one spherical answer to the next.
const SPHERICAL_EVERY: u64 = 5;
/// Answers that a step size is judged by.
const WINDOW: u32 = 20;
/// The inward step at which the walk has arrived.
const ARRIVED: f64 = 1e-7;
/// How exactly the walk's start lies on the boundary, as a share of its distance.
const START_TOLERANCE: f64 = 1e-3;

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundarySettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// The first step on the sphere, as a share of the distance.
    pub spherical: f64,
    /// The first step inward, as a share of the distance.
    pub inward: f64,
    /// The factor that changes either.
    pub adaptation: f64,
    /// Names the draws.
    pub seed: u64,
    /// What it is after.
    pub goal: Goal,
}

impl Default for BoundarySettings {
    /// The published code's steps and factor, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, spherical: 0.01, inward: 0.01, adaptation: 1.5, seed: 0, goal: Goal::Inside }
    }
}

/// The attack.
pub struct Boundary {
    settings: BoundarySettings,
}

impl Boundary {
    /// The attack.
    pub fn new(settings: BoundarySettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let BoundarySettings { spherical, inward, adaptation, seed, .. } = self.settings;
        let mut random = search.query.draws(seed, &[NAME.into(), search.id().into(), 0.into()]);
        let mut spherical = Stride::new(spherical, (0.2, 0.5));
        let mut inward = Stride::new(inward, (0.1, 0.25));
        let far = search.start(&mut random)?;
        let mut current = search.approach(&far, START_TOLERANCE)?;
        for step in 0u64.. {
            if inward.size < ARRIVED {
                break;
            }
            let turned = turned(search.clean(), &current, spherical.size, &mut random);
            if step.is_multiple_of(SPHERICAL_EVERY) {
                let crosses = search.sides(turned.clone())?[0];
                // Where the sphere is no longer met, nearer ones will not be.
                if let Some(factor) = spherical.judge(crosses, adaptation) {
                    inward.size *= factor;
                }
            }
            let candidate = super::ray(search.clean(), &turned, 1.0 - inward.size);
            let crosses = search.crosses(&candidate)?;
            if crosses {
                current = candidate;
            }
            inward.judge(crosses, adaptation);
        }
        Ok(())
    }
}

/// The size of a step, held where the share of steps that cross is within bounds.
struct Stride {
    size: f64,
    bounds: (f64, f64),
    asked: u32,
    crossed: u32,
}

impl Stride {
    fn new(size: f64, bounds: (f64, f64)) -> Self {
        Self { size, bounds, asked: 0, crossed: 0 }
    }

    /// Notes an answer and changes the size when enough are in; gives the factor.
    fn judge(&mut self, crosses: bool, adaptation: f64) -> Option<f64> {
        self.asked += 1;
        self.crossed += u32::from(crosses);
        if self.asked < WINDOW {
            return None;
        }
        let share = f64::from(self.crossed) / f64::from(self.asked);
        (self.asked, self.crossed) = (0, 0);
        let factor = match share {
            share if share > self.bounds.1 => adaptation,
            share if share < self.bounds.0 => 1.0 / adaptation,
            _ => return None,
        };
        // A step as long as the distance would leave the sphere.
        let size = (self.size * factor).min(0.5);
        let factor = size / self.size;
        self.size = size;
        Some(factor)
    }
}

/// `current` moved by `size` of its distance in a random direction along the
/// sphere around `clean`, within \[0, 1\].
fn turned(clean: &[f32], current: &[f32], size: f64, random: &mut impl Rng) -> Vec<f32> {
    let outward: Vec<f64> = current.iter().zip(clean).map(|(a, b)| f64::from(a - b)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let square = dot(&outward, &outward).max(f64::MIN_POSITIVE);
    let mut across: Vec<f64> = outward.iter().map(|_| f64::from(normal(random))).collect();
    let along = dot(&across, &outward) / square;
    across.iter_mut().zip(&outward).for_each(|(value, outward)| *value -= along * outward);
    let scale = size * (square / dot(&across, &across).max(f64::MIN_POSITIVE)).sqrt();
    // The tangent step lengthens the change by this much; taken back, the point
    // lies on the sphere again.
    let back = (1.0 + size * size).sqrt().recip();
    let moved = clean.iter().zip(outward.iter().zip(across));
    let value = |(clean, (outward, across)): (&f32, (&f64, f64))| {
        (f64::from(*clean) + back * (outward + scale * across)).clamp(0.0, 1.0) as f32
    };
    moved.map(value).collect()
}

impl Attack for Boundary {
    fn name(&self) -> &str {
        NAME
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::L2]
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let BoundarySettings { queries, spherical, inward, adaptation, seed, goal } = self.settings;
        record([
            ("queries", json!(queries)),
            ("spherical", json!(spherical)),
            ("inward", json!(inward)),
            ("adaptation", json!(adaptation)),
            ("seed", json!(seed)),
            ("goal", json!(goal)),
        ])
    }

    fn measures(&self, threat: Threat) -> Option<Norm> {
        self.settings.goal.measures(threat)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        propose(queries, threat, (self.settings.queries, self.settings.goal), |search| self.search(search))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn a_turn_stays_on_the_sphere_and_is_as_long_as_it_should_be() {
        let clean = vec![0.5f32; 300];
        let current: Vec<f32> = (0..300).map(|at| 0.5 + 0.001 * (at % 7) as f32).collect();
        let length =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let radius = length(&current, &clean);
        let mut random = random::stream(0, &["turn".into()]);
        for size in [0.01, 0.1, 0.5] {
            let turned = turned(&clean, &current, size, &mut random);
            assert!((length(&turned, &clean) / radius - 1.0).abs() < 1e-4);
            // The chord of an angle whose tangent is `size`.
            let chord = 2.0 * (size.atan() / 2.0).sin();
            assert!((length(&turned, &current) / radius / chord - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn strides_follow_the_share_that_crosses() {
        let mut stride = Stride::new(0.1, (0.2, 0.5));
        let mut judged = |share: u32| (0..WINDOW).filter_map(|at| stride.judge(at < share, 1.5)).last();
        assert_eq!(judged(8), None);
        assert_eq!(judged(20), Some(0.1 * 1.5 / 0.1));
        assert!((judged(0).unwrap() - 1.0 / 1.5).abs() < 1e-12);
    }
}
