//! One pass of the network, forward and backward, recorded node by node.

use super::layout::Layout;
use super::names;
use crate::gpu::recording::{Recording, Tensor};
use crate::model::arch::Activation;
use crate::model::graph::{Graph, Node, Op, ValueId};
use crate::ops::activation::Folded;
use crate::ops::{
    activation, batch_norm, convolution, copy, depthwise, drop_path, dropout, feature_statistics, folding,
    linear, mask, pixels, pointwise, pool, residual, squeeze_excite, statistic_noise,
};
use std::collections::HashMap;

/// How batch-norm, dropout and drop-path behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Batch statistics and masks; `momentum` updates the running statistics.
    Train {
        /// Weight of the batch in the running statistics; 0 does not change them.
        momentum: f32,
    },
    /// Running statistics, no masks. The weights are folded ([`crate::model::folding`]), so that only
    /// the activation of a batch-norm is left.
    Folded {
        /// Whether a backward pass follows, which needs the inputs of the activations. Without one the
        /// kernels of the convolutions apply the activations.
        backward: bool,
    },
}

/// Whether the outputs of batch-norms and squeeze-excite are kept between the forward and the
/// backward pass. The results have the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activations {
    /// Kept: fast, with twice the memory.
    #[default]
    Kept,
    /// Recomputed from the outputs of the convolutions when the backward pass reads them.
    Recomputed,
}

/// A network with its buffers named in a recording.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// The layout of its weights.
    pub layout: &'a Layout,
    /// N.
    pub batch: usize,
    /// Whether activations are kept for the backward pass.
    pub activations: Activations,
    /// Learned values, flat.
    pub params: Tensor,
    /// Running statistics, flat.
    pub running: Tensor,
}

/// A perturbation of a tap's statistics, for one pass.
#[derive(Clone, Copy, Debug)]
pub struct Perturbation {
    /// (dmu, dsigma), or where it comes from.
    pub delta: Delta,
    /// The tap's shape and options.
    pub shape: feature_statistics::Shape,
}

/// The (dmu, dsigma) [D, 2, C] of a perturbation.
#[derive(Clone, Copy, Debug)]
pub enum Delta {
    /// This.
    Given(Tensor),
    /// Of these draws, by [`statistic_noise::uncertain`].
    Uncertain(Tensor),
    /// Of these partners, by [`statistic_noise::mixed`].
    Mixed(Tensor),
}

#[derive(Clone, Copy, Debug)]
struct Perturbed {
    features: Tensor,
    moments: Tensor,
    delta: Tensor,
    shape: feature_statistics::Shape,
}

/// How a forward pass runs.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// Training or evaluation.
    pub mode: Mode,
    /// Keys [N, 2] to draw the masks that the trace does not hold yet; none for no masks.
    pub keys: Option<Tensor>,
    /// Values that are perturbed for all their readers.
    pub perturbations: &'a HashMap<ValueId, Perturbation>,
    /// Where the logits \[N\] are written; none for a pooled tensor.
    pub logits: Option<Tensor>,
}

/// The tensors of a forward pass that the backward pass needs.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    values: HashMap<ValueId, Tensor>,
    normalisers: HashMap<usize, Tensor>,
    folded: bool,
    masks: HashMap<usize, Tensor>,
    perturbed: HashMap<ValueId, Perturbed>,
}

impl Trace {
    /// A trace that holds only the pixels [N, H, W, 4].
    pub fn of(graph: &Graph, pixels: Tensor) -> Self {
        Self { values: HashMap::from([(graph.input, pixels)]), ..Self::default() }
    }

    /// A trace over other pixels with the masks of `first`.
    pub fn with_masks_of(first: &Self, graph: &Graph, pixels: Tensor) -> Self {
        Self { masks: first.masks.clone(), ..Self::of(graph, pixels) }
    }

    /// The tensor of `value` that later nodes read: at a perturbed tap the perturbed one.
    pub fn value(&self, value: ValueId) -> Tensor {
        self.values[&value]
    }
}

/// The gradients that a backward pass computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Flat tensor for the gradients of the learned values.
    pub weights: Option<Tensor>,
    /// Tensor [N, H, W, 4] for the gradient of the pixels.
    pub pixels: Option<Tensor>,
    /// The earliest value whose gradient is needed, if neither of the above is.
    pub down_to: Option<ValueId>,
}

