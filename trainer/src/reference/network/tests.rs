//! The walk's gradients against central differences, and its modes against each other.

use super::super::differences::{assert_close, dot, values};
use super::*;
use crate::model::arch::{EFFICIENTNET_LITE0, EFFICIENTNET_TINY};
use crate::model::graph::Role;
use crate::model::weights::Weights;
use crate::reference::feature_statistics::{Flow, Sharing, Statistics};
use dfrt_runtime::random::{key, stream};
use rand::RngExt;

/// Weights that are nothing special: initial convolutions, random gamma, beta and
/// biases, and running statistics near those of a batch, so that the signal lives.
pub(crate) fn lived_in(graph: &Graph, seed: u64) -> Weights {
    let mut weights = Weights::initial(graph, seed);
    let mut random = stream(seed, &["lived in".into()]);
    let mut around = |middle: f32, reach: f32| middle + random.random_range(-reach..reach);
    for (param, tensor) in graph.params.iter().zip(&mut weights.params) {
        match param.role {
            Role::Gamma => tensor.iter_mut().for_each(|value| *value = around(1.0, 0.5)),
            Role::Beta | Role::Bias => tensor.iter_mut().for_each(|value| *value = around(0.0, 0.3)),
            // Larger logits than a new network's.
            Role::Linear if param.shape.len() == 2 => tensor.iter_mut().for_each(|value| *value *= 10.0),
            _ => {}
        }
    }
    let state = State::from(&weights);
    let network = Network { graph, state: &state, mode: Mode::Train { masks: None }, perturbation: None };
    let trace = network.forward(&pictures(graph, 4));
    for (running, batch) in weights.running.iter_mut().zip(trace.moments) {
        let typical = batch.var.iter().sum::<f64>() / batch.var.len() as f64;
        for (at, (mean, var)) in batch.mean.iter().zip(&batch.var).enumerate() {
            let var = (var + 0.2 * typical) as f32;
            running.mean[at] = *mean as f32 + var.sqrt() * around(0.0, 0.1);
            running.var[at] = var * around(1.0, 0.2);
        }
    }
    weights
}

/// `n` images of waves and noise [N, res, res, 3] in [0, 1], each with a brightness, a
/// direction and a wavelength of its own.
pub(crate) fn pictures(graph: &Graph, n: usize) -> Vec<f64> {
    let res = graph.res;
    let mut pictures = Vec::new();
    for image in 0..n {
        let part = image as f64 / n as f64;
        let noise = values(&format!("picture {image}"), res * res * 3);
        for (at, noise) in noise.into_iter().enumerate() {
            let (y, x, channel) = (at / 3 / res, at / 3 % res, at % 3);
            let phase = (x as f64 * part + y as f64 * (1.0 - part)) * (0.3 + part) + channel as f64;
            pictures.push(0.3 + 0.4 * part + 0.2 * phase.sin() + 0.1 * noise);
        }
    }
    pictures
}

/// The tiny network at 32 pixels, three images of both classes with weights.
pub(crate) struct Case {
    pub(crate) graph: Graph,
    pub(crate) state: State,
    pub(crate) pixels: Vec<f64>,
    keys: Vec<u64>,
}

pub(crate) const LABELS: Labels<'_> = Labels { targets: &[1.0, 0.0, 1.0], weights: &[0.5, 1.5, 1.0] };

impl Case {
    pub(crate) fn new() -> Self {
        let mut architecture = EFFICIENTNET_TINY;
        // Rates at which three images and one block lose something.
        (architecture.drop_path, architecture.dropout) = (0.6, 0.4);
        let graph = Graph::new(&architecture, 32).unwrap();
        let state = State::from(&lived_in(&graph, 1));
        let pixels = pictures(&graph, 3);
        let keys = (0..3).map(|image| key(2, &["masks".into(), image.into()])).collect();
        Self { graph, state, pixels, keys }
    }

    pub(crate) fn masked(&self) -> Mode<'_> {
        Mode::Train { masks: Some(&self.keys) }
    }

    pub(crate) fn network<'a>(&'a self, mode: Mode<'a>) -> Network<'a> {
        Network { graph: &self.graph, state: &self.state, mode, perturbation: None }
    }

    /// dmu and dsigma of some size for the taps 0 to 2.
    fn perturbation(&self, sharing: Sharing) -> Perturbation {
        let delta = |&feature: &usize| {
            let len = tap(&self.graph, self.graph.features[feature], 3).shared_len(sharing);
            let random = |name: &str| values(&format!("{name} {feature}"), len);
            let scaled = |values: Vec<f64>| values.iter().map(|value| 0.3 * value).collect();
            Statistics { mean: scaled(random("dmu")), deviation: scaled(random("dsigma")) }
        };
        let taps = vec![0, 1, 2];
        let deltas = taps.iter().map(delta).collect();
        Perturbation { taps, deltas, sharing, flow: Flow::Through }
    }
}

