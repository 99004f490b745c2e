//! What every arm gives: the plan of its step, and what that needs from step to step.

use super::adversary::Adversary;
use super::inputs::Inputs;
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::plan::pass::Network;

/// A method of training: the plan of its step and what that needs.
pub trait Arm: std::fmt::Debug {
    /// Checks that the settings fit `graph`.
    ///
    /// # Errors
    /// The first one that does not.
    fn check(&self, graph: &Graph) -> Result<(), BadArm>;

    /// Records the gradient of the weights, the loss and the logits of a step.
    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs);

    /// Whether the step writes the loss of a second pass to [`inputs::PERTURBED_HISTORY`].
    fn has_second_loss(&self) -> bool {
        false
    }

    /// The scalars of a step.
    fn scalars(&self, _at: Time) -> Scalars {
        Scalars::default()
    }

    /// Epochs of a run whose settings say `epochs`.
    fn epochs(&self, epochs: usize) -> usize {
        epochs
    }

    /// Random numbers for a step over the pictures with these mask keys, for [`Inputs::draws`]; of the
    /// same length for every batch of that size.
    fn draws(&self, _graph: &Graph, _keys: &[u64]) -> Vec<f32> {
        Vec::new()
    }

    /// How the step makes adversarial pictures; none if it does not.
    fn adversary(&self) -> Option<Adversary> {
        None
    }
}

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

/// Settings of an arm that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadArm {
    /// A tap that the network does not have, a repeated one, or none.
    #[error("taps {taps:?} cannot be used; name one or more of 0 to {last}, each once")]
    Taps {
        /// The value.
        taps: Vec<usize>,
        /// The last block that can be tapped.
        last: usize,
    },
    /// A number out of range.
    #[error("{name} = {value} cannot be used; choose {allowed}")]
    Number {
        /// Its name.
        name: &'static str,
        /// The value.
        value: f32,
        /// The allowed values.
        allowed: &'static str,
    },
}

/// Checks that a setting lies in a range.
pub(super) fn number(
    name: &'static str,
    value: f32,
    low: f32,
    high: f32,
    allowed: &'static str,
) -> Result<(), BadArm> {
    let fits = value.is_finite() && (low..=high).contains(&value);
    if fits { Ok(()) } else { Err(BadArm::Number { name, value, allowed }) }
}
