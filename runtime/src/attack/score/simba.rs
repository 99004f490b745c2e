//! SimBA (Guo, Gardner, You, Wilson and Weinberger, "Simple black-box adversarial
//! attacks", ICML 2019): the directions of an orthonormal basis in random order,
//! one step along each, up or else down, kept when the loss falls.
//!
//! As published: steps of 0.2; pixel values, or the lowest eighth of the
//! frequencies of the discrete cosine transform a channel. Otherwise: every
//! candidate is projected into the threat model, which the paper has none of (it
//! bounds the number of steps); in L2 a step is at most a tenth of the radius, as
//! a small ball would hold but a few of 0.2; the margin stands for the probability; when all
//! directions were tried they are drawn again in a new order, and the search ends
//! when a whole round kept no step, as another could not either. A step that the
//! projection undoes costs no query.

use super::{Search, Stop, propose};
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use rand::seq::SliceRandom;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::f64::consts::PI;

/// The longest step in L2 as a share of the radius: a hundred fill the ball.
const L2_STEP: f64 = 0.1;

/// The directions that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// One pixel value at a time.
    Pixel,
    /// One cosine at a time, of one channel.
    Dct,
}

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimbaSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// The directions.
    pub basis: Basis,
    /// Length of a step, pixels in \[0, 1\]; in L2 at most a tenth of the radius.
    pub step: f64,
    /// The share of the frequencies in each axis that [`Basis::Dct`] uses, the
    /// lowest ones; at least one.
    pub frequencies: f64,
    /// Names the draws.
    pub seed: u64,
}

impl Default for SimbaSettings {
    /// The paper's step and frequencies, pixels, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, basis: Basis::Pixel, step: 0.2, frequencies: 0.125, seed: 0 }
    }
}

/// The attack.
pub struct Simba {
    settings: SimbaSettings,
}

impl Simba {
    /// The attack.
    pub fn new(settings: SimbaSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let key = [self.name().into(), search.id().into(), 0.into()];
        let mut random = search.query.draws(self.settings.seed, &key);
        let res = search.query.target().picture.width() as usize;
        let mut order: Vec<usize> = (0..self.directions(res)).collect();
        // The clean margin is what the first step must beat.
        let clean = search.clean().to_vec();
        search.offer(&clean)?;
        let mut kept = true;
        while kept {
            order.shuffle(&mut random);
            kept = false;
            for &direction in &order {
                kept |= self.step(search, res, direction)?;
            }
        }
        Ok(())
    }

    /// Up or else down along one direction; whether either was kept.
    fn step(&self, search: &mut Search<'_>, res: usize, direction: usize) -> Result<bool, Stop> {
        let length = match search.query.threat.norm {
            Norm::Linf => self.settings.step,
            Norm::L2 => self.settings.step.min(L2_STEP * f64::from(search.query.threat.eps())),
        };
        for step in [length, -length] {
            let mut candidate = search.best().to_vec();
            self.add(&mut candidate, res, direction, step);
            search.clip(&mut candidate);
            if candidate != search.best() && search.offer(&candidate)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many directions a picture of side `res` has.
    fn directions(&self, res: usize) -> usize {
        match self.settings.basis {
            Basis::Pixel => 3 * res * res,
            Basis::Dct => 3 * self.band(res) * self.band(res),
        }
    }

    /// Frequencies used in each axis.
    fn band(&self, res: usize) -> usize {
        ((self.settings.frequencies * res as f64).round() as usize).clamp(1, res)
    }

    /// Adds `step` times the direction's unit vector.
    fn add(&self, values: &mut [f32], res: usize, direction: usize, step: f64) {
        let Basis::Dct = self.settings.basis else {
            values[direction] += step as f32;
            return;
        };
        let band = self.band(res);
        let (channel, row, column) = (direction / (band * band), direction / band % band, direction % band);
        let (down, across) = (cosine(res, row), cosine(res, column));
        for (values, down) in values[channel * res * res..].chunks_mut(res).zip(down) {
            for (value, across) in values.iter_mut().zip(&across) {
                *value += (step * down * across) as f32;
            }
        }
    }
}

/// The discrete cosine of `frequency` over `size` places, of length 1 (DCT-II).
fn cosine(size: usize, frequency: usize) -> Vec<f64> {
    let scale = (if frequency == 0 { 1.0 } else { 2.0 } / size as f64).sqrt();
    let turn = PI * frequency as f64 / size as f64;
    (0..size).map(|place| scale * (turn * (place as f64 + 0.5)).cos()).collect()
}

impl Attack for Simba {
    fn name(&self) -> &str {
        match self.settings.basis {
            Basis::Pixel => "simba",
            Basis::Dct => "simba-dct",
        }
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let SimbaSettings { queries, basis, step, frequencies, seed } = self.settings;
        record([
            ("queries", json!(queries)),
            ("basis", json!(basis)),
            ("step", json!(step)),
            ("frequencies", json!(frequencies)),
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
    fn both_bases_are_orthonormal() {
        for (basis, frequencies, count) in
            [(Basis::Pixel, 0.0, 192), (Basis::Dct, 1.0, 192), (Basis::Dct, 0.25, 12)]
        {
            let settings = SimbaSettings { basis, frequencies, ..SimbaSettings::default() };
            let simba = Simba::new(settings);
            assert_eq!(simba.directions(8), count);
            let directions = (0..count).map(|direction| {
                let mut values = vec![0.0; 192];
                simba.add(&mut values, 8, direction, 1.0);
                values
            });
            let directions: Vec<Vec<f32>> = directions.collect();
            for (i, a) in directions.iter().enumerate() {
                for (j, b) in directions.iter().enumerate() {
                    let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    let expected = f32::from(u8::from(i == j));
                    assert!((product - expected).abs() < 1e-5, "{basis:?} {i} {j}: {product}");
                }
            }
        }
    }
}