impl<'a> Network<'a> {
    /// Names the network's buffers in `recording`.
    pub fn new(recording: &mut Recording, graph: &'a Graph, layout: &'a Layout, batch: usize) -> Self {
        let params = recording.external(names::PARAMS, layout.len);
        let running = recording.external(names::RUNNING, layout.running_len);
        Self { graph, layout, batch, activations: Activations::Kept, params, running }
    }

    /// The network with `activations` kept or recomputed.
    pub fn with_activations(self, activations: Activations) -> Self {
        Self { activations, ..self }
    }

    /// The network with other learned values, flat.
    pub fn with_params(self, params: Tensor) -> Self {
        Self { params, ..self }
    }

    /// The network with the batch-norms folded into the convolutions by the running statistics at this
    /// point of the recording, for passes in [`Mode::Folded`].
    pub fn folded(&self, recording: &mut Recording) -> Self {
        let flat = recording.tensor(self.layout.len);
        let mut folds = vec![None; self.graph.nodes.len()];
        for node in &self.graph.nodes {
            if let Op::BatchNorm(_) = node.op {
                folds[self.producer(node.inputs[0])] = Some(node);
            }
        }
        for (node, batch_norm) in self.graph.nodes.iter().zip(folds) {
            let Some(batch_norm) = batch_norm else {
                // Gamma and beta are written with the convolution before them.
                if !matches!(node.op, Op::BatchNorm(_)) {
                    for &param in &node.params {
                        let part = |flat| self.layout.param(flat, self.graph, param);
                        copy::forward(recording, part(self.params), part(flat));
                    }
                }
                continue;
            };
            let by = folding::BatchNorm {
                affine: self.affine(batch_norm),
                running: self.layout.running(self.running, self.graph, batch_norm),
                eps: self.graph.architecture.bn_eps,
            };
            by.weight(recording, self.weight(node, 0), self.layout.param(flat, self.graph, node.params[0]));
            by.shift(recording, self.layout.affine(flat, self.graph, batch_norm));
        }
        // Without statistics of the batch no output of a batch-norm can be computed again.
        self.with_params(flat).with_activations(Activations::Kept)
    }

    /// Index of the node that makes `value`.
    pub fn producer(&self, value: ValueId) -> usize {
        let found = self.graph.nodes.iter().position(|node| node.output == value);
        found.expect("every value but the input has a producer")
    }

    /// Records the nodes from index `start` on. `trace` must hold the earlier values that they read.
    pub fn forward(&self, recording: &mut Recording, trace: &mut Trace, start: usize, how: &Forward<'_>) {
        let &Forward { mode, keys, perturbations, logits } = how;
        trace.folded = matches!(mode, Mode::Folded { .. });
        for index in start..self.graph.nodes.len() {
            let node = &self.graph.nodes[index];
            let into = logits.filter(|_| node.output == self.graph.logit);
            let output = self.forward_node(recording, trace, index, mode, keys, into);
            trace.values.insert(node.output, output);
            self.perturb(recording, trace, node.output, perturbations);
        }
    }

    /// Replaces `value` by its perturbed version, if `perturbations` has it.
    pub fn perturb(
        &self,
        recording: &mut Recording,
        trace: &mut Trace,
        value: ValueId,
        perturbations: &HashMap<ValueId, Perturbation>,
    ) {
        let Some(&Perturbation { delta, shape }) = perturbations.get(&value) else { return };
        let features = trace.values[&value];
        let moments = feature_statistics::moments_of(recording, features, shape);
        let delta = match delta {
            Delta::Given(delta) => delta,
            Delta::Uncertain(draws) => statistic_noise::uncertain(recording, moments, draws, shape),
            Delta::Mixed(partners) => statistic_noise::mixed(recording, moments, partners, shape),
        };
        let output = feature_statistics::perturb(recording, features, moments, delta, shape);
        trace.values.insert(value, output);
        trace.perturbed.insert(value, Perturbed { features, moments, delta, shape });
    }

