//! A training step of any arm: pictures in, its gradients, the weights moved.

pub use super::inputs::{HISTORY, PERTURBED_HISTORY, SLOTS};

use super::inputs::Inputs;
use super::{Method, baseline};
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
    /// How gradients are made.
    pub method: Method,
    /// How weights follow them.
    pub optimizer: Optimizer,
    /// Weight decay, on convolutions' and linear layers' weights only.
    pub weight_decay: f32,
    /// Whether dropout and drop-path are on.
    pub masks: bool,
    /// What the backward pass finds of activations.
    pub activations: Activations,
}

/// A training step: BYTES, KEYS, LABELS, the step's scalars -> PARAMS, RUNNING, the
/// optimiser's state and the loss history.
pub fn record(graph: &Graph, layout: &Layout, batch: usize, settings: &Settings) -> Recording {
    let mut recording = gradients(graph, layout, batch, settings);
    move_weights(&mut recording, layout, settings, names::GRADIENTS);
    recording
}

/// The gradients of a part of a batch, added to [`TOTAL`] as the step's scalars say.
pub fn accumulate(graph: &Graph, layout: &Layout, part: usize, settings: &Settings) -> Recording {
    let mut recording = gradients(graph, layout, part, settings);
    let step = recording.external(step::NAME, step::LEN);
    let gradient = recording.external(names::GRADIENTS, layout.len);
    let total = recording.external(TOTAL, layout.len);
    optimizer::accumulate(&mut recording, step, gradient, total);
    recording
}

/// The weights' update by the gradients in [`TOTAL`].
pub fn update(layout: &Layout, settings: &Settings) -> Recording {
    let mut recording = Recording::default();
    move_weights(&mut recording, layout, settings, TOTAL);
    recording
}

fn move_weights(recording: &mut Recording, layout: &Layout, settings: &Settings, gradients: &str) {
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

/// A training step without the weights' update: their gradients are in GRADIENTS.
pub fn gradients(graph: &Graph, layout: &Layout, batch: usize, settings: &Settings) -> Recording {
    let mut recording = Recording::default();
    let area = batch * graph.res * graph.res;
    let bytes = recording.external(names::BYTES, area);
    let input = recording.tensor(4 * area);
    pixels::from_bytes(&mut recording, bytes, input);
    let inputs = Inputs {
        pixels: input,
        labels: recording.external(names::LABELS, 2 * batch),
        keys: settings.masks.then(|| recording.external(names::KEYS, 2 * batch)),
        step: recording.external(step::NAME, step::LEN),
        gradients: recording.external(names::GRADIENTS, layout.len),
        logits: recording.external(names::LOGITS, batch),
    };
    let network = Network::new(&mut recording, graph, layout, batch).with_activations(settings.activations);
    match &settings.method {
        Method::Baseline => baseline::record(&mut recording, &network, &inputs),
        Method::Gr(settings) => settings.record(&mut recording, &network, &inputs),
    }
    recording
}
