//! The whole network in f64, walking the same [`Graph`] as the GPU's plans and the
//! ONNX writer, node by node over the reference ops.

use super::activation::{self, Activation};
use super::batch_norm::{self, BatchNorm, Moments};
use super::convolution::{self, Window};
use super::cross_entropy;
use super::depthwise;
use super::drop_path::{self, DropPath};
use super::dropout;
use super::feature_statistics::{self, Flow, Sharing, Statistics, Tap};
use super::linear::{self, Linear};
use super::pixels::{self, Normalisation};
use super::pointwise::{self, Product};
use super::pool::{self, Pool};
use super::squeeze_excite::{self, Scale};
use crate::model::arch;
use crate::model::graph::{self, Graph, Node, Op, ValueId};
use crate::model::weights::{Weights, from_device_layout, to_device_layout};

/// torch's default: the weight of a new batch in the running statistics.
pub const MOMENTUM: f64 = 0.1;

/// Weights in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The learned tensors in torch's order, by `ParamId`.
    pub params: Vec<Vec<f64>>,
    /// The running statistics of each batch-norm.
    pub running: Vec<Moments>,
}

impl From<&Weights> for State {
    fn from(weights: &Weights) -> Self {
        let wide = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value)).collect();
        let moments = |running: &crate::model::weights::Running| Moments {
            mean: wide(&running.mean),
            var: wide(&running.var),
        };
        Self {
            params: weights.params.iter().map(wide).collect(),
            running: weights.running.iter().map(moments).collect(),
        }
    }
}

/// How batch-norms, dropout and drop-path behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode<'a> {
    /// Batch-norms use the batch's own moments.
    Train {
        /// One key an image for the masks of dropout and drop-path ([`super::random`]),
        /// the op's number being the node's place in `graph.nodes`; none without masks.
        masks: Option<&'a [u64]>,
    },
    /// Batch-norms use the running statistics; no masks.
    Eval,
}

/// Statistics moved at some taps in the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Perturbation {
    /// Indices into [`Graph::features`].
    pub taps: Vec<usize>,
    /// dmu and dsigma for each of the taps.
    pub deltas: Vec<Statistics>,
    /// Whether they are shared over the batch.
    pub sharing: Sharing,
    /// Whether the backward pass goes through mu and sigma.
    pub flow: Flow,
}

/// A forward pass, with what the backward pass needs of it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// N: images.
    pub n: usize,
    /// Every value [N, H, W, C] as its readers see it, by `ValueId`: at a tap, perturbed.
    pub values: Vec<Vec<f64>>,
    /// The features at each tap of the perturbation before it.
    pub unperturbed: Vec<Vec<f64>>,
    /// The moments that each batch-norm normalised by: the batch's or the running ones.
    pub moments: Vec<Moments>,
}

/// The gradient of a loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// With respect to every learned tensor, in torch's order, by `ParamId`.
    pub params: Vec<Vec<f64>>,
    /// With respect to every value as its readers see it, by `ValueId`.
    pub values: Vec<Vec<f64>>,
}

/// What a batch should be called.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// 0 real, 1 fake, \[N\].
    pub targets: &'a [f64],
    /// The weight of each image's loss, \[N\].
    pub weights: &'a [f64],
}

impl Labels<'_> {
    /// The mean of the weighted cross-entropies of logits \[N\].
    pub fn loss(&self, logits: &[f64]) -> f64 {
        cross_entropy::mean(&cross_entropy::forward(logits, self.targets, self.weights))
    }

    /// The gradient of [`Labels::loss`] with respect to the logits, \[N\].
    pub fn loss_gradient(&self, logits: &[f64]) -> Vec<f64> {
        cross_entropy::backward(logits, self.targets, self.weights)
    }
}

/// A network at work: the graph, its weights, a mode, and statistics perturbed or not.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// The steps.
    pub graph: &'a Graph,
    /// The weights.
    pub state: &'a State,
    /// Training or not.
    pub mode: Mode<'a>,
    /// What is moved at the taps.
    pub perturbation: Option<&'a Perturbation>,
}

impl Trace {
    /// The logits, \[N\].
    pub fn logits(&self, graph: &Graph) -> &[f64] {
        &self.values[graph.logit.0]
    }
}

