//! A step of gradient regularization (Guan et al., IEEE TIFS 2024) in f64: two
//! passes, the second with the taps' statistics moved by `r` along their gradient.

use super::batch_norm::Moments;
use super::feature_statistics::{self, Flow, Norm, Sharing, Statistics};
use super::network::{Gradients, Labels, Mode, Network, Perturbation, State, Trace, tap};
use crate::model::graph::Graph;

/// How the regularised gradient is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where statistics are perturbed: indices into [`Graph::features`].
    pub taps: Vec<usize>,
    /// The length of the perturbation.
    pub r: f64,
    /// The share of the second pass's gradient: lambda / r.
    pub alpha: f64,
    /// Whether pass 2's gradient goes through mu and sigma.
    pub flow: Flow,
    /// Whether a perturbation is shared over the batch.
    pub sharing: Sharing,
    /// Over what the gradient's norm is taken.
    pub norm: Norm,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            taps: vec![0, 1, 2],
            r: 0.1,
            alpha: 1.0,
            flow: Flow::Through,
            sharing: Sharing::Batch,
            norm: Norm::Joint,
        }
    }
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Regularised {
    /// dL/dmu and dL/dsigma of pass 1 at each tap.
    pub statistics_gradients: Vec<Statistics>,
    /// dmu and dsigma at each tap, of length r.
    pub deltas: Vec<Statistics>,
    /// The losses of both passes.
    pub losses: [f64; 2],
    /// (1 - alpha) * g1 + alpha * g2 for every learned tensor, in torch's order.
    pub gradient: Vec<Vec<f64>>,
    /// The running statistics, moved by pass 1 only.
    pub running: Vec<Moments>,
}

/// One step over pixels [N, res, res, 3]. Both passes have the same `mode`, and so the
/// same masks.
pub fn step(
    graph: &Graph,
    state: &State,
    mode: Mode<'_>,
    pixels: &[f64],
    labels: &Labels<'_>,
    options: &Options,
) -> Regularised {
    let first = Network { graph, state, mode, perturbation: None };
    let (trace, loss1, g1) = pass(&first, pixels, labels);
    let statistics_gradients = statistics_gradients(&first, &trace, &g1, options);
    let deltas = feature_statistics::scaled_to(options.r, &statistics_gradients, options.norm);
    let perturbation = Perturbation {
        taps: options.taps.clone(),
        deltas: deltas.clone(),
        sharing: options.sharing,
        flow: options.flow,
    };
    let second = Network { perturbation: Some(&perturbation), ..first };
    let (_, loss2, g2) = pass(&second, pixels, labels);
    Regularised {
        statistics_gradients,
        deltas,
        losses: [loss1, loss2],
        gradient: g1.params.iter().zip(&g2.params).map(|(g1, g2)| mixed(options.alpha, g1, g2)).collect(),
        running: first.updated_running(&trace),
    }
}

/// The gradients with respect to the statistics at the taps of a pass in which they
/// were not perturbed.
pub fn statistics_gradients(
    network: &Network<'_>,
    trace: &Trace,
    gradients: &Gradients,
    options: &Options,
) -> Vec<Statistics> {
    let at_tap = |&feature: &usize| {
        let value = network.graph.features[feature];
        let tap = tap(network.graph, value, trace.n);
        let (f, df) = (&trace.values[value.0], &gradients.values[value.0]);
        feature_statistics::gradients(&tap, f, df, options.sharing)
    };
    options.taps.iter().map(at_tap).collect()
}

fn pass(network: &Network<'_>, pixels: &[f64], labels: &Labels<'_>) -> (Trace, f64, Gradients) {
    let trace = network.forward(pixels);
    let logits = trace.logits(network.graph);
    let (loss, dlogits) = (labels.loss(logits), labels.loss_gradient(logits));
    let gradients = network.backward(&trace, &dlogits);
    (trace, loss, gradients)
}

/// (1 - alpha) * g1 + alpha * g2.
fn mixed(alpha: f64, g1: &[f64], g2: &[f64]) -> Vec<f64> {
    g1.iter().zip(g2).map(|(g1, g2)| (1.0 - alpha) * g1 + alpha * g2).collect()
}
