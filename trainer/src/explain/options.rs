//! How to measure.

use super::surface;
use dfrt_runtime::results::explanation as results;
use dfrt_runtime::threat::{Norm, Threat, ThreatError};

/// Pictures that are measured where nobody says how many.
pub const LIMIT: usize = 64;

/// How to measure. Every field has a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Radius of the attack whose perturbation is shown and transformed, in whole 1/255 (default 1).
    pub eps_255: f64,
    /// Its steps (default 10).
    pub attack_steps: usize,
    /// Steps of PGD at each radius of the search for the smallest one (default 20).
    pub radius_steps: usize,
    /// Indices i of the `features.i` whose statistics are looked at (default 0, 1, 2).
    pub taps: Vec<usize>,
    /// Lengths of the perturbation along the gradient of the statistics (default 0.05, 0.1, 0.2).
    pub lengths: Vec<f64>,
    /// Pictures that are drawn and whose loss surface is computed (default 4).
    pub shown: usize,
    /// Pictures at once on the device (default 16).
    pub batch: usize,
    /// The seed of all draws (default 0).
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            eps_255: 1.0,
            attack_steps: 10,
            radius_steps: 20,
            taps: vec![0, 1, 2],
            lengths: vec![0.05, 0.1, 0.2],
            shown: 4,
            batch: 16,
            seed: 0,
        }
    }
}

/// Factors of the means and deviations in the shift test.
pub const SHIFT: [f64; 2] = [1.2, 0.65];

impl Options {
    /// As the results record them.
    pub fn settings(&self) -> results::Settings {
        results::Settings {
            eps_255: self.eps_255,
            attack_steps: self.attack_steps,
            radius_steps: self.radius_steps,
            taps: self.taps.clone(),
            lengths: self.lengths.clone(),
            shift: SHIFT,
            surface_255: surface::REACH_255,
            shown: self.shown,
            seed: self.seed,
        }
    }

    /// The threat of the attack.
    ///
    /// # Errors
    /// A radius that is no whole number of 1/255.
    pub fn threat(&self) -> Result<Threat, ThreatError> {
        Threat::new(Norm::Linf, self.eps_255)
    }
}
