//! What a training step records, whole or in parts of a batch: the pictures' bytes as floats, the
//! gradients of its arm, and the update of the weights, which is the same for every arm.

pub use super::inputs::{HISTORY, PERTURBED_HISTORY, SLOTS};

use super::inputs::Inputs;
use super::method::Method;
use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::Graph;
use crate::ops::optimizer::{self, Optimizer, State};
use crate::ops::{pixels, step};
use crate::plan::layout::Layout;
use crate::plan::names;
use crate::plan::pass::{Activations, Network};

/// Velocity or first moment, flat as the learned values.
pub const FIRST: &str = "first_moment";
/// Second moment, flat as the learned values.
pub const SECOND: &str = "second_moment";
/// Gradients summed over the parts of a batch, flat as the learned values.
pub const TOTAL: &str = "total_gradients";

/// Settings of a training plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The method (arm).
    pub method: Method,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Weight decay of convolutions and linear layers.
    pub weight_decay: f32,
    /// Whether dropout and drop-path are on.
    pub masks: bool,
    /// Whether activations are kept for the backward pass.
    pub activations: Activations,
}

/// Records a training step: BYTES, KEYS, LABELS, the step's scalars -> PARAMS, RUNNING, the
/// optimiser's state and the loss history.
pub fn record(graph: &Graph, layout: &Layout, batch: usize, settings: &Settings) -> Recording {
    let mut recording = gradients(graph, layout, batch, settings);
    update_weights(&mut recording, layout, settings, names::GRADIENTS);
    recording
}

/// Records the gradients of a part of a batch, added to [`TOTAL`] with the factors of the step's
/// scalars.
pub fn accumulate(graph: &Graph, layout: &Layout, part: usize, settings: &Settings) -> Recording {
    let mut recording = gradients(graph, layout, part, settings);
    let step = recording.external(step::NAME, step::LEN);
    let gradient = recording.external(names::GRADIENTS, layout.len);
    let total = recording.external(TOTAL, layout.len);
    optimizer::accumulate(&mut recording, step, gradient, total);
    recording
}

/// Records the update of the weights by the gradients in [`TOTAL`].
pub fn update(layout: &Layout, settings: &Settings) -> Recording {
    let mut recording = Recording::default();
    update_weights(&mut recording, layout, settings, TOTAL);
    recording
}

fn update_weights(recording: &mut Recording, layout: &Layout, settings: &Settings, gradients: &str) {
    let state = State {
        step: recording.external(step::NAME, step::LEN),
        gradient: recording.external(gradients, layout.len),
        weight: recording.external(names::PARAMS, layout.len),
        first: recording.external(FIRST, layout.len),
        second: recording.external(SECOND, layout.len),
    };
    for (start, end, decay) in [(0, layout.decayed, settings.weight_decay), (layout.decayed, layout.len, 0.0)]
    {
        let part = |tensor: Tensor| tensor.slice(start, end - start);
        let part = State {
            step: state.step,
            gradient: part(state.gradient),
            weight: part(state.weight),
            first: part(state.first),
            second: part(state.second),
        };
        optimizer::update(recording, settings.optimizer, part, decay);
    }
}

/// Records a training step without the update of the weights: their gradients are in GRADIENTS.
pub fn gradients(graph: &Graph, layout: &Layout, batch: usize, settings: &Settings) -> Recording {
    let mut recording = Recording::default();
    let area = batch * graph.res * graph.res;
    let bytes = recording.external(names::BYTES, area);
    let input = recording.tensor(4 * area);
    pixels::from_bytes(&mut recording, bytes, input);
    let arm = settings.method.arm();
    let mut keys = || recording.external(names::KEYS, 2 * batch);
    let (masks, starts) = (settings.masks.then(&mut keys), arm.adversary().map(|_| keys()));
    let draws = arm.draws(graph, &vec![0; batch]).len();
    let inputs = Inputs {
        pixels: input,
        labels: recording.external(names::LABELS, 2 * batch),
        keys: masks,
        starts,
        draws: (draws > 0).then(|| recording.external(names::DRAWS, draws)),
        step: recording.external(step::NAME, step::LEN),
        gradients: recording.external(names::GRADIENTS, layout.len),
        logits: recording.external(names::LOGITS, batch),
    };
    let network = Network::new(&mut recording, graph, layout, batch).with_activations(settings.activations);
    arm.record(&mut recording, &network, &inputs);
    recording
}
