//! Gradient steps of one length that a device makes by itself: FGSM (Goodfellow et al.
//! 2015) and PGD (Madry et al. 2018).

use crate::attack::Attack;
use crate::detector::oracle::{GradientOracle, OracleError};
use crate::threat::Threat;

/// A device that holds a network, to be attacked with its gradients.
pub trait Device: Sync {
    /// Its logits and gradients, for attacks that decide every step themselves.
    fn gradients(&self) -> &dyn GradientOracle;

    /// Pictures that are attacked together.
    fn batch(&self) -> usize;

    /// An attack of that name whose pictures stay on the device from the first step to the
    /// last.
    ///
    /// # Errors
    /// The device fails.
    fn steps<'a>(
        &'a self,
        name: &'static str,
        settings: StepSettings,
    ) -> Result<Box<dyn Attack + 'a>, OracleError>;
}

/// How many steps, how long, from where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// Gradient steps.
    pub steps: usize,
    /// Length of a step as a share of the radius.
    pub share: f64,
    /// Whether to start from a random point of the ball.
    pub random_start: bool,
    /// Starts; the one that ends with the lowest margin counts.
    pub restarts: usize,
    /// Of the random starts.
    pub seed: u64,
}

impl StepSettings {
    /// One step of the whole radius from the picture itself.
    pub const FGSM: Self = Self { steps: 1, share: 1.0, random_start: false, restarts: 1, seed: 0 };

    /// `steps` steps of a quarter of the radius: 2/255 at 8/255.
    pub fn pgd(steps: usize, restarts: usize, seed: u64) -> Self {
        Self { steps, share: 0.25, random_start: true, restarts, seed }
    }

    /// The length of a step within `threat`, in 1/255.
    pub fn step_255(&self, threat: Threat) -> f64 {
        threat.eps_255 * self.share
    }
}
