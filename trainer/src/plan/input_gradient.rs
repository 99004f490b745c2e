//! The input-gradient plan: the loss of each picture and its gradient with respect
//! to the pixels, with running statistics folded into the weights and no weight gradients.

use super::layout::Layout;
use super::names;
use super::pass::{Forward, Mode, Network, Trace, Wanted};
use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::Graph;
use crate::ops::cross_entropy;
use dfrt_runtime::detector::oracle::AttackLoss;
use std::collections::HashMap;

/// Records `pixels` [N, H, W, 4] -> LOGITS \[N\], LOSSES \[N\] and `gradient` [N, H, W, 4]
/// of the sum of the losses (cross-entropy: of their mean).
pub fn append(
    recording: &mut Recording,
    graph: &Graph,
    layout: &Layout,
    loss: AttackLoss,
    (pixels, gradient): (Tensor, Tensor),
) {
    let batch = pixels.len / (4 * graph.res * graph.res);
    let network = Network::new(recording, graph, layout, batch);
    let logits = recording.external(names::LOGITS, batch);
    let labels = recording.external(names::LABELS, 2 * batch);
    let losses = recording.external(names::LOSSES, batch);
    differentiate(recording, &network, (pixels, gradient), Some(logits), |recording, logits| {
        cross_entropy::forward(recording, loss, logits, labels, Some(losses)).1
    });
}

/// Records the gradient of the `pixels`, for the gradient of the logits that `loss` records. `network`
/// has folded batch-norms.
pub fn differentiate(
    recording: &mut Recording,
    network: &Network<'_>,
    (pixels, gradient): (Tensor, Tensor),
    logits: Option<Tensor>,
    loss: impl FnOnce(&mut Recording, Tensor) -> Tensor,
) {
    let mut trace = Trace::of(network.graph, pixels);
    let how =
        Forward { mode: Mode::Folded { backward: true }, keys: None, perturbations: &HashMap::new(), logits };
    network.forward(recording, &mut trace, 0, &how);
    let dlogits = loss(recording, trace.value(network.graph.logit));
    let wanted = Wanted { pixels: Some(gradient), ..Wanted::default() };
    network.backward(recording, &trace, dlogits, wanted, &[]);
}

/// PIXELS, LABELS -> LOGITS, LOSSES, PIXEL_GRADIENT.
pub fn record(graph: &Graph, layout: &Layout, batch: usize, loss: AttackLoss) -> Recording {
    let mut recording = Recording::default();
    let len = 4 * batch * graph.res * graph.res;
    let pixels = recording.external(names::PIXELS, len);
    let gradient = recording.external(names::PIXEL_GRADIENT, len);
    append(&mut recording, graph, layout, loss, (pixels, gradient));
    recording
}
