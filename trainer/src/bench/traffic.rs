//! A lower bound of the memory traffic of a step: every tensor of the network and of its backward
//! pass is written once and read once by each consumer, and ops are not fused. A plan also has
//! repeated reads (a batch-norm reads its input for the statistics and for the output), copies and
//! partial sums.

use super::Work;
use crate::arms::Method;
use crate::arms::gradient_regularization::GradientRegularization;
use crate::model::arch::Activation;
use crate::model::graph::{Graph, Node, Op, ValueId};

/// The part of a network that a pass covers, and the gradients that it computes.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// The first node.
    start: usize,
    /// Whether the backward pass computes the gradients of the weights.
    weights: bool,
    /// Whether it computes the gradient of the pixels.
    pixels: bool,
}

/// The least bytes that a step of `work` on `batch` pictures reads and writes; `masks` says whether
/// dropout and drop-path are on.
pub fn lower_bound(graph: &Graph, batch: usize, work: &Work, masks: bool) -> u64 {
    let count = Count { graph, batch, masks, folded: false };
    // A pixel comes as a u32 and becomes four floats.
    let fed = batch * graph.res * graph.res + count.value(graph.input);
    let learned: usize = graph.params.iter().map(|param| param.len()).sum();
    // AdamW: gradient, weight and two moments read; weight and moments written.
    let moved = 7 * learned;
    let values = match work {
        Work::InputGradient => Count { masks: false, folded: true, ..count }.input_gradient(),
        Work::Training(method) => fed + count.training(method) + moved,
    };
    4 * values as u64
}

/// Counts values of four bytes.
#[derive(Clone, Copy)]
struct Count<'a> {
    graph: &'a Graph,
    batch: usize,
    masks: bool,
    /// Whether batch-norms are folded into the weights, so that only their activations are left.
    folded: bool,
}

/// The backward pass of a plain step.
const WHOLE: Pass = Pass { start: 0, weights: true, pixels: false };
/// A backward pass for the gradient of the pixels.
const TO_PIXELS: Pass = Pass { start: 0, weights: false, pixels: true };