    /// Records the backward pass of the nodes after `wanted.down_to` (or of all). Returns the
    /// gradients of the values in `collect`; at a perturbed tap those of the perturbed value.
    pub fn backward(
        &self,
        recording: &mut Recording,
        trace: &Trace,
        dlogits: Tensor,
        wanted: Wanted,
        collect: &[ValueId],
    ) -> HashMap<ValueId, Tensor> {
        let mut gradients = HashMap::from([(self.graph.logit, dlogits)]);
        let mut collected = HashMap::new();
        let mut again = HashMap::new();
        for index in (0..self.graph.nodes.len()).rev() {
            let node = &self.graph.nodes[index];
            let Some(mut dy) = gradients.remove(&node.output) else { continue };
            if collect.contains(&node.output) {
                collected.insert(node.output, dy);
            }
            if wanted.down_to == Some(node.output) {
                break;
            }
            if let Some(&Perturbed { features, moments, delta, shape }) = trace.perturbed.get(&node.output) {
                dy = feature_statistics::backward_input(recording, features, moments, delta, dy, shape);
            }
            for (value, gradient) in self.backward_node(recording, trace, &mut again, index, dy, wanted) {
                let total = match gradients.remove(&value) {
                    Some(other) => residual::add(recording, other, gradient),
                    None => gradient,
                };
                gradients.insert(value, total);
            }
        }
        collected
    }

    fn forward_node(
        &self,
        recording: &mut Recording,
        trace: &mut Trace,
        index: usize,
        mode: Mode,
        keys: Option<Tensor>,
        into: Option<Tensor>,
    ) -> Tensor {
        let node = &self.graph.nodes[index];
        let x = trace.values[&node.inputs[0]];
        match node.op {
            Op::Normalise => {
                let table = &self.graph.architecture;
                pixels::forward(recording, x, table.mean, table.std)
            }
            Op::Convolution(_) | Op::Pointwise | Op::Depthwise(_) => {
                self.convolve(recording, x, node, self.folded_into(index, mode))
            }
            Op::BatchNorm(activation) => match mode {
                Mode::Train { momentum } => {
                    let shape = self.batch_norm(node);
                    let running = self.layout.running(self.running, self.graph, node);
                    let saved = batch_norm::batch_statistics(recording, x, running, shape, momentum);
                    trace.normalisers.insert(index, saved);
                    batch_norm::forward(recording, x, saved, self.affine(node), shape)
                }
                Mode::Folded { backward: true } if activation != Activation::Identity => {
                    activation::forward(recording, x, activation)
                }
                Mode::Folded { .. } => x,
            },
            Op::GlobalAveragePool => {
                let extent = self.graph.extent(node.inputs[0]);
                pool::forward(recording, x, self.batch, extent.area(), extent.c)
            }
            Op::Linear => {
                let (weight, bias) = (self.weight(node, 0), self.weight(node, 1));
                linear::forward(recording, x, weight, bias, self.linear(node), into)
            }
            Op::Activation(kind) => activation::forward(recording, x, kind),
            Op::Scale => {
                let gate = trace.values[&node.inputs[1]];
                squeeze_excite::scale(recording, x, gate, self.scale(node))
            }
            Op::Residual { drop_path: rate } => {
                let branch = trace.values[&node.inputs[1]];
                match self.mask(recording, trace, index, mode, keys, (1, rate)) {
                    Some(factor) => drop_path::forward(recording, x, branch, factor),
                    None => residual::add(recording, x, branch),
                }
            }
            Op::Dropout { rate } => {
                let elements = self.graph.extent(node.output).c;
                match self.mask(recording, trace, index, mode, keys, (elements, rate)) {
                    Some(mask) => dropout::apply(recording, x, mask),
                    None => x,
                }
            }
        }
    }

    /// The shift and activation of the folded batch-norm after the convolution `index`.
    fn folded_into(&self, index: usize, mode: Mode) -> Option<Folded> {
        let Mode::Folded { backward } = mode else { return None };
        let batch_norm = &self.graph.nodes[index + 1];
        let Op::BatchNorm(activation) = batch_norm.op else {
            unreachable!("{} has a batch-norm behind it", self.graph.nodes[index].name)
        };
        let activation = if backward { Activation::Identity } else { activation };
        Some(Folded { affine: self.affine(batch_norm), activation })
    }

