//! Gradient regularization over the statistics of shallow features (Guan, Wang,
//! Dong & Peng, IEEE TIFS 2024): min L + lambda ||grad L||, the gradient being that
//! with respect to means and deviations of the taps' channels, by a finite
//! difference of two passes. The module is absent at inference.

use super::inputs::{self, Inputs};
use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::{Graph, ValueId};
use crate::ops::batch_norm::MOMENTUM;
use crate::ops::feature_statistics::{self, Shape};
use crate::ops::optimizer;
use crate::plan::pass::{Forward, Mode, Network, Perturbation, Trace, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The method's settings; the defaults are the paper's, and ours where it is silent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct GradientRegularization {
    /// Outputs of which `features.i` are perturbed.
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

/// Settings of the method that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadRegularization {
    /// A tap that the network has not, or none.
    #[error("taps {taps:?} cannot be used; name one or more of 0 to {last}, each once")]
    Taps {
        /// What was asked for.
        taps: Vec<usize>,
        /// The last block that can be tapped.
        last: usize,
    },
    /// r or alpha out of range.
    #[error("{name} = {value} cannot be used; choose {wanted}")]
    Number {
        /// Its name.
        name: &'static str,
        /// What was asked for.
        value: f32,
        /// What is allowed.
        wanted: &'static str,
    },
}

/// Buffer of the unperturbed gradient, where alpha is below 1.
const PLAIN: &str = "plain_gradients";

impl GradientRegularization {
    /// Whether the settings fit `graph`.
    pub fn check(&self, graph: &Graph) -> Result<(), BadRegularization> {
        let last = graph.features.len() - 1;
        let mut taps = self.taps.clone();
        taps.sort_unstable();
        taps.dedup();
        if taps.is_empty() || taps.len() != self.taps.len() || taps.iter().any(|&tap| tap > last) {
            return Err(BadRegularization::Taps { taps: self.taps.clone(), last });
        }
        let number = |name, value: f32, low: f32, high: f32, wanted| {
            let fits = value.is_finite() && (low..=high).contains(&value);
            if fits { Ok(()) } else { Err(BadRegularization::Number { name, value, wanted }) }
        };
        number("r", self.radius, 0.0, 1e3, "a number from 0 up to 1000")?;
        number("alpha", self.alpha, 0.0, 1.0, "a number from 0 to 1")?;
        number("warm-up", self.warmup_epochs, 0.0, 1e6, "a number of epochs from 0 up")
    }

    /// Two passes. The first gives the perturbation, and with alpha = 1 no weight
    /// gradient; the second starts at the first tap, below which nothing changes.
    pub fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let taps = self.taps_of(network);
        let first = taps[0].0;
        let none = HashMap::new();
        let mut trace = Trace::of(network.graph, inputs.pixels);
        let mut how = Forward {
            mode: Mode::Train { momentum: MOMENTUM },
            keys: inputs.keys,
            perturbations: &none,
            logits: Some(inputs.logits),
        };
        network.forward(recording, &mut trace, 0, &how);
        let dlogits = inputs::loss(recording, inputs, inputs.logits, inputs::HISTORY);
        let values: Vec<ValueId> = taps.iter().map(|tap| tap.0).collect();
        let plain = (self.alpha != 1.0).then(|| recording.external(PLAIN, inputs.gradients.len));
        let wanted = match plain {
            Some(plain) => Wanted { weights: Some(plain), ..Wanted::default() },
            None => Wanted { down_to: Some(first), ..Wanted::default() },
        };
        let gradients = network.backward(recording, &trace, dlogits, wanted, &values);
        let perturbations = self.perturbations(recording, &trace, &taps, &gradients, inputs.step);

        let start = network.producer(first);
        network.perturb(recording, &mut trace, first, &perturbations);
        how.mode = Mode::Train { momentum: 0.0 };
        how.perturbations = &perturbations;
        how.logits = None;
        network.forward(recording, &mut trace, start + 1, &how);
        let logits = trace.value(network.graph.logit);
        let dlogits = inputs::loss(recording, inputs, logits, inputs::PERTURBED_HISTORY);
        let wanted = Wanted { weights: Some(inputs.gradients), ..Wanted::default() };
        network.backward(recording, &trace, dlogits, wanted, &[]);
        if let Some(plain) = plain {
            optimizer::mix(recording, inputs.step, plain, inputs.gradients);
        }
    }

    fn taps_of(&self, network: &Network<'_>) -> Vec<(ValueId, Shape)> {
        let mut taps = self.taps.clone();
        taps.sort_unstable();
        let shape = |tap: usize| {
            let value = network.graph.features[tap];
            let extent = network.graph.extent(value);
            let shape = Shape {
                n: network.batch,
                area: extent.area(),
                channels: extent.c,
                per_image: self.per_image,
                through_statistics: self.through_statistics,
            };
            (value, shape)
        };
        taps.into_iter().map(shape).collect()
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
            (value, Perturbation { delta, shape })
        };
        by_tap.iter().map(&mut perturb).collect()
    }
}
