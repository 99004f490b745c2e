//! A lower bound of the memory traffic of a step: every tensor of the network and of its backward
//! pass is written once and read once by each consumer, and ops are not fused. A plan also has
//! repeated reads (a batch-norm reads its input for the statistics and for the output), copies and
//! partial sums.

use super::Work;
use crate::arms::Method;
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
    let whole = Pass { start: 0, weights: true, pixels: false };
    // A pixel comes as a u32 and becomes four floats.
    let fed = batch * graph.res * graph.res + count.value(graph.input);
    let learned: usize = graph.params.iter().map(|param| param.len()).sum();
    // AdamW: gradient, weight and two moments read; weight and moments written.
    let moved = 7 * learned;
    let values = match work {
        Work::InputGradient => {
            let pass = Pass { start: 0, weights: false, pixels: true };
            let count = Count { masks: false, folded: true, ..count };
            count.forward(0) + count.backward(pass)
        }
        Work::Training(Method::Baseline) => fed + count.forward(0) + count.backward(whole) + moved,
        Work::Training(Method::Gr(settings)) => {
            let taps: Vec<ValueId> = settings.taps.iter().map(|&tap| graph.features[tap]).collect();
            let made = |tap: &ValueId| graph.nodes.iter().position(|node| node.output == *tap);
            let first = taps.iter().filter_map(made).min().expect("a tap is made by a node") + 1;
            let plain = settings.alpha != 1.0;
            let search = Pass { start: if plain { 0 } else { first }, weights: plain, pixels: false };
            // The gradient of a tap's statistics reads its features and their gradient. The perturbation
            // reads and writes the features; its backward pass reads both and writes one.
            let perturbed: usize = taps.iter().map(|&tap| (2 + 2 + 3) * count.value(tap)).sum();
            let mixed = if plain { 3 * learned } else { 0 };
            let passes = count.forward(0) + count.backward(search) + count.forward(first);
            fed + passes + count.backward(whole) + perturbed + mixed + moved
        }
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

impl Count<'_> {
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
    use crate::arms::step;
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
                for name in ["baseline", "gr", "input-gradient"] {
                    let work = Work::named(name).unwrap();
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