impl Network<'_> {
    /// Pixels [N, res, res, 3] in \[0, 1\] -> every value.
    pub fn forward(&self, pixels: &[f64]) -> Trace {
        let image = self.graph.extent(self.graph.input).len();
        assert_eq!(pixels.len() % image, 0, "pixels are [N, res, res, 3]");
        let mut trace = Trace {
            n: pixels.len() / image,
            values: vec![Vec::new(); self.graph.values.len()],
            unperturbed: vec![Vec::new(); self.perturbation.map_or(0, |moved| moved.taps.len())],
            moments: Vec::new(),
        };
        trace.values[self.graph.input.0] = pixels.to_vec();
        for index in 0..self.graph.nodes.len() {
            let step = Step::new(self, &trace, index);
            let (mut y, moments) = step.forward();
            trace.moments.extend(moments);
            let output = self.graph.nodes[index].output;
            if let Some((place, perturbation)) = self.perturbed(output) {
                let tap = tap(self.graph, output, trace.n);
                let moved = &perturbation.deltas[place];
                let perturbed = feature_statistics::perturb(&tap, &y, moved, perturbation.sharing);
                trace.unperturbed[place] = std::mem::replace(&mut y, perturbed);
            }
            trace.values[output.0] = y;
        }
        trace
    }

    /// The gradient of the loss whose gradient with respect to the logits is
    /// `dlogits` \[N\], at the point `trace`.
    pub fn backward(&self, trace: &Trace, dlogits: &[f64]) -> Gradients {
        assert_eq!(dlogits.len(), trace.n, "dlogits is [N]");
        let zeros = |values: &Vec<f64>| vec![0.0; values.len()];
        let mut gradients = Gradients {
            params: self.state.params.iter().map(zeros).collect(),
            values: trace.values.iter().map(zeros).collect(),
        };
        gradients.values[self.graph.logit.0] = dlogits.to_vec();
        for (index, node) in self.graph.nodes.iter().enumerate().rev() {
            let dy = self.before_perturbation(trace, node.output, &gradients.values[node.output.0]);
            let (dinputs, dparams) = Step::new(self, trace, index).backward(&dy);
            for (input, dinput) in node.inputs.iter().zip(dinputs) {
                add(&mut gradients.values[input.0], &dinput);
            }
            for (&id, dparam) in node.params.iter().zip(dparams) {
                add(&mut gradients.params[id.0], &from_device_layout(&self.graph.params[id.0], &dparam));
            }
        }
        gradients
    }

    /// The running statistics after the training pass `trace`.
    pub fn updated_running(&self, trace: &Trace) -> Vec<Moments> {
        let mut running = self.state.running.clone();
        for node in &self.graph.nodes {
            if let Some(place) = node.statistics {
                let positions = trace.n * self.graph.extent(node.output).area();
                let batch = &trace.moments[place];
                batch_norm::update_running(&mut running[place], batch, positions, MOMENTUM);
            }
        }
        running
    }

    /// The perturbation's tap at `value`, if there is one, by its place in the list.
    fn perturbed(&self, value: ValueId) -> Option<(usize, &Perturbation)> {
        let perturbation = self.perturbation?;
        let place = perturbation.taps.iter().position(|&tap| self.graph.features[tap] == value)?;
        Some((place, perturbation))
    }

    /// df' -> df where `value` is a perturbed tap, and dy elsewhere.
    fn before_perturbation(&self, trace: &Trace, value: ValueId, dy: &[f64]) -> Vec<f64> {
        let Some((place, Perturbation { deltas, sharing, flow, .. })) = self.perturbed(value) else {
            return dy.to_vec();
        };
        let tap = tap(self.graph, value, trace.n);
        feature_statistics::backward(&tap, &trace.unperturbed[place], dy, &deltas[place], *sharing, *flow)
    }
}

/// The shape of a value of `n` images, as a tap.
pub fn tap(graph: &Graph, value: ValueId, n: usize) -> Tap {
    let extent = graph.extent(value);
    Tap { n, s: extent.area(), c: extent.c }
}

