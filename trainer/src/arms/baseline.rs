//! The plain gradient of the loss.

use super::inputs::{self, Inputs};
use crate::gpu::recording::Recording;
use crate::ops::batch_norm::MOMENTUM;
use crate::plan::pass::{Forward, Mode, Network, Trace, Wanted};
use std::collections::HashMap;

/// One pass forward and backward.
pub fn record(recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
    let mut trace = Trace::of(network.graph, inputs.pixels);
    let how = Forward {
        mode: Mode::Train { momentum: MOMENTUM },
        keys: inputs.keys,
        perturbations: &HashMap::new(),
        logits: Some(inputs.logits),
    };
    network.forward(recording, &mut trace, 0, &how);
    let dlogits = inputs::loss(recording, inputs, inputs.logits, inputs::HISTORY);
    let wanted = Wanted { weights: Some(inputs.gradients), ..Wanted::default() };
    network.backward(recording, &trace, dlogits, wanted, &[]);
}