    fn convolve(&self, recording: &mut Recording, x: Tensor, node: &Node, folded: Option<Folded>) -> Tensor {
        let weight = self.weight(node, 0);
        match (node.op, folded) {
            (Op::Pointwise, None) => pointwise::forward(recording, x, weight, self.product(node)),
            (Op::Pointwise, Some(by)) => {
                pointwise::forward_folded(recording, x, weight, by, self.product(node))
            }
            (Op::Depthwise(_), None) => depthwise::forward(recording, x, weight, self.depthwise(node)),
            (Op::Depthwise(_), Some(by)) => {
                depthwise::forward_folded(recording, x, weight, by, self.depthwise(node))
            }
            (_, None) => convolution::forward(recording, x, weight, self.dense(node)),
            (_, Some(by)) => convolution::forward_folded(recording, x, weight, by, self.dense(node)),
        }
    }

    /// The mask of the node, drawn once for each trace; `what` is its elements per picture and its rate.
    fn mask(
        &self,
        recording: &mut Recording,
        trace: &mut Trace,
        index: usize,
        mode: Mode,
        keys: Option<Tensor>,
        (elements, rate): (usize, f32),
    ) -> Option<Tensor> {
        let keys = keys.filter(|_| rate > 0.0 && matches!(mode, Mode::Train { .. }))?;
        let draw = || mask::draw(recording, keys, self.batch, elements, index, rate);
        Some(*trace.masks.entry(index).or_insert_with(draw))
    }

    /// `value` of the forward pass, kept or recomputed. `again` holds what this backward pass has
    /// recomputed so far.
    fn activation(
        &self,
        recording: &mut Recording,
        trace: &Trace,
        again: &mut HashMap<ValueId, Tensor>,
        value: ValueId,
    ) -> Tensor {
        let kept = trace.values[&value];
        if self.activations == Activations::Kept
            || value == self.graph.input
            || trace.perturbed.contains_key(&value)
        {
            return kept;
        }
        if let Some(&tensor) = again.get(&value) {
            return tensor;
        }
        let index = self.producer(value);
        let node = &self.graph.nodes[index];
        let tensor = match node.op {
            Op::BatchNorm(_) => {
                let x = trace.values[&node.inputs[0]];
                let statistics = trace.normalisers[&index];
                batch_norm::forward(recording, x, statistics, self.affine(node), self.batch_norm(node))
            }
            Op::Scale => {
                let x = self.activation(recording, trace, again, node.inputs[0]);
                let gate = trace.values[&node.inputs[1]];
                squeeze_excite::scale(recording, x, gate, self.scale(node))
            }
            _ => return kept,
        };
        again.insert(value, tensor);
        tensor
    }

    /// The gradients of the node's inputs. Those of its parameters are written to `wanted`.
    fn backward_node(
        &self,
        recording: &mut Recording,
        trace: &Trace,
        again: &mut HashMap<ValueId, Tensor>,
        index: usize,
        dy: Tensor,
        wanted: Wanted,
    ) -> Vec<(ValueId, Tensor)> {
        let node = &self.graph.nodes[index];
        let input = node.inputs[0];
        let mut x = |recording: &mut Recording| self.activation(recording, trace, again, input);
        let gradient = |position: usize| {
            let flat = wanted.weights?;
            Some(self.layout.param(flat, self.graph, node.params[position]))
        };
        match node.op {
            Op::Normalise => {
                if let Some(dx) = wanted.pixels {
                    pixels::backward_input(recording, dy, self.graph.architecture.std, dx);
                }
                vec![]
            }
            Op::Convolution(_) => {
                let shape = self.dense(node);
                if let Some(gradient) = gradient(0) {
                    let x = x(recording);
                    convolution::backward_weight(recording, x, dy, shape, gradient);
                }
                // The input of the stem is pixels.
                if wanted.pixels.is_none() {
                    return vec![];
                }
                vec![(input, convolution::backward_input(recording, dy, self.weight(node, 0), shape))]
            }
            Op::Pointwise => {
                let shape = self.product(node);
                if let Some(gradient) = gradient(0) {
                    let x = x(recording);
                    pointwise::backward_weight(recording, x, dy, shape, gradient);
                }
                vec![(input, pointwise::backward_input(recording, dy, self.weight(node, 0), shape))]
            }
            Op::Depthwise(_) => {
                let shape = self.depthwise(node);
                if let Some(gradient) = gradient(0) {
                    let x = x(recording);
                    depthwise::backward_weight(recording, x, dy, shape, gradient);
                }
                vec![(input, depthwise::backward_input(recording, dy, self.weight(node, 0), shape))]
            }
            Op::BatchNorm(_) => vec![(input, self.backward_batch_norm(recording, trace, index, dy, wanted))],
            Op::GlobalAveragePool => {
                let extent = self.graph.extent(input);
                vec![(input, pool::backward(recording, dy, self.batch, extent.area(), extent.c))]
            }
            Op::Linear => {
                let shape = self.linear(node);
                if let (Some(weight), Some(bias)) = (gradient(0), gradient(1)) {
                    let x = x(recording);
                    linear::backward_weight(recording, x, dy, shape, weight);
                    linear::backward_bias(recording, dy, shape, bias);
                }
                vec![(input, linear::backward_input(recording, dy, self.weight(node, 0), shape))]
            }
            Op::Activation(kind) => {
                let x = x(recording);
                vec![(input, activation::backward(recording, x, dy, kind))]
            }
            Op::Scale => {
                let (gate, shape) = (node.inputs[1], self.scale(node));
                let x = x(recording);
                let dgate = squeeze_excite::backward_gate(recording, x, dy, shape);
                let dx = squeeze_excite::scale(recording, dy, trace.values[&gate], shape);
                vec![(input, dx), (gate, dgate)]
            }
            Op::Residual { .. } => {
                let dbranch = match trace.masks.get(&index) {
                    Some(&factor) => drop_path::backward_branch(recording, dy, factor),
                    None => dy,
                };
                vec![(input, dy), (node.inputs[1], dbranch)]
            }
            Op::Dropout { .. } => match trace.masks.get(&index) {
                Some(&mask) => vec![(input, dropout::apply(recording, dy, mask))],
                None => vec![(input, dy)],
            },
        }
    }

