//! The f64 reference against PyTorch in float64, where that is cheap: what the GPU's
//! ops are tested with is itself PyTorch's network. No device takes part, but without
//! one these tests are ignored with the rest of this target.

use super::file::Golden;
use super::formula;
use super::regularization::Run;
use super::runs::Runs;
use super::scene::Scene;
use super::verdict::{Found, Verdict};
use dfrt_trainer::reference::feature_statistics::{Flow, Norm, Sharing, Statistics};
use dfrt_trainer::reference::gradient_regularization::{Options, step};
use dfrt_trainer::reference::moments::Moments;
use dfrt_trainer::reference::network::{Labels, Mode, Network, State};
use libtest_mimic::{Failed, Trial};

/// Float64 against float64, with an epsilon and constants that are float32 here.
const LIMIT: f64 = 1e-7;

/// Of numbers that goldens keep in float32.
const SHORT_LIMIT: f64 = 1e-6;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in ["b0_64", "lite0_96"] {
        let name = |subject: &str| format!("goldens/reference, {case}, {subject}");
        trials.push(Trial::test(name("evaluation"), move || evaluation(&*Scene::of(case)?)));
        trials.push(Trial::test(name("training pass"), move || training(&*Scene::of(case)?)));
    }
    for (file, indices) in [("b0_64_regularized", &[1, 15][..]), ("lite0_96_regularized", &[1])] {
        for &index in indices {
            let name = format!("goldens/reference, {file}, run {index}");
            trials.push(Trial::test(name, move || regularized(&Golden::load(file)?, index)));
        }
    }
    trials
}

/// [N, res, res, 3] in \[0, 1\].
pub fn pixels(scene: &Scene) -> Vec<f64> {
    let bytes = scene.pictures.iter().flat_map(|picture| picture.as_raw());
    bytes.map(|&byte| f64::from(byte) / 255.0).collect()
}

/// Targets and weights.
pub fn labels(scene: &Scene) -> (Vec<f64>, Vec<f64>) {
    (0..scene.case.batch).map(formula::label).unzip()
}

fn evaluation(scene: &Scene) -> Result<(), Failed> {
    let state = State::from(&scene.weights);
    let network = Network { graph: &scene.graph, state: &state, mode: Mode::Eval, perturbation: None };
    let trace = network.forward(&pixels(scene));
    let logits = trace.logits(&scene.graph);
    let golden = &scene.golden;
    let subject = "evaluation_logits";
    Verdict::vector(logits, golden.values(subject)).close_reference(golden, subject, LIMIT)?;
    let dlogits: Vec<f64> = scene.labels().iter().map(|label| -f64::from(label.sign())).collect();
    let gradient = &network.backward(&trace, &dlogits).values[scene.graph.input.0];
    let picture = |(number, values): (usize, &[f64])| {
        let planes = (0..3).flat_map(|channel| values[channel..].iter().step_by(3).copied());
        Found { name: format!("picture {number}"), number, values: planes.collect() }
    };
    let size = 3 * scene.case.res * scene.case.res;
    let found: Vec<Found> = gradient.chunks(size).enumerate().map(picture).collect();
    let subject = "margin_pixel_gradient";
    Verdict::rows(&found, golden.values(subject)).close_reference(golden, subject, LIMIT)
}

fn training(scene: &Scene) -> Result<(), Failed> {
    let state = State::from(&scene.weights);
    let mode = Mode::Train { masks: None };
    let network = Network { graph: &scene.graph, state: &state, mode, perturbation: None };
    let trace = network.forward(&pixels(scene));
    let logits = trace.logits(&scene.graph);
    let (targets, weights) = labels(scene);
    let labels = Labels { targets: &targets, weights: &weights };
    let judge = |subject: &str, verdict: fn(&[f64], &[f64]) -> Verdict, found: &[f64]| {
        let golden = scene.golden.values(subject);
        verdict(found, golden).close_reference(&scene.golden, subject, LIMIT)
    };
    judge("training_logits", Verdict::vector, logits)?;
    judge("training_loss", Verdict::numbers, &[labels.loss(logits)])?;
    let made = network.backward(&trace, &labels.loss_gradient(logits)).params;
    let after = network.updated_running(&trace);
    tensors_and_statistics(scene, &scene.golden, "", (made, after), LIMIT)
}

/// Judges every parameter's gradient, and the running statistics.
pub fn tensors_and_statistics(
    scene: &Scene,
    golden: &Golden,
    prefix: &str,
    (gradient, after): (Vec<Vec<f64>>, Vec<Moments>),
    limit: f64,
) -> Result<(), Failed> {
    let values = |subject: &str| golden.values(&format!("{prefix}{subject}"));
    let subject = "parameter_gradient";
    let verdict = Verdict::gradients(&scene.tensors(gradient), values(subject));
    verdict.close_reference(golden, subject, limit)?;
    let (means, variances) = after.into_iter().map(|moments| (moments.mean, moments.var)).unzip();
    let [means, variances] = scene.statistics(means, variances);
    for (subject, found) in [("running_mean", means), ("running_var", variances)] {
        Verdict::rows(&found, values(subject)).close_reference(golden, subject, limit)?;
    }
    Ok(())
}

fn regularized(golden: &Golden, index: usize) -> Result<(), Failed> {
    let runs: Runs<Run> = golden.about()?;
    let scene = runs.scene()?;
    let run = &runs.runs[index];
    let state = State::from(&scene.weights);
    let (targets, weights) = labels(&scene);
    let labels = Labels { targets: &targets, weights: &weights };
    let mode = Mode::Train { masks: None };
    let made = step(&scene.graph, &state, mode, &pixels(&scene), &labels, &options(run));
    let prefix = format!("{index}/");
    let values = |subject: &str| golden.values(&format!("{prefix}{subject}"));
    let verdict = Verdict::numbers(&made.losses, values("passes_loss"));
    verdict.close_reference(golden, "passes_loss", LIMIT)?;
    let count = run.deltas(&scene);
    let flat = made.deltas.iter().flat_map(|delta| interleaved(delta, count)).collect();
    let whole = Found { name: "all taps".to_owned(), number: 0, values: flat };
    let verdict = Verdict::whole(&[whole], &[values("delta")]);
    verdict.close_reference(golden, "delta", SHORT_LIMIT)?;
    tensors_and_statistics(&scene, golden, &prefix, (made.gradient, made.running), SHORT_LIMIT)
}

/// [D, C] of means and of deviations -> [D, 2, C].
fn interleaved(delta: &Statistics, count: usize) -> Vec<f64> {
    let c = delta.mean.len() / count;
    let pairs = delta.mean.chunks(c).zip(delta.deviation.chunks(c));
    pairs.flat_map(|(mean, deviation)| [mean, deviation].concat()).collect()
}

/// The settings of a run.
pub fn options(run: &Run) -> Options {
    Options {
        taps: run.taps.clone(),
        r: run.r,
        alpha: run.alpha,
        flow: if run.through_statistics { Flow::Through } else { Flow::Detached },
        sharing: if run.per_image { Sharing::Image } else { Sharing::Batch },
        norm: if run.per_tap { Norm::PerTap } else { Norm::Joint },
    }
}
