//! HopSkipJump (Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient
//! decision-based attack", IEEE S&P 2020): on the boundary, the direction of the
//! gradient from the labels of random points around; a jump along it; back to the
//! boundary by a binary search towards the clean picture. Linf and L2.
//!
//! As published: 100 points in the first step, 100 * sqrt(t) in the t-th, at most
//! 10,000; Gaussian points for L2, uniform ones for Linf, of equal length, less
//! the mean of their answers; jumps of distance / sqrt(t), halved until they
//! cross. Otherwise: points lie a hundredth of the distance around the boundary,
//! and the boundary is found to that over sqrt(d). The paper's d-th part of the
//! distance (d = 3 * res * res) would move a pixel by less than an f32 tells
//! apart. Every other start is blended with the clean picture.

use super::{Search, Stop, TOGETHER, propose};
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::random::normal;
use crate::threat::{Norm, Threat};
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Halvings of a jump before it is given up: what is left is no step any more.
const HALVINGS: u32 = 24;

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HopSkipJumpSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// Points of the first step; the t-th has sqrt(t) times as many.
    pub samples: u64,
    /// The most points of a step.
    pub most_samples: u64,
    /// How far the points lie around the boundary, as a share of its distance.
    pub probe: f64,
    /// Names the draws.
    pub seed: u64,
    /// What it is after.
    pub goal: Goal,
}

impl Default for HopSkipJumpSettings {
    /// The paper's numbers of points, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, samples: 100, most_samples: 10_000, probe: 0.01, seed: 0, goal: Goal::Inside }
    }
}

/// The attack.
pub struct HopSkipJump {
    settings: HopSkipJumpSettings,
}

impl HopSkipJump {
    /// The attack.
    pub fn new(settings: HopSkipJumpSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let key = [self.name().into(), search.id().into(), 0.into()];
        let mut random = search.query.draws(self.settings.seed, &key);
        let tolerance = self.settings.probe / (search.clean().len() as f64).sqrt();
        let far = search.start(&mut random)?;
        let mut current = search.approach(&far, tolerance)?;
        for step in 1.. {
            let way = self.way(search, &current, step, &mut random)?;
            let far = self.jump(search, &current, &way, step)?;
            current = search.approach(&far, tolerance)?;
        }
        Ok(())
    }

    /// The direction that leads deeper into the other class from `current`: signs
    /// for Linf, of length 1 for L2.
    fn way(
        &self,
        search: &mut Search<'_>,
        current: &[f32],
        step: u64,
        random: &mut impl Rng,
    ) -> Result<Vec<f64>, Stop> {
        let norm = search.query.threat.norm;
        let most = (self.settings.samples as f64 * (step as f64).sqrt()) as u64;
        let mut rest = most.clamp(1, self.settings.most_samples.max(1)).min(search.query.left());
        if rest == 0 {
            return Err(Stop::Over);
        }
        let reach = self.reach(search, current);
        let (mut crossed, mut sum, mut all) = (0.0, vec![0.0; current.len()], vec![0.0; current.len()]);
        let total = rest as f64;
        while rest > 0 {
            let round = rest.min(TOGETHER as u64);
            rest -= round;
            let points: Vec<f32> = (0..round).flat_map(|_| point(norm, current, reach, random)).collect();
            let sides = search.sides(points.clone())?;
            for (point, side) in points.chunks(current.len()).zip(sides) {
                let answer = if side { 1.0 } else { -1.0 };
                crossed += answer;
                for (at, (value, centre)) in point.iter().zip(current).enumerate() {
                    let change = f64::from(value - centre);
                    sum[at] += answer * change;
                    all[at] += change;
                }
            }
        }
        // Answers that all agree have no mean to subtract.
        let mean: f64 = if crossed == total || crossed == -total { 0.0 } else { crossed / total };
        let way = sum.iter().zip(all).map(|(sum, all)| sum - mean * all);
        Ok(normalised(norm, way.collect()))
    }

    /// The Euclidean length of a point's change. In Linf the distance is that of
    /// one value, so that all of them together reach sqrt(d) times as far.
    fn reach(&self, search: &Search<'_>, current: &[f32]) -> f64 {
        let distance = self.settings.probe * search.distance(current);
        match search.query.threat.norm {
            Norm::L2 => distance,
            Norm::Linf => distance * (current.len() as f64).sqrt(),
        }
    }

    /// A crossing along `way`; `current` itself where no jump crosses.
    fn jump(
        &self,
        search: &mut Search<'_>,
        current: &[f32],
        way: &[f64],
        step: u64,
    ) -> Result<Vec<f32>, Stop> {
        let mut length = search.distance(current) / (step as f64).sqrt();
        for _ in 0..HALVINGS {
            let moved = |(value, way): (&f32, &f64)| (value + (length * way) as f32).clamp(0.0, 1.0);
            let far: Vec<f32> = current.iter().zip(way).map(moved).collect();
            if search.crosses(&far)? {
                return Ok(far);
            }
            length *= 0.5;
        }
        Ok(current.to_vec())
    }
}

/// A random point around `current`, within \[0, 1\].
fn point(norm: Norm, current: &[f32], reach: f64, random: &mut impl Rng) -> Vec<f32> {
    let draw = |_| match norm {
        Norm::L2 => normal(random),
        Norm::Linf => random.random_range(-1.0..=1.0f32),
    };
    let direction: Vec<f32> = (0..current.len()).map(draw).collect();
    let length = direction.iter().map(|unit| f64::from(*unit).powi(2)).sum::<f64>().sqrt();
    let scale = (reach / length.max(1e-12)) as f32;
    current.iter().zip(direction).map(|(value, unit)| (value + scale * unit).clamp(0.0, 1.0)).collect()
}

/// `way` as signs in Linf, of length 1 in L2.
fn normalised(norm: Norm, mut way: Vec<f64>) -> Vec<f64> {
    let length = way.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    way.iter_mut().for_each(|value| match norm {
        Norm::L2 => *value /= length,
        Norm::Linf => *value = if *value == 0.0 { 0.0 } else { value.signum() },
    });
    way
}

impl Attack for HopSkipJump {
    fn name(&self) -> &str {
        "hop-skip-jump"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let HopSkipJumpSettings { queries, samples, most_samples, probe, seed, goal } = self.settings;
        record([
            ("queries", json!(queries)),
            ("samples", json!(samples)),
            ("most_samples", json!(most_samples)),
            ("probe", json!(probe)),
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
