//! Random perturbations of feature statistics, in one pass: DSU (Li et al., Uncertainty Modeling for
//! Out-of-Distribution Generalization, ICLR 2022) and MixStyle (Zhou et al., ICLR 2021). They move what
//! gradient regularization moves, in a random direction, and so show what its direction is worth.
//!
//! The random numbers come from the pictures' mask keys, so that resuming changes none. Whether a tap
//! of a picture is perturbed is drawn for each picture; the papers draw it for each batch.

use super::arm::Arm;
use super::bad::{BadArm, number};
use super::inputs::Inputs;
use super::taps;
use crate::gpu::recording::{ALIGNMENT, Recording, Tensor};
use crate::model::graph::{Graph, ValueId};
use crate::ops::feature_statistics::Shape;
use crate::plan::pass::{Delta, Network, Perturbation};
use dfrt_runtime::random;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// DSU: means and deviations with Gaussian noise as large as their deviation over the batch, which is
/// a constant for the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dsu {
    /// Indices i of the `features.i` whose outputs are perturbed.
    pub taps: Vec<usize>,
    /// Probability that a tap of a picture is perturbed.
    pub probability: f32,
}

/// MixStyle: means and deviations mixed with those of another picture of the batch, both constants for
/// the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct MixStyle {
    /// Indices i of the `features.i` whose outputs are perturbed.
    pub taps: Vec<usize>,
    /// Probability that a tap of a picture is perturbed.
    pub probability: f32,
    /// Parameter a of Beta(a, a), the distribution of a picture's own share.
    pub beta: f32,
}

impl Default for Dsu {
    fn default() -> Self {
        Self { taps: vec![0, 1, 2], probability: 0.5 }
    }
}

impl Default for MixStyle {
    fn default() -> Self {
        Self { taps: vec![0, 1, 2], probability: 0.5, beta: 0.1 }
    }
}

/// A tap's part of the draws.
#[derive(Clone, Copy)]
struct Part {
    /// Its values a picture, for a tap of that many channels.
    length: fn(usize) -> usize,
    /// What is made of it.
    delta: fn(Tensor) -> Delta,
}

/// Records one pass whose taps are perturbed by their parts of the draws.
fn record(
    recording: &mut Recording,
    network: &Network<'_>,
    inputs: &Inputs,
    shapes: Vec<(ValueId, Shape)>,
    part: Part,
) {
    let draws = inputs.draws.expect("an arm that draws has draws");
    let mut start = 0;
    let mut perturbations = HashMap::new();
    for (value, shape) in shapes {
        let len = network.batch * (part.length)(shape.channels);
        perturbations.insert(value, Perturbation { delta: (part.delta)(draws.slice(start, len)), shape });
        start += len.next_multiple_of(ALIGNMENT);
    }
    let pass = inputs.first_pass_with(recording, network, &perturbations);
    inputs.backward(recording, network, &pass.trace, pass.dlogits);
}

/// Adds zeros up to where the next tap's part may begin.
fn pad(values: &mut Vec<f32>) {
    values.resize(values.len().next_multiple_of(ALIGNMENT), 0.0);
}

fn stream(key: u64, method: &str, tap: usize) -> impl Rng {
    random::stream(key, &[method.into(), (tap as u64).into()])
}

impl Arm for Dsu {
    fn check(&self, graph: &Graph) -> Result<(), BadArm> {
        taps::check(&self.taps, graph)?;
        number("probability", self.probability, 0.0, 1.0, "a number from 0 to 1")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let shapes = taps::shapes(&self.taps, network, true, true);
        record(
            recording,
            network,
            inputs,
            shapes,
            Part { length: |channels| 2 * channels, delta: Delta::Uncertain },
        );
    }

    /// For each tap normal numbers [N, 2, C], or zeros.
    fn draws(&self, graph: &Graph, keys: &[u64]) -> Vec<f32> {
        let mut values = Vec::new();
        for tap in taps::sorted(&self.taps) {
            let channels = graph.extent(graph.features[tap]).c;
            for &key in keys {
                let mut random = stream(key, "dsu", tap);
                let on = random.random_range(0.0..1.0f32) < self.probability;
                let draw = |_| if on { normal(&mut random) } else { 0.0 };
                values.extend((0..2 * channels).map(draw));
            }
            pad(&mut values);
        }
        values
    }
}

