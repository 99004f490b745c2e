//! The evaluation plan: 8-bit pictures to logits, with running statistics.

use super::layout::Layout;
use super::names;
use super::pass::{Forward, Mode, Network, Trace};
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::ops::pixels;
use std::collections::HashMap;

/// BYTES [N, H, W] -> LOGITS [N].
pub fn record(graph: &Graph, layout: &Layout, batch: usize) -> Recording {
    let mut recording = Recording::default();
    let network = Network::new(&mut recording, graph, layout, batch);
    let area = batch * graph.res * graph.res;
    let bytes = recording.external(names::BYTES, area);
    let input = recording.tensor(4 * area);
    pixels::from_bytes(&mut recording, bytes, input);
    let logits = recording.external(names::LOGITS, batch);
    let how =
        Forward { mode: Mode::Evaluate, keys: None, perturbations: &HashMap::new(), logits: Some(logits) };
    network.forward(&mut recording, &mut Trace::of(graph, input), 0, &how);
    recording
}
