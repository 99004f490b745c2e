//! A network in f64 over the same [`Graph`] as the GPU's plans and the ONNX writer, node by node with
//! the reference ops.

use super::batch_norm;
use super::cross_entropy;
use super::feature_statistics::{self, Tap};
use super::moments::Moments;
use crate::model::graph::{Graph, ValueId};
use crate::model::weights::from_device_layout;
pub use parts::{Mode, Network, Perturbation, State, Trace};
use step::Step;

/// torch's default: the weight of a new batch in the running statistics.
pub const MOMENTUM: f64 = 0.1;

/// The gradient of a loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// With respect to every learned tensor, in torch's order, by `ParamId`.
    pub params: Vec<Vec<f64>>,
    /// With respect to every value, by `ValueId`; at a perturbed tap the perturbed one.
    pub values: Vec<Vec<f64>>,
}

/// The labels of a batch and the weights of its losses.
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

impl Network<'_> {
    /// Pixels [N, res, res, 3] in \[0, 1\] -> every value.
    pub fn forward(&self, pixels: &[f64]) -> Trace {
        let mut trace = self.start(pixels);
        for index in 0..self.graph.nodes.len() {
            self.extend(&mut trace, index);
        }
        trace
    }

    /// A trace that holds the pixels [N, res, res, 3] and no other value yet.
    pub fn start(&self, pixels: &[f64]) -> Trace {
        let image = self.graph.extent(self.graph.input).len();
        assert_eq!(pixels.len() % image, 0, "pixels are [N, res, res, 3]");
        let mut trace = Trace {
            n: pixels.len() / image,
            values: vec![Vec::new(); self.graph.values.len()],
            unperturbed: vec![Vec::new(); self.perturbation.map_or(0, |moved| moved.taps.len())],
            moments: Vec::new(),
        };
        trace.values[self.graph.input.0] = pixels.to_vec();
        trace
    }

    /// The value of node `index`, before any perturbation, from the values of the nodes before it.
    pub fn value(&self, trace: &Trace, index: usize) -> Vec<f64> {
        Step::new(self, trace, index).forward().0
    }

    /// Adds the value of node `index` to a trace that holds those of the nodes before it.
    pub fn extend(&self, trace: &mut Trace, index: usize) {
        let (mut y, moments) = Step::new(self, trace, index).forward();
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

    /// The gradient of the loss whose gradient with respect to the logits is `dlogits` \[N\], at the
    /// values of `trace`.
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

    /// The perturbation at `value` and its index in the list of taps; none if there is none.
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

#[cfg(test)]
mod exported;
mod parts;
mod step;
#[cfg(test)]
pub(crate) mod tests;
