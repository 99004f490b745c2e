//! What an arm changes from step to step.

/// The time of a step in a run.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// The step, from 0.
    pub step: usize,
    /// Steps of an epoch.
    pub steps_an_epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
}

/// What an arm changes from step to step; see [`crate::ops::step::Step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scalars {
    /// Length of the perturbation.
    pub radius: f32,
    /// Weight of the perturbed gradient.
    pub alpha: f32,
    /// Radius of the adversarial pictures, in units of pixels in \[0, 1\].
    pub eps: f32,
}

impl Default for Scalars {
    fn default() -> Self {
        Self { radius: 0.0, alpha: 1.0, eps: 0.0 }
    }
}