fn add(to: &mut [f64], from: &[f64]) {
    assert_eq!(to.len(), from.len(), "a gradient has the length of its value");
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// One node at work.
struct Step<'a> {
    network: &'a Network<'a>,
    node: &'a Node,
    /// Its place among the nodes, which numbers its masks.
    index: usize,
    /// N: images.
    n: usize,
    /// What it reads.
    inputs: Vec<&'a [f64]>,
    /// What it learned, in the device's order.
    params: Vec<Vec<f64>>,
}

impl<'a> Step<'a> {
    fn new(network: &'a Network<'a>, trace: &'a Trace, index: usize) -> Self {
        let Network { graph, state, .. } = network;
        let node = &graph.nodes[index];
        let param = |id: &graph::ParamId| to_device_layout(&graph.params[id.0], &state.params[id.0]);
        Self {
            network,
            node,
            index,
            n: trace.n,
            inputs: node.inputs.iter().map(|input| trace.values[input.0].as_slice()).collect(),
            params: node.params.iter().map(param).collect(),
        }
    }

    /// The node's value; for a batch-norm also the moments that it normalised by.
    fn forward(&self) -> (Vec<f64>, Option<Moments>) {
        let (x, params) = (self.inputs[0], &self.params);
        let y = match self.node.op {
            Op::Normalise => pixels::normalise(&self.normalisation(), x),
            Op::Convolution(window) => convolution::forward(&self.window(&window), x, &params[0]),
            Op::Pointwise => pointwise::forward(&self.product(), x, &params[0]),
            Op::Depthwise(window) => depthwise::forward(&self.window(&window), x, &params[0]),
            Op::BatchNorm(activation) => {
                let (y, moments) = self.batch_norm_forward(activation);
                return (y, Some(moments));
            }
            Op::GlobalAveragePool => pool::forward(&self.pool(), x),
            Op::Linear => linear::forward(&self.linear(), x, &params[0], &params[1]),
            Op::Activation(activation) => activation::forward(of_reference(activation), x),
            Op::Scale => squeeze_excite::scale(&self.scale(), x, self.inputs[1]),
            Op::Residual { drop_path: rate } => {
                drop_path::forward(&self.drop_path(), x, self.inputs[1], &self.drop_path_factors(rate))
            }
            Op::Dropout { rate } => dropout::forward(x, &self.dropout_factors(rate)),
        };
        (y, None)
    }

    /// The gradients of the inputs, and of the parameters in the device's order.
    fn backward(&self, dy: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let (x, params) = (self.inputs[0], &self.params);
        match self.node.op {
            Op::Normalise => (vec![pixels::normalise_backward(&self.normalisation(), dy)], vec![]),
            Op::Convolution(window) => {
                let window = self.window(&window);
                let dx = convolution::backward_input(&window, dy, &params[0]);
                (vec![dx], vec![convolution::backward_weight(&window, x, dy)])
            }
            Op::Pointwise => {
                let product = self.product();
                let dx = pointwise::backward_input(&product, dy, &params[0]);
                (vec![dx], vec![pointwise::backward_weight(&product, x, dy)])
            }
            Op::Depthwise(window) => {
                let window = self.window(&window);
                let dx = depthwise::backward_input(&window, dy, &params[0]);
                (vec![dx], vec![depthwise::backward_weight(&window, x, dy)])
            }
            Op::BatchNorm(activation) => self.batch_norm_backward(activation, dy),
            Op::GlobalAveragePool => (vec![pool::backward(&self.pool(), dy)], vec![]),
            Op::Linear => {
                let linear = self.linear();
                let dweight = linear::backward_weight(&linear, x, dy);
                let dx = linear::backward_input(&linear, dy, &params[0]);
                (vec![dx], vec![dweight, linear::backward_bias(&linear, dy)])
            }
            Op::Activation(activation) => {
                (vec![activation::backward(of_reference(activation), x, dy)], vec![])
            }
            Op::Scale => {
                let (dx, dgate) = squeeze_excite::scale_backward(&self.scale(), x, self.inputs[1], dy);
                (vec![dx, dgate], vec![])
            }
            Op::Residual { drop_path: rate } => {
                let factors = self.drop_path_factors(rate);
                let (dskip, dbranch) = drop_path::backward(&self.drop_path(), dy, &factors);
                (vec![dskip, dbranch], vec![])
            }
            Op::Dropout { rate } => (vec![dropout::backward(dy, &self.dropout_factors(rate))], vec![]),
        }
    }