/// The step of a difference where the loss is smooth.
pub(crate) const SMOOTH: f64 = 1e-5;

/// The step where the loss has corners, too short to cross one of them.
const CORNERED: f64 = 1e-8;

/// Asserts that `gradient` is the gradient of `loss` at `at`, by central differences
/// along two directions, each half random and half the gradient's own.
pub(crate) fn assert_slope(
    what: &str,
    step: f64,
    at: &[f64],
    gradient: &[f64],
    loss: impl Fn(&[f64]) -> f64,
) {
    let norm = dot(gradient, gradient).sqrt();
    for direction in 0..2 {
        let random = values(&format!("direction {direction}"), at.len());
        let length = dot(&random, &random).sqrt();
        let halves = random.iter().zip(gradient);
        let direction: Vec<f64> = halves.map(|(r, g)| r / length + g / norm.max(1e-30)).collect();
        let moved = |step: f64| -> Vec<f64> {
            at.iter().zip(&direction).map(|(at, direction)| at + step * direction).collect()
        };
        let measured = (loss(&moved(step)) - loss(&moved(-step))) / (2.0 * step);
        let claimed = dot(gradient, &direction);
        assert!(
            (measured - claimed).abs() <= 1e-6 * norm + 1e-9,
            "{what}: the slope is {measured}, the gradient of length {norm} says {claimed}"
        );
    }
}

/// Checks the gradients of `network`'s loss: of the pixels and of every `every`th tensor.
fn check_gradients(
    name: &str,
    step: f64,
    network: &Network<'_>,
    pixels: &[f64],
    labels: &Labels<'_>,
    every: usize,
) {
    let loss =
        |network: &Network<'_>, pixels: &[f64]| labels.loss(network.forward(pixels).logits(network.graph));
    let trace = network.forward(pixels);
    let dlogits = labels.loss_gradient(trace.logits(network.graph));
    let gradients = network.backward(&trace, &dlogits);
    let dpixels = &gradients.values[network.graph.input.0];
    assert_slope(&format!("{name}: pixels"), step, pixels, dpixels, |pixels| loss(network, pixels));
    for (id, param) in network.graph.params.iter().enumerate().step_by(every) {
        let what = format!("{name}: {}", param.name);
        assert_slope(&what, step, &network.state.params[id], &gradients.params[id], |moved| {
            let mut state = network.state.clone();
            state.params[id] = moved.to_vec();
            loss(&Network { state: &state, ..*network }, pixels)
        });
    }
}

#[test]
fn gradients_are_those_of_the_forward_pass() {
    let case = Case::new();
    for (name, mode) in
        [("eval", Mode::Eval), ("train without masks", Mode::Train { masks: None }), ("train", case.masked())]
    {
        check_gradients(name, SMOOTH, &case.network(mode), &case.pixels, &LABELS, 1);
    }
}

#[test]
fn gradients_hold_where_statistics_are_perturbed() {
    let case = Case::new();
    for sharing in [Sharing::Batch, Sharing::Image] {
        let perturbation = case.perturbation(sharing);
        let network = Network { perturbation: Some(&perturbation), ..case.network(case.masked()) };
        check_gradients(&format!("{sharing:?}"), SMOOTH, &network, &case.pixels, &LABELS, 3);
    }
}

/// ReLU6, SAME padding, no squeeze-excite.
#[test]
fn gradients_of_lite0_are_those_of_the_forward_pass() {
    let graph = Graph::new(&EFFICIENTNET_LITE0, 32).unwrap();
    let state = State::from(&lived_in(&graph, 1));
    let network = Network { graph: &graph, state: &state, mode: Mode::Eval, perturbation: None };
    let labels = Labels { targets: &[1.0], weights: &[1.0] };
    check_gradients("lite0", CORNERED, &network, &pictures(&graph, 1), &labels, 25);
}

#[test]
fn a_perturbation_moves_what_every_reader_sees() {
    let case = Case::new();
    let perturbation = case.perturbation(Sharing::Batch);
    let plain = case.network(Mode::Eval).forward(&case.pixels);
    let network = Network { perturbation: Some(&perturbation), ..case.network(Mode::Eval) };
    let moved = network.forward(&case.pixels);
    let stem = case.graph.features[0];
    assert_eq!(moved.unperturbed[0], plain.values[stem.0]);
    let tap = tap(&case.graph, stem, 3);
    let expected =
        feature_statistics::perturb(&tap, &plain.values[stem.0], &perturbation.deltas[0], Sharing::Batch);
    assert_eq!(moved.values[stem.0], expected);
    // The first block has a skip from the stem: skip + branch, both of the moved stem.
    let residual = case.graph.nodes.iter().find(|node| node.name == "features.1.0").unwrap();
    assert_eq!(residual.inputs[0], stem);
    let branch = &moved.values[residual.inputs[1].0];
    let sum: Vec<f64> = expected.iter().zip(branch).map(|(skip, branch)| skip + branch).collect();
    assert_close(&moved.unperturbed[1], &sum);
}

