//! Gradient regularization over the statistics of shallow features (Guan, Wang,
//! Dong & Peng, IEEE TIFS 2024): min L + lambda ||grad L||. The gradient is that with respect to the
//! means and deviations of the taps' channels; its norm is minimised by a finite difference of two
//! passes. Inference does not change.

use super::arm::Arm;
use super::bad::{BadArm, number};
use super::inputs::{Inputs, PERTURBED_HISTORY, Pass};
use super::taps;
use super::time::{Scalars, Time};
use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::{Graph, ValueId};
use crate::ops::feature_statistics::{self, Shape};
use crate::ops::optimizer;
use crate::plan::pass::{Delta, Network, Perturbation, Trace, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Settings of the method. Defaults are those of the paper, and dfrt's own where it gives none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct GradientRegularization {
    /// Indices i of the `features.i` whose outputs are perturbed.
    pub taps: Vec<usize>,
    /// Length r of the perturbation.
    pub radius: f32,
    /// Weight of the perturbed gradient: g = (1 - alpha) g1 + alpha g2, alpha = lambda / r.
    pub alpha: f32,
    /// Whether pass 2's gradient flows through means and deviations.
    pub through_statistics: bool,
    /// One perturbation for each picture instead of one for the batch.
    pub per_image: bool,
    /// One norm for each tap instead of one over all taps.
    pub per_tap: bool,
    /// Epochs over which r grows linearly from 0; 0 for none.
    pub warmup_epochs: f32,
}

impl Default for GradientRegularization {
    fn default() -> Self {
        Self {
            taps: vec![0, 1, 2],
            radius: 0.1,
            alpha: 1.0,
            through_statistics: true,
            per_image: false,
            per_tap: false,
            warmup_epochs: 0.0,
        }
    }
}

impl Arm for GradientRegularization {
    fn check(&self, graph: &Graph) -> Result<(), BadArm> {
        taps::check(&self.taps, graph)?;
        number("r", self.radius, 0.0, 1e3, "a number from 0 up to 1000")?;
        number("alpha", self.alpha, 0.0, 1.0, "a number from 0 to 1")?;
        number("warm-up", self.warmup_epochs, 0.0, 1e6, "a number of epochs from 0 up")
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let first = inputs.first_pass(recording, network);
        self.regularise(recording, network, inputs, &first, Some(PERTURBED_HISTORY));
    }

    fn has_second_loss(&self) -> bool {
        true
    }

    fn scalars(&self, at: Time) -> Scalars {
        let warmup = f64::from(self.warmup_epochs) * at.steps_an_epoch as f64;
        let share = if warmup > 0.0 { ((at.step + 1) as f64 / warmup).min(1.0) } else { 1.0 };
        Scalars { radius: self.radius * share as f32, alpha: self.alpha, ..Scalars::default() }
    }
}

impl GradientRegularization {
    /// Records the regularised gradient of the loss of the pass `first`. Its backward pass gives the
    /// perturbation, and with alpha = 1 no gradient of the weights; the second pass starts at the first tap,
    /// because earlier values do not change. `history` takes the mean loss of that.
    pub(super) fn regularise(
        &self,
        recording: &mut Recording,
        network: &Network<'_>,
        inputs: &Inputs,
        first: &Pass,
        history: Option<&str>,
    ) {
        let taps = taps::shapes(&self.taps, network, self.per_image, self.through_statistics);
        let start = taps[0].0;
        let values: Vec<ValueId> = taps.iter().map(|tap| tap.0).collect();
        let plain = (self.alpha != 1.0).then(|| inputs.other(recording));
        let wanted = match plain {
            Some(plain) => Wanted { weights: Some(plain), ..Wanted::default() },
            None => Wanted { down_to: Some(start), ..Wanted::default() },
        };
        let gradients = network.backward(recording, &first.trace, first.dlogits, wanted, &values);
        let perturbations = self.perturbations(recording, &first.trace, &taps, &gradients, inputs.step);
        let mut trace = first.trace.clone();
        network.perturb(recording, &mut trace, start, &perturbations);
        let from = network.producer(start) + 1;
        let second = inputs.second_pass(recording, network, (trace, from), &perturbations, history);
        inputs.backward(recording, network, &second.trace, second.dlogits);
        if let Some(plain) = plain {
            optimizer::mix(recording, inputs.step, plain, inputs.gradients);
        }
    }

    fn perturbations(
        &self,
        recording: &mut Recording,
        trace: &Trace,
        taps: &[(ValueId, Shape)],
        gradients: &HashMap<ValueId, Tensor>,
        step: Tensor,
    ) -> HashMap<ValueId, Perturbation> {
        let mut by_tap = Vec::new();
        for &(value, shape) in taps {
            let features = trace.value(value);
            let moments = feature_statistics::moments_of(recording, features, shape);
            let gradient =
                feature_statistics::gradients(recording, features, moments, gradients[&value], shape);
            by_tap.push((value, shape, gradient));
        }
        let mut joint = None;
        for &(_, shape, gradient) in &by_tap {
            joint = Some(feature_statistics::norm(recording, gradient, joint, shape));
        }
        let mut perturb = |&(value, shape, gradient): &(ValueId, Shape, Tensor)| {
            let norm = if self.per_tap {
                feature_statistics::norm(recording, gradient, None, shape)
            } else {
                joint.expect("there is a tap")
            };
            let delta = feature_statistics::perturbation(recording, gradient, norm, step, shape);
            (value, Perturbation { delta: Delta::Given(delta), shape })
        };
        by_tap.iter().map(&mut perturb).collect()
    }
}
