//! Flat minima: sharpness-aware minimisation (Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021) and the
//! penalty of the gradient's norm over the weights (Zhao, Zhang & Hu, ICML 2022).

use super::arm::Arm;
use super::bad::{BadArm, number};
use super::inputs::{Inputs, PERTURBED_HISTORY};
use super::time::{Scalars, Time};
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::ops::{optimizer, sharpness};
use crate::plan::pass::{Network, Trace, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The gradient at theta + r g1 / ||g1||, one norm over all learned values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sam {
    /// Length r of the perturbation of the weights.
    pub radius: f32,
}

/// (1 - alpha) g1 + alpha g2, g2 the gradient of [`Sam`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gnp {
    /// Length r of the perturbation of the weights.
    pub radius: f32,
    /// Weight of the perturbed gradient: alpha = lambda / r.
    pub alpha: f32,
}

impl Default for Sam {
    fn default() -> Self {
        Self { radius: 0.05 }
    }
}

impl Default for Gnp {
    fn default() -> Self {
        Self { radius: 0.05, alpha: 0.8 }
    }
}

/// Records both passes. The weights themselves do not move: the second pass reads a copy.
fn record(recording: &mut Recording, network: &Network<'_>, inputs: &Inputs, mixed: bool) {
    let first = inputs.first_pass(recording, network);
    let plain = inputs.other(recording);
    sharpness::clear(recording, plain);
    let wanted = Wanted { weights: Some(plain), ..Wanted::default() };
    network.backward(recording, &first.trace, first.dlogits, wanted, &[]);
    let norm = sharpness::norm(recording, plain);
    let moved = sharpness::ascend(recording, network.params, plain, norm, inputs.step);
    let network = network.with_params(moved);
    let again = Trace::with_masks_of(&first.trace, network.graph, inputs.pixels);
    let second =
        inputs.second_pass(recording, &network, (again, 0), &HashMap::new(), Some(PERTURBED_HISTORY));
    inputs.backward(recording, &network, &second.trace, second.dlogits);
    if mixed {
        optimizer::mix(recording, inputs.step, plain, inputs.gradients);
    }
}

const RADIUS: &str = "a number from 0 up to 1000";

impl Arm for Sam {
    fn check(&self, _: &Graph) -> Result<(), BadArm> {
        number("radius", self.radius, 0.0, 1e3, RADIUS)
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        record(recording, network, inputs, false);
    }

    fn has_second_loss(&self) -> bool {
        true
    }

    fn scalars(&self, _: Time) -> Scalars {
        Scalars { radius: self.radius, ..Scalars::default() }
    }
}

impl Arm for Gnp {
    fn check(&self, _: &Graph) -> Result<(), BadArm> {
        number("radius", self.radius, 0.0, 1e3, RADIUS)?;
        number("alpha", self.alpha, 0.0, 1.0, "a number from 0 to 1")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        record(recording, network, inputs, self.alpha != 1.0);
    }

    fn has_second_loss(&self) -> bool {
        true
    }

    fn scalars(&self, _: Time) -> Scalars {
        Scalars { radius: self.radius, alpha: self.alpha, ..Scalars::default() }
    }
}
