//! Regularization of the gradient with respect to the pixels (Finlay & Oberman, Machine Learning with
//! Applications 3, 2021): min L + lambda / 2 mean ||grad_x L||^2, the norm as a finite difference
//! (L(x + h v) - L(x)) / h along the gradient's direction v, which is a constant.

use super::arm::Arm;
use super::bad::{BadArm, number};
use super::inputs::{Inputs, PERTURBED_HISTORY};
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::ops::input_slope;
use crate::plan::pass::{Network, Trace, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Settings of the method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputGradient {
    /// Weight lambda of the penalty.
    pub lambda: f32,
    /// Length h of the finite difference, in units of pixels in \[0, 1\] (L2).
    pub h: f32,
}

impl Default for InputGradient {
    fn default() -> Self {
        Self { lambda: 0.1, h: 0.01 }
    }
}

impl Arm for InputGradient {
    fn check(&self, _: &Graph) -> Result<(), BadArm> {
        number("lambda", self.lambda, 0.0, 1e6, "a number from 0 up")?;
        number("h", self.h, 1e-6, 10.0, "a number from 0.000001 to 10")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let at = inputs.first_pass(recording, network);
        let gradient = recording.tensor(inputs.pixels.len);
        let wanted = Wanted { pixels: Some(gradient), ..Wanted::default() };
        network.backward(recording, &at.trace, at.dlogits, wanted, &[]);
        let moved = input_slope::ahead(recording, network.batch, inputs.pixels, gradient, self.h);
        let again = Trace::with_masks_of(&at.trace, network.graph, moved);
        let ahead =
            inputs.second_pass(recording, network, (again, 0), &HashMap::new(), Some(PERTURBED_HISTORY));
        let [own, own_ahead] = input_slope::weigh(
            recording,
            inputs.labels,
            input_slope::Pass { losses: at.losses, dlogits: at.dlogits },
            input_slope::Pass { losses: ahead.losses, dlogits: ahead.dlogits },
            (self.h, self.lambda),
        );
        inputs.backward(recording, network, &at.trace, own);
        inputs.backward_more(recording, network, &ahead.trace, own_ahead);
    }

    fn has_second_loss(&self) -> bool {
        true
    }
}
