//! One node at work: its op forward and backward, with shapes taken from the graph.

use super::parts::{Mode, Network, Trace};
use crate::model::arch;
use crate::model::graph::{self, Node, Op};
use crate::model::weights::to_device_layout;
use crate::reference::activation::{self, Activation};
use crate::reference::batch_norm::{self, BatchNorm};
use crate::reference::convolution::{self, Window};
use crate::reference::depthwise;
use crate::reference::drop_path::{self, DropPath};
use crate::reference::dropout;
use crate::reference::linear::{self, Linear};
use crate::reference::moments::Moments;
use crate::reference::pixels::{self, Normalisation};
use crate::reference::pointwise::{self, Product};
use crate::reference::pool::{self, Pool};
use crate::reference::squeeze_excite::{self, Scale};

/// One node at work.
pub(super) struct Step<'a> {
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
    pub(super) fn new(network: &'a Network<'a>, trace: &'a Trace, index: usize) -> Self {
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
    pub(super) fn forward(&self) -> (Vec<f64>, Option<Moments>) {
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
    pub(super) fn backward(&self, dy: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
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
