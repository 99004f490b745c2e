//! The plain gradient of the loss, and the same for longer.

use super::arm::Arm;
use super::bad::{BadArm, number};
use super::inputs::Inputs;
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::plan::pass::Network;
use serde::{Deserialize, Serialize};

/// One forward and one backward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline;

/// The baseline trained for more epochs, so that it evaluates the gradient as often as another arm. The
/// learning rate's schedule is stretched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ComputeMatched {
    /// Gradient evaluations a step of the arm that it is matched with: 2 for gr, sam and gnp.
    pub evaluations: f32,
}

impl Default for ComputeMatched {
    fn default() -> Self {
        Self { evaluations: 2.0 }
    }
}

impl Arm for Baseline {
    fn check(&self, _: &Graph) -> Result<(), BadArm> {
        Ok(())
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let pass = inputs.first_pass(recording, network);
        inputs.backward(recording, network, &pass.trace, pass.dlogits);
    }
}

impl Arm for ComputeMatched {
    fn check(&self, _: &Graph) -> Result<(), BadArm> {
        number("evaluations", self.evaluations, 1.0, 1e3, "a number from 1 up to 1000")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        Baseline.record(recording, network, inputs);
    }

    fn epochs(&self, epochs: usize) -> usize {
        (epochs as f64 * f64::from(self.evaluations)).round() as usize
    }
}