impl Count<'_> {
    fn learned(&self) -> usize {
        self.graph.params.iter().map(|param| param.len()).sum()
    }

    /// Forward and backward pass to the pixels.
    fn input_gradient(&self) -> usize {
        self.forward(0) + self.backward(TO_PIXELS)
    }

    fn plain(&self) -> usize {
        self.forward(0) + self.backward(WHOLE)
    }

    /// A second gradient of the weights is read, and added to the first.
    fn added(&self) -> usize {
        3 * self.learned()
    }

    /// The gradient of a step's weights.
    fn training(&self, method: &Method) -> usize {
        match method {
            Method::Baseline | Method::ComputeMatched(_) => self.plain(),
            Method::Gr(settings) => self.forward(0) + self.regularised(settings),
            // The norm reads the gradient; the ascent reads it and the weights and writes a copy.
            Method::Sam(_) => 2 * self.plain() + 4 * self.learned(),
            Method::Gnp(settings) => {
                let mixed = if settings.alpha == 1.0 { 0 } else { self.added() };
                2 * self.plain() + 4 * self.learned() + mixed
            }
            Method::InputGr(_) => {
                // The norm reads the gradient; the move reads it and the pixels and writes others.
                let moved = 4 * self.value(self.graph.input);
                self.forward(0)
                    + self.backward(TO_PIXELS)
                    + moved
                    + self.plain()
                    + self.backward(WHOLE)
                    + self.added()
            }
            Method::Dsu(settings) => self.plain() + self.perturbed(&settings.taps, 1),
            Method::Mixstyle(settings) => self.plain() + self.perturbed(&settings.taps, 1),
            Method::At(settings) => {
                let step = match &settings.gr {
                    Some(gr) => self.forward(0) + self.regularised(gr),
                    None => self.plain(),
                };
                self.crafted(settings.steps) + step
            }
            Method::Trades(settings) => {
                let folded = Count { masks: false, folded: true, ..*self };
                let step = match &settings.gr {
                    Some(gr) => self.forward(0) + self.regularised(gr) + self.backward(WHOLE) + self.added(),
                    None => self.plain(),
                };
                self.crafted(settings.steps) + folded.forward(0) + step + self.plain() + self.added()
            }
        }
    }

    /// Adversarial pictures: the weights are folded; a start reads and writes pictures, a step of the
    /// attack reads three and writes one.
    fn crafted(&self, steps: usize) -> usize {
        let folded = Count { masks: false, folded: true, ..*self };
        let pixels = self.value(self.graph.input);
        2 * self.learned() + 2 * pixels + steps * (folded.input_gradient() + 4 * pixels)
    }

    /// The backward pass of the first pass of gradient regularization, and its second pass.
    fn regularised(&self, settings: &GradientRegularization) -> usize {
        let made = |&tap: &usize| {
            let value = self.graph.features[tap];
            self.graph.nodes.iter().position(|node| node.output == value)
        };
        let first = settings.taps.iter().filter_map(made).min().expect("a tap is made by a node") + 1;
        let plain = settings.alpha != 1.0;
        let search = Pass { start: if plain { 0 } else { first }, weights: plain, pixels: false };
        // The gradient of a tap's statistics reads its features and their gradient.
        let perturbed = self.perturbed(&settings.taps, 2);
        let mixed = if plain { self.added() } else { 0 };
        self.backward(search) + self.forward(first) + self.backward(WHOLE) + perturbed + mixed
    }

    /// Perturbed taps, whose statistics read `reads` tensors. The perturbation reads and writes the features;
    /// its backward pass reads both and writes one.
    fn perturbed(&self, taps: &[usize], reads: usize) -> usize {
        taps.iter().map(|&tap| (reads + 2 + 3) * self.value(self.graph.features[tap])).sum()
    }

    fn value(&self, value: ValueId) -> usize {
        let extent = self.graph.extent(value);
        // Pixels have a fourth lane.
        let channels = if value == self.graph.input { 4 } else { extent.c };
        self.batch * extent.area() * channels
    }

    fn inputs(&self, node: &Node) -> usize {
        node.inputs.iter().map(|&input| self.value(input)).sum()
    }

    fn params(&self, node: &Node) -> usize {
        node.params.iter().map(|param| self.graph.params[param.0].len()).sum()
    }

    /// Whether the node returns its only input unchanged.
    fn is_idle(&self, node: &Node) -> bool {
        match node.op {
            Op::Dropout { .. } => !self.masks,
            Op::BatchNorm(activation) => self.folded && activation == Activation::Identity,
            _ => false,
        }
    }

    fn forward(&self, start: usize) -> usize {
        let nodes = self.graph.nodes[start..].iter().filter(|node| !self.is_idle(node));
        nodes.map(|node| self.inputs(node) + self.params(node) + self.value(node.output)).sum()
    }

    fn backward(&self, pass: Pass) -> usize {
        let nodes = &self.graph.nodes[pass.start..];
        let each: usize = nodes.iter().map(|node| self.node_backward(node, pass)).sum();
        each + self.joined(nodes)
    }

    /// Traffic of the sums of gradients, for values with several consumers.
    fn joined(&self, nodes: &[Node]) -> usize {
        let made = nodes.iter().map(|node| node.output);
        let readers = |value: ValueId| nodes.iter().filter(|node| node.inputs.contains(&value)).count();
        made.map(|value| readers(value).saturating_sub(1) * self.value(value)).sum()
    }

    fn node_backward(&self, node: &Node, pass: Pass) -> usize {
        if self.is_idle(node) {
            return 0;
        }
        let (dy, x) = (self.value(node.output), self.inputs(node));
        match node.op {
            Op::Normalise => match pass.pixels {
                true => dy + x,
                false => 0,
            },
            Op::Convolution(_) | Op::Pointwise | Op::Depthwise(_) | Op::Linear => {
                let reads_pixels = matches!(node.op, Op::Convolution(_));
                let weights = if pass.weights { x + self.params(node) } else { 0 };
                let input = if pass.pixels || !reads_pixels { self.params(node) + x } else { 0 };
                dy + weights + input
            }
            Op::BatchNorm(_) | Op::Activation(_) | Op::Scale => x + dy + x,
            Op::GlobalAveragePool => dy + x,
            // The gradient of a sum is that of both inputs; a branch with drop-path needs its own.
            Op::Residual { drop_path } if self.masks && drop_path > 0.0 => 2 * dy,
            Op::Residual { .. } => 0,
            Op::Dropout { .. } => dy + x,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arms::{NAMES, step};
    use crate::model::arch::ARCHITECTURES;
    use crate::plan::input_gradient;
    use crate::plan::layout::Layout;
    use crate::train::settings::Settings;
    use dfrt_runtime::detector::oracle::AttackLoss;

    #[test]
    fn plans_stay_near_the_bound() {
        for architecture in ARCHITECTURES {
            for (res, batch) in [(64, 8), (224, 32)] {
                let graph = Graph::new(architecture, res).unwrap();
                let layout = Layout::new(&graph);
                for name in NAMES.into_iter().chain(["input-gradient"]) {
                    let work: Work = name.parse().unwrap();
                    let (recording, masks) = match &work {
                        Work::Training(method) => {
                            let settings = Settings { method: method.clone(), ..Settings::default() }.step();
                            (step::record(&graph, &layout, batch, &settings), settings.masks)
                        }
                        Work::InputGradient => {
                            (input_gradient::record(&graph, &layout, batch, AttackLoss::CrossEntropy), false)
                        }
                    };
                    let bound = lower_bound(&graph, batch, &work, masks);
                    let ratio = recording.traffic() as f64 / bound as f64;
                    println!("{} {res} {batch} {name}: {ratio:.3} of {} MB", architecture.name, bound >> 20);
                    assert!((1.0..1.5).contains(&ratio), "{} {res} px, {name}: {ratio}", architecture.name);
                }
            }
        }
    }
}
