//! The gradient of the margin from its values alone: differences between points
//! that lie opposite each other, along random directions.

use super::{Search, Stop, TOGETHER};
use rand::Rng;

/// How a gradient is estimated.
pub(super) struct Estimate {
    /// How far the points lie from the middle, in the direction's own length.
    pub reach: f64,
    /// Points asked; odd ones are rounded down.
    pub samples: u64,
}

impl Estimate {
    /// The estimate at `at`, of its size: the mean over pairs of
    /// (margin(at + reach * u) - margin(at - reach * u)) / (2 * reach) * u, u one
    /// value of `draw` a pixel value. Points are kept within \[0, 1\]. Asks for no
    /// more pairs than leave a query for the step that follows; over without one.
    pub fn at<R: Rng>(
        &self,
        search: &mut Search<'_>,
        at: &[f32],
        random: &mut R,
        draw: impl Fn(&mut R) -> f32,
    ) -> Result<Vec<f64>, Stop> {
        let pairs = (self.samples / 2).min(search.query.left().saturating_sub(1) / 2) as usize;
        if pairs == 0 {
            return Err(Stop::Over);
        }
        let mut gradient = vec![0.0; at.len()];
        let mut rest = pairs;
        while rest > 0 {
            let round = rest.min(TOGETHER / 2);
            rest -= round;
            let directions: Vec<f32> = (0..round * at.len()).map(|_| draw(random)).collect();
            let points = directions.chunks(at.len()).flat_map(|direction| {
                [self.reach, -self.reach].into_iter().flat_map(move |reach| {
                    at.iter().zip(direction).map(move |(value, unit)| moved(*value, *unit, reach))
                })
            });
            let margins = search.probe(points.collect())?;
            for (pair, direction) in margins.chunks(2).zip(directions.chunks(at.len())) {
                let slope = f64::from(pair[0]) - f64::from(pair[1]);
                // A point without a number says nothing about the slope.
                let slope = if slope.is_finite() { slope / (2.0 * self.reach * pairs as f64) } else { 0.0 };
                gradient.iter_mut().zip(direction).for_each(|(sum, unit)| *sum += slope * f64::from(*unit));
            }
        }
        Ok(gradient)
    }
}

fn moved(value: f32, unit: f32, reach: f64) -> f32 {
    (value + (f64::from(unit) * reach) as f32).clamp(0.0, 1.0)
}

/// -1, 0 or 1.
pub(super) fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// The Euclidean length, never 0.
pub(super) fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE)
}
