//! Lengths and directions of perturbations, in both norms.

use crate::threat::Norm;
use rand::{Rng, RngExt};
use std::f64::consts::TAU;

/// The distance of two points.
pub(super) fn distance(norm: Norm, a: &[f32], b: &[f32]) -> f64 {
    let changes = a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b));
    match norm {
        Norm::Linf => changes.fold(0.0, |largest: f64, change| largest.max(change.abs())),
        Norm::L2 => changes.map(|change| change * change).sum::<f64>().sqrt(),
    }
}

/// The length of a step.
pub(super) fn length(norm: Norm, step: &[f32]) -> f64 {
    let values = step.iter().map(|&value| f64::from(value));
    match norm {
        Norm::Linf => values.fold(0.0, |largest: f64, value| largest.max(value.abs())),
        Norm::L2 => values.map(|value| value * value).sum::<f64>().sqrt(),
    }
}

/// The sum of the absolute values.
pub(super) fn sum_of_sizes(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value.abs())).sum()
}

/// -1, 0 or 1.
pub(super) fn sign(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// The step of length 1 along which a function with this gradient rises most: its
/// signs, or its direction. 0 where the gradient is.
pub(super) fn steepest(norm: Norm, gradient: &[f32]) -> Vec<f32> {
    match norm {
        Norm::Linf => gradient.iter().map(|&value| sign(value)).collect(),
        Norm::L2 => {
            let length = length(norm, gradient).max(f64::MIN_POSITIVE);
            gradient.iter().map(|&value| (f64::from(value) / length) as f32).collect()
        }
    }
}

/// A random step of length 1: uniform in the cube and stretched to its face, or
/// uniform on the sphere.
pub(super) fn random_step(norm: Norm, len: usize, random: &mut impl Rng) -> Vec<f32> {
    let mut draw = || match norm {
        Norm::Linf => random.random_range(-1.0..=1.0f32),
        Norm::L2 => normal(random),
    };
    let step: Vec<f32> = (0..len).map(|_| draw()).collect();
    let length = length(norm, &step).max(1e-12);
    step.iter().map(|&value| (f64::from(value) / length) as f32).collect()
}

/// A draw of the standard normal distribution (Box and Muller).
fn normal(random: &mut impl Rng) -> f32 {
    // 1 - u lies in (0, 1], whose logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (TAU * random.random::<f64>()).cos()) as f32
}

/// `from + scale * step`.
pub(super) fn moved(from: &[f32], scale: f64, step: &[f32]) -> Vec<f32> {
    from.iter().zip(step).map(|(&from, &step)| from + (scale * f64::from(step)) as f32).collect()
}

/// The point at `share` of the way from `from` to `to`, within the box.
pub(super) fn between(from: &[f32], to: &[f32], share: f64) -> Vec<f32> {
    let point = |(&from, &to): (&f32, &f32)| {
        let (from, to) = (f64::from(from), f64::from(to));
        (from + share * (to - from)).clamp(0.0, 1.0) as f32
    };
    from.iter().zip(to).map(point).collect()
}

/// Moves every value into the box \[0, 1\].
pub(super) fn boxed(mut values: Vec<f32>) -> Vec<f32> {
    values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn a_gradient_of_zero_has_no_direction() {
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(steepest(norm, &[0.0, -0.0]), [0.0, 0.0]);
            let step = steepest(norm, &[3.0, -4.0, 0.0]);
            assert!((length(norm, &step) - 1.0).abs() < 1e-6);
            assert!(step[0] > 0.0 && step[1] < 0.0 && step[2] == 0.0);
        }
    }

    #[test]
    fn random_steps_have_length_one_and_every_direction() {
        let mut random = random::stream(1, &["step".into()]);
        for norm in [Norm::Linf, Norm::L2] {
            let step = random_step(norm, 1000, &mut random);
            assert!((length(norm, &step) - 1.0).abs() < 1e-6);
            let up = step.iter().filter(|&&value| value > 0.0).count();
            assert!((400..600).contains(&up), "{up} of 1000 go up");
        }
    }
}