    fn batch_norm_forward(&self, activation: arch::Activation) -> (Vec<f64>, Moments) {
        let layer = self.batch_norm(activation);
        match self.network.mode {
            Mode::Train { .. } => batch_norm::forward_train(&layer, self.inputs[0]),
            Mode::Eval => {
                let running = self.running();
                (batch_norm::forward_eval(&layer, self.inputs[0], running), running.clone())
            }
        }
    }

    fn batch_norm_backward(
        &self,
        activation: arch::Activation,
        dy: &[f64],
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let layer = self.batch_norm(activation);
        let gradients = match self.network.mode {
            Mode::Train { .. } => batch_norm::backward_train(&layer, self.inputs[0], dy),
            Mode::Eval => batch_norm::backward_eval(&layer, self.inputs[0], dy, self.running()),
        };
        (vec![gradients.dx], vec![gradients.dgamma, gradients.dbeta])
    }

    fn batch_norm(&self, activation: arch::Activation) -> BatchNorm<'_> {
        let extent = self.output();
        BatchNorm {
            m: self.n * extent.area(),
            c: extent.c,
            gamma: &self.params[0],
            beta: &self.params[1],
            eps: f64::from(self.network.graph.architecture.bn_eps),
            activation: of_reference(activation),
        }
    }

    fn running(&self) -> &'a Moments {
        let place = self.node.statistics.expect("a batch-norm has running statistics");
        &self.network.state.running[place]
    }

    /// One factor an image: all 1 without masks.
    fn drop_path_factors(&self, rate: f32) -> Vec<f64> {
        match self.masks() {
            Some(keys) => drop_path::factors(keys, self.op_number(), rate),
            None => vec![1.0; self.n],
        }
    }

    /// One factor an element: all 1 without masks.
    fn dropout_factors(&self, rate: f32) -> Vec<f64> {
        let c = self.output().len();
        match self.masks() {
            Some(keys) => dropout::factors(keys, c, self.op_number(), rate),
            None => vec![1.0; self.n * c],
        }
    }

    fn masks(&self) -> Option<&'a [u64]> {
        let keys = match self.network.mode {
            Mode::Train { masks } => masks?,
            Mode::Eval => return None,
        };
        assert_eq!(keys.len(), self.n, "there is one key an image");
        Some(keys)
    }

    fn op_number(&self) -> u32 {
        u32::try_from(self.index).expect("a graph has fewer than 2^32 nodes")
    }

    fn normalisation(&self) -> Normalisation {
        let arch::Architecture { mean, std, .. } = &self.network.graph.architecture;
        Normalisation { mean: mean.map(f64::from), std: std.map(f64::from) }
    }

    fn window(&self, window: &graph::Window) -> Window {
        let &graph::Window { h, w, kernel, stride, pad_top, pad_left, oh, ow, .. } = window;
        let (ci, co) = (self.input().c, self.output().c);
        Window { n: self.n, h, w, ci, co, kernel, stride, pad_top, pad_left, oh, ow }
    }

    fn product(&self) -> Product {
        Product { m: self.n * self.output().area(), k: self.input().c, n: self.output().c }
    }

    fn linear(&self) -> Linear {
        Linear { n: self.n, k: self.input().c, m: self.output().c }
    }

    fn pool(&self) -> Pool {
        Pool { n: self.n, s: self.input().area(), c: self.input().c }
    }

    fn scale(&self) -> Scale {
        Scale { n: self.n, s: self.output().area(), c: self.output().c }
    }

    fn drop_path(&self) -> DropPath {
        DropPath { n: self.n, values: self.output().len() }
    }

    fn input(&self) -> graph::Extent {
        self.network.graph.extent(self.node.inputs[0])
    }

    fn output(&self) -> graph::Extent {
        self.network.graph.extent(self.node.output)
    }
}

fn of_reference(activation: arch::Activation) -> Activation {
    match activation {
        arch::Activation::Identity => Activation::Identity,
        arch::Activation::Silu => Activation::Silu,
        arch::Activation::Relu6 => Activation::Relu6,
        arch::Activation::Sigmoid => Activation::Sigmoid,
    }
}

#[cfg(test)]
mod exported;
#[cfg(test)]
pub(crate) mod tests;
