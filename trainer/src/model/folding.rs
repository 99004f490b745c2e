//! Batch-norms folded into the convolutions before them, for passes with running
//! statistics: gamma (W x - mean) / deviation + beta = (gamma / deviation) W x + shift.

use super::graph::{Graph, Node, Op};
use super::weights::{Running, Weights};

/// The convolution that a batch-norm reads.
///
/// # Panics
/// The batch-norm reads another op, which no [`Graph`] has.
pub fn convolution_of<'a>(graph: &'a Graph, batch_norm: &Node) -> &'a Node {
    let made = graph.nodes.iter().find(|node| node.output == batch_norm.inputs[0]);
    let convolution = made.expect("a node makes the input of a batch-norm");
    let folds = matches!(convolution.op, Op::Convolution(_) | Op::Pointwise | Op::Depthwise(_));
    assert!(folds, "{} reads a convolution", batch_norm.name);
    convolution
}

impl Weights {
    /// Weights of the same network with the same logits under running statistics: every
    /// convolution's output channels scaled, every batch-norm's mean 0, its deviation and
    /// gamma 1, its beta the shift. Computed in f64.
    pub fn folded(&self, graph: &Graph) -> Self {
        let mut folded = self.clone();
        let eps = graph.architecture.bn_eps;
        for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::BatchNorm(_))) {
            let [gamma, beta] = node.params[..] else { panic!("{} has gamma and beta", node.name) };
            let statistics = node.statistics.expect("a batch-norm has statistics");
            let running = &self.running[statistics];
            let weight = convolution_of(graph, node).params[0];
            // torch's shape has the output channels first.
            let channels = running.mean.len();
            let channel = self.params[weight.0].len() / channels;
            for index in 0..channels {
                let number = |values: &[f32]| f64::from(values[index]);
                let deviation = (number(&running.var) + f64::from(eps)).sqrt();
                let scale = number(&self.params[gamma.0]) / deviation;
                let shift = number(&self.params[beta.0]) - number(&running.mean) * scale;
                let values = &mut folded.params[weight.0][index * channel..(index + 1) * channel];
                values.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
                folded.params[beta.0][index] = shift as f32;
            }
            folded.params[gamma.0].fill(1.0);
            folded.running[statistics] =
                Running { mean: vec![0.0; channels], var: vec![1.0 - eps; channels] };
        }
        folded
    }
}