    fn backward_batch_norm(
        &self,
        recording: &mut Recording,
        trace: &Trace,
        index: usize,
        dy: Tensor,
        wanted: Wanted,
    ) -> Tensor {
        let node = &self.graph.nodes[index];
        let shape = self.batch_norm(node);
        if trace.folded {
            return match shape.activation {
                Activation::Identity => dy,
                kind => activation::backward(recording, trace.values[&node.inputs[0]], dy, kind),
            };
        }
        let saved = batch_norm::Saved {
            x: trace.values[&node.inputs[0]],
            statistics: trace.normalisers[&index],
            affine: self.affine(node),
        };
        let gradient = wanted.weights.map(|flat| self.layout.affine(flat, self.graph, node));
        let sums = batch_norm::backward_affine(recording, saved, dy, shape, gradient);
        batch_norm::backward_input(recording, saved, dy, sums, shape)
    }

    fn weight(&self, node: &Node, position: usize) -> Tensor {
        self.layout.param(self.params, self.graph, node.params[position])
    }

    fn affine(&self, node: &Node) -> Tensor {
        self.layout.affine(self.params, self.graph, node)
    }

    fn dense(&self, node: &Node) -> convolution::Shape {
        let Op::Convolution(window) = node.op else { unreachable!("asked of a dense convolution") };
        let (ci, co) = self.channels(node);
        convolution::Shape { n: self.batch, window, ci, co }
    }

    fn depthwise(&self, node: &Node) -> depthwise::Shape {
        let Op::Depthwise(window) = node.op else { unreachable!("asked of a depthwise convolution") };
        depthwise::Shape { n: self.batch, window, c: self.channels(node).0 }
    }

    fn product(&self, node: &Node) -> pointwise::Shape {
        let (k, n) = self.channels(node);
        pointwise::Shape { m: self.batch * self.graph.extent(node.output).area(), k, n }
    }

    fn linear(&self, node: &Node) -> linear::Shape {
        let (k, m) = self.channels(node);
        linear::Shape { n: self.batch, k, m }
    }

    fn scale(&self, node: &Node) -> squeeze_excite::Shape {
        let extent = self.graph.extent(node.output);
        squeeze_excite::Shape { n: self.batch, area: extent.area(), channels: extent.c }
    }

    fn batch_norm(&self, node: &Node) -> batch_norm::Shape {
        let Op::BatchNorm(activation) = node.op else { unreachable!("asked of a batch-norm") };
        let extent = self.graph.extent(node.output);
        let eps = self.graph.architecture.bn_eps;
        batch_norm::Shape { rows: self.batch * extent.area(), channels: extent.c, activation, eps }
    }

    fn channels(&self, node: &Node) -> (usize, usize) {
        (self.graph.extent(node.inputs[0]).c, self.graph.extent(node.output).c)
    }
}
