//! A step of gradient regularization (Guan et al., IEEE TIFS 2024) in f64: two
//! passes, the second with the taps' statistics moved by `r` along their gradient.

use super::feature_statistics::{self, Flow, Norm, Sharing, Statistics};
use super::moments::Moments;
use super::network::{Gradients, Labels, Mode, Network, Perturbation, State, Trace, tap};
use crate::model::graph::Graph;

/// How the regularised gradient is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The taps: indices into [`Graph::features`].
    pub taps: Vec<usize>,
    /// The length of the perturbation.
    pub r: f64,
    /// The share of the second pass's gradient: lambda / r.
    pub alpha: f64,
    /// Whether the gradient of pass 2 differentiates mu and sigma.
    pub flow: Flow,
    /// Whether a perturbation is shared over the batch.
    pub sharing: Sharing,
    /// The gradients over which the norm is taken.
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
    let count = options.sharing.deltas(trace.n);
    let deltas = feature_statistics::scaled_to(options.r, &statistics_gradients, options.norm, count);
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

/// The gradients with respect to the statistics at the taps, in a pass without perturbation.
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

#[cfg(test)]
mod tests {
    use super::super::differences::dot;
    use super::super::network::tests::{Case, LABELS, SMOOTH, assert_slope};
    use super::*;

    fn run(case: &Case, options: &Options) -> Regularised {
        step(&case.graph, &case.state, case.masked(), &case.pixels, &LABELS, options)
    }

    /// dmu and dsigma of every tap in one row.
    fn flat(all: &[Statistics]) -> Vec<f64> {
        all.iter().flat_map(|one| [one.mean.clone(), one.deviation.clone()].concat()).collect()
    }

    /// The inverse of [`flat`], with the lengths of `like`.
    fn unflat(like: &[Statistics], row: &[f64]) -> Vec<Statistics> {
        let mut rest = row;
        let mut take = |len: usize| {
            let (taken, left) = rest.split_at(len);
            rest = left;
            taken.to_vec()
        };
        like.iter()
            .map(|one| Statistics { mean: take(one.mean.len()), deviation: take(one.deviation.len()) })
            .collect()
    }

    /// The loss with these parameters and statistics moved by these deltas.
    fn loss(case: &Case, state: &State, options: &Options, deltas: Vec<Statistics>) -> f64 {
        let Options { taps, sharing, flow, .. } = options.clone();
        let perturbation = Perturbation { taps, deltas, sharing, flow };
        let network = Network { state, perturbation: Some(&perturbation), ..case.network(case.masked()) };
        LABELS.loss(network.forward(&case.pixels).logits(&case.graph))
    }

    fn norm(statistics: &[Statistics]) -> f64 {
        let row = flat(statistics);
        dot(&row, &row).sqrt()
    }

    #[test]
    fn statistics_gradients_are_slopes_of_the_loss() {
        let case = Case::new();
        for sharing in [Sharing::Batch, Sharing::Image] {
            let options = Options { sharing, ..Options::default() };
            let gradients = run(&case, &options).statistics_gradients;
            assert_eq!(gradients.len(), 3);
            let row = flat(&gradients);
            assert_slope(&format!("{sharing:?}"), SMOOTH, &vec![0.0; row.len()], &row, |moved| {
                loss(&case, &case.state, &options, unflat(&gradients, moved))
            });
        }
    }

    #[test]
    fn the_loss_rises_by_the_norm_times_r() {
        let case = Case::new();
        let options = Options { r: 1e-6, ..Options::default() };
        let regularised = run(&case, &options);
        let rise = (regularised.losses[1] - regularised.losses[0]) / options.r;
        let expected = norm(&regularised.statistics_gradients);
        assert!((rise / expected - 1.0).abs() < 1e-4, "{rise}, not {expected}");
    }

    #[test]
    fn perturbations_have_length_r() {
        let case = Case::new();
        let joint = run(&case, &Options::default());
        assert!((norm(&joint.deltas) - 0.1).abs() < 1e-12);
        let each = run(&case, &Options { norm: Norm::PerTap, ..Options::default() });
        for delta in each.deltas.chunks(1) {
            assert!((norm(delta) - 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn a_zero_perturbation_gives_the_plain_gradient() {
        let case = Case::new();
        let network = case.network(case.masked());
        let (_, plain_loss, plain) = pass(&network, &case.pixels, &LABELS);
        let regularised = run(&case, &Options { r: 0.0, ..Options::default() });
        assert_eq!(regularised.losses, [plain_loss; 2]);
        assert_eq!(regularised.gradient, plain.params);
    }

    /// The gradient is that of (1 - alpha) * L + alpha * L(perturbed) with the
    /// perturbation held still and the same masks in both.
    #[test]
    fn the_gradient_is_that_of_the_mixed_loss() {
        let case = Case::new();
        let options = Options { alpha: 0.3, r: 0.5, ..Options::default() };
        let Regularised { deltas, gradient, .. } = run(&case, &options);
        let none: Vec<Statistics> = unflat(&deltas, &vec![0.0; flat(&deltas).len()]);
        for name in [
            "features.0.0.weight",
            "features.1.0.block.0.1.weight",
            "features.2.0.block.2.fc1.weight",
            "features.4.1.block.1.0.weight",
            "classifier.1.bias",
        ] {
            let id = case.graph.param_named(name).unwrap().0;
            assert_slope(name, SMOOTH, &case.state.params[id], &gradient[id], |moved| {
                let mut state = case.state.clone();
                state.params[id] = moved.to_vec();
                0.7 * loss(&case, &state, &options, none.clone())
                    + 0.3 * loss(&case, &state, &options, deltas.clone())
            });
        }
    }

    #[test]
    fn detached_statistics_change_the_gradient_above_the_taps_only() {
        let case = Case::new();
        let through = run(&case, &Options::default());
        let detached = run(&case, &Options { flow: Flow::Detached, ..Options::default() });
        assert_eq!(detached.losses, through.losses);
        assert_eq!(detached.deltas, through.deltas);
        let id = |name: &str| case.graph.param_named(name).unwrap().0;
        let stem = id("features.0.0.weight");
        assert_ne!(detached.gradient[stem], through.gradient[stem]);
        for later in ["features.3.0.block.0.0.weight", "classifier.1.weight"] {
            assert_eq!(detached.gradient[id(later)], through.gradient[id(later)], "{later}");
        }
    }

    #[test]
    fn running_statistics_follow_the_first_pass() {
        let case = Case::new();
        let network = case.network(case.masked());
        let plain = network.updated_running(&network.forward(&case.pixels));
        assert_eq!(run(&case, &Options { r: 0.7, ..Options::default() }).running, plain);
    }
}