impl Arm for MixStyle {
    fn check(&self, graph: &Graph) -> Result<(), BadArm> {
        taps::check(&self.taps, graph)?;
        number("probability", self.probability, 0.0, 1.0, "a number from 0 to 1")?;
        number("beta", self.beta, 1e-3, 1.0, "a number from 0.001 to 1")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let shapes = taps::shapes(&self.taps, network, true, false);
        record(recording, network, inputs, shapes, Part { length: |_| 2, delta: Delta::Mixed });
    }

    /// For each tap a partner and its share [N, 2]; the partners are a permutation of the batch.
    fn draws(&self, _: &Graph, keys: &[u64]) -> Vec<f32> {
        let mut values = Vec::new();
        for tap in taps::sorted(&self.taps) {
            let mut partners: Vec<usize> = (0..keys.len()).collect();
            partners.sort_by_key(|&index| {
                (random::key(keys[index], &["partner".into(), (tap as u64).into()]), index)
            });
            for (&key, &partner) in keys.iter().zip(&partners) {
                let mut random = stream(key, "mixstyle", tap);
                let on = random.random_range(0.0..1.0f32) < self.probability;
                let share = if on { 1.0 - beta(f64::from(self.beta), &mut random) as f32 } else { 0.0 };
                values.extend([partner as f32, share]);
            }
            pad(&mut values);
        }
        values
    }
}

/// A standard normal number (Box & Muller 1958).
fn normal(random: &mut impl Rng) -> f32 {
    // Never the logarithm of 0.
    let (u, v) = (1.0 - random.random_range(0.0..1.0f64), random.random_range(0.0..1.0f64));
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

/// A number of Beta(a, a), a at most 1 (Johnk 1964).
fn beta(a: f64, random: &mut impl Rng) -> f64 {
    loop {
        let mut power = || random.random_range(0.0..1.0f64).powf(1.0 / a);
        let (x, y) = (power(), power());
        if x + y <= 1.0 && x + y > 0.0 {
            return x / (x + y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::Architecture;

    #[test]
    fn draws_have_their_distributions() {
        let mut random = random::stream(0, &["test".into()]);
        let n = 20_000;
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / n as f64;
            (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let normals: Vec<f64> = (0..n).map(|_| normal(&mut random).into()).collect();
        let (mean, variance) = moments(&normals);
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        // Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)).
        let shares: Vec<f64> = (0..n).map(|_| beta(0.1, &mut random)).collect();
        let (mean, variance) = moments(&shares);
        assert!((mean - 0.5).abs() < 0.015 && (variance - 0.25 / 1.2).abs() < 0.005, "{mean} {variance}");
    }

    #[test]
    fn a_picture_has_its_own_draws() {
        let graph = Graph::new(Architecture::named("efficientnet-tiny").unwrap(), 32).unwrap();
        let dsu = Dsu { taps: vec![1], ..Dsu::default() };
        let channels = graph.extent(graph.features[1]).c;
        let own = |values: &[f32], place: usize| values[2 * channels * place..][..2 * channels].to_vec();
        let (a, b) = (dsu.draws(&graph, &[5, 6, 7]), dsu.draws(&graph, &[7]));
        assert_eq!(own(&a, 2), own(&b, 0));
        let keys: Vec<u64> = (0..40).collect();
        let values = MixStyle::default().draws(&graph, &keys);
        let mut partners: Vec<usize> = (0..40).map(|index| values[2 * index] as usize).collect();
        assert!((0..40).any(|index| partners[index] != index));
        partners.sort_unstable();
        assert!(partners.into_iter().eq(0..40), "the partners are a permutation");
        let none = MixStyle { probability: 0.0, ..MixStyle::default() }.draws(&graph, &keys);
        assert!((0..40).all(|index| none[2 * index + 1] == 0.0));
    }
}
