//! The evaluation plan: 8-bit pictures to logits, with running statistics folded into
//! the weights.

use super::layout::Layout;
use super::names;
use super::pass::{Forward, Mode, Network, Trace};
use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::Graph;
use crate::ops::pixels;
use std::collections::HashMap;

/// BYTES [N, H, W] -> LOGITS [N, outputs].
pub fn record(graph: &Graph, layout: &Layout, batch: usize) -> Recording {
    let mut recording = Recording::default();
    let area = batch * graph.res * graph.res;
    let bytes = recording.external(names::BYTES, area);
    let input = recording.tensor(4 * area);
    pixels::from_bytes(&mut recording, bytes, input);
    append(&mut recording, graph, layout, input);
    recording
}

/// PIXELS [N, H, W, 4] -> LOGITS [N, outputs].
pub fn record_floats(graph: &Graph, layout: &Layout, batch: usize) -> Recording {
    let mut recording = Recording::default();
    let input = recording.external(names::PIXELS, 4 * batch * graph.res * graph.res);
    append(&mut recording, graph, layout, input);
    recording
}

fn append(recording: &mut Recording, graph: &Graph, layout: &Layout, input: Tensor) {
    let batch = input.len / (4 * graph.res * graph.res);
    let network = Network::new(recording, graph, layout, batch);
    let logits = recording.external(names::LOGITS, batch * graph.outputs());
    let how = Forward {
        mode: Mode::Folded { backward: false },
        keys: None,
        perturbations: &HashMap::new(),
        logits: Some(logits),
    };
    network.forward(recording, &mut Trace::of(graph, input), 0, &how);
}