#[test]
fn masks_drop_whole_branches_of_some_images() {
    let case = Case::new();
    let trace = case.network(case.masked()).forward(&case.pixels);
    let residual = case.graph.nodes.iter().find(|node| node.name == "features.4.1").unwrap();
    let len = case.graph.extent(residual.output).len();
    let image = |value: ValueId, image: usize| &trace.values[value.0][image * len..(image + 1) * len];
    let dropped = |at: &usize| image(residual.output, *at) == image(residual.inputs[0], *at);
    let count = (0..3).filter(dropped).count();
    assert!(count > 0 && count < 3, "{count} of 3 branches are dropped");

    let dropout = case.graph.nodes.iter().find(|node| node.name == "classifier.0").unwrap();
    let (before, after) = (&trace.values[dropout.inputs[0].0], &trace.values[dropout.output.0]);
    let zeros = after.iter().filter(|&&value| value == 0.0).count() as f64 / after.len() as f64;
    assert!((zeros - 0.4).abs() < 0.1, "{zeros} of the features are dropped");
    let kept = before.iter().zip(after).filter(|(_, after)| **after != 0.0);
    let (before, after): (Vec<f64>, Vec<f64>) = kept.map(|(before, after)| (before / 0.6, after)).unzip();
    before.iter().zip(&after).for_each(|(before, after)| assert!((before / after - 1.0).abs() < 1e-6));
}

#[test]
fn evaluation_with_the_batchs_moments_is_training() {
    let case = Case::new();
    let network = case.network(Mode::Train { masks: None });
    let trained = network.forward(&case.pixels);
    let state = State { running: trained.moments.clone(), ..case.state.clone() };
    let evaluated = Network { state: &state, mode: Mode::Eval, ..network }.forward(&case.pixels);
    assert_close(evaluated.logits(&case.graph), trained.logits(&case.graph));
}

#[test]
fn evaluation_knows_no_batch() {
    let case = Case::new();
    let network = case.network(Mode::Eval);
    let together = network.forward(&case.pixels);
    let alone: Vec<f64> = case
        .pixels
        .chunks(case.pixels.len() / 3)
        .flat_map(|picture| network.forward(picture).logits(&case.graph).to_vec())
        .collect();
    assert_close(&alone, together.logits(&case.graph));
    let spread = alone.iter().fold(0.0_f64, |spread, logit| spread.max((logit - alone[0]).abs()));
    assert!(spread > 1e-2, "the logits differ: {alone:?}");
}

#[test]
fn running_statistics_move_a_tenth_of_the_way() {
    let case = Case::new();
    let network = case.network(Mode::Train { masks: None });
    let trace = network.forward(&case.pixels);
    let running = network.updated_running(&trace);
    assert_eq!(running.len(), case.graph.statistics.len());
    let (old, batch) = (&case.state.running[0], &trace.moments[0]);
    let m = 3.0 * 16.0 * 16.0; // The stem halves 32 pixels.
    assert_close(&running[0].mean[..1], &[0.9 * old.mean[0] + 0.1 * batch.mean[0]]);
    assert_close(&running[0].var[..1], &[0.9 * old.var[0] + 0.1 * batch.var[0] * m / (m - 1.0)]);
}

#[test]
fn folded_weights_give_the_same_logits() {
    for architecture in [&EFFICIENTNET_TINY, &EFFICIENTNET_LITE0] {
        let graph = Graph::new(architecture, 32).unwrap();
        let weights = lived_in(&graph, 5);
        let pixels = pictures(&graph, 2);
        let logits = |weights: &Weights| {
            let state = State::from(weights);
            let network = Network { graph: &graph, state: &state, mode: Mode::Eval, perturbation: None };
            network.forward(&pixels).logits(&graph).to_vec()
        };
        let (plain, folded) = (logits(&weights), weights.folded(&graph));
        // The second time nothing is left to fold.
        for folded in [logits(&folded), logits(&folded.folded(&graph))] {
            for (folded, plain) in folded.iter().zip(&plain) {
                assert!((folded - plain).abs() <= 1e-4 * plain.abs().max(1.0), "{folded} for {plain}");
            }
        }
    }
}
