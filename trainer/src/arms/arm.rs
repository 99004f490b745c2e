//! What every arm gives: the plan of its step, and what that needs from step to step.

use super::adversary::Adversary;
use super::bad::BadArm;
use super::inputs::Inputs;
use super::time::{Scalars, Time};
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

    /// Whether the step writes the loss of a second pass to [`super::inputs::PERTURBED_HISTORY`].
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
