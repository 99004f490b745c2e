//! The f64 reference against PyTorch in float64, where that is cheap: what the GPU's
//! ops are tested with is itself PyTorch's network. No device is needed here.

use super::file::Golden;
use super::regularization::{Run, Runs, scene_of};
use super::scene::Scene;
use super::verdict::{Found, Verdict};
use crate::goldens::formula;
use dfrt_trainer::reference::batch_norm::Moments;
use dfrt_trainer::reference::feature_statistics::{Flow, Norm, Sharing};
use dfrt_trainer::reference::gradient_regularization::{Options, step};
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
fn pixels(scene: &Scene) -> Vec<f64> {
    let bytes = scene.pictures.iter().flat_map(|picture| picture.as_raw());
    bytes.map(|&byte| f64::from(byte) / 255.0).collect()
}

/// Targets and weights.
fn labels(scene: &Scene) -> (Vec<f64>, Vec<f64>) {
    (0..scene.case.batch).map(formula::label).unzip()
}

/// Fails where the worst error reaches the limit.
fn judge(what: &str, limit: f64, verdict: &Verdict) -> Result<(), Failed> {
    let (error, name) = verdict.worst();
    println!("reference, {what}: {error:.1e} ({name})");
    if error < limit { Ok(()) } else { Err(format!("{what}: {name} is off by {error:.1e}").into()) }
}

fn evaluation(scene: &Scene) -> Result<(), Failed> {
    let state = State::from(&scene.weights);
    let network = Network { graph: &scene.graph, state: &state, mode: Mode::Eval, perturbation: None };
    let trace = network.forward(&pixels(scene));
    let logits = trace.logits(&scene.graph);
    let golden = scene.golden.values("evaluation_logits");
    judge(&format!("{} evaluation_logits", scene.golden.name), LIMIT, &Verdict::vector(logits, golden))?;
    let dlogits: Vec<f64> = scene.labels().iter().map(|label| -f64::from(label.sign())).collect();
    let gradient = &network.backward(&trace, &dlogits).values[scene.graph.input.0];
    let picture = |(number, values): (usize, &[f64])| {
        let planes = (0..3).flat_map(|channel| values[channel..].iter().step_by(3).copied());
        Found { name: format!("picture {number}"), number, values: planes.collect() }
    };
    let size = 3 * scene.case.res * scene.case.res;
    let found: Vec<Found> = gradient.chunks(size).enumerate().map(picture).collect();
    let golden = scene.golden.values("margin_pixel_gradient");
    judge(&format!("{} margin_pixel_gradient", scene.golden.name), LIMIT, &Verdict::rows(&found, golden))
}

fn training(scene: &Scene) -> Result<(), Failed> {
    let state = State::from(&scene.weights);
    let mode = Mode::Train { masks: None };
    let network = Network { graph: &scene.graph, state: &state, mode, perturbation: None };
    let trace = network.forward(&pixels(scene));
    let logits = trace.logits(&scene.graph);
    let (targets, weights) = labels(scene);
    let labels = Labels { targets: &targets, weights: &weights };
    let title = |subject: &str| format!("{} {subject}", scene.golden.name);
    let golden = |subject: &str| scene.golden.values(subject);
    let loss = [labels.loss(logits)];
    judge(&title("training_logits"), LIMIT, &Verdict::vector(logits, golden("training_logits")))?;
    judge(&title("training_loss"), LIMIT, &Verdict::numbers(&loss, golden("training_loss")))?;
    let gradients = tensors(scene, network.backward(&trace, &labels.loss_gradient(logits)).params);
    let verdict = Verdict::gradients(&gradients, golden("parameter_gradient"));
    judge(&title("parameter_gradient"), LIMIT, &verdict)?;
    for (subject, found) in running(scene, network.updated_running(&trace)) {
        judge(&title(subject), LIMIT, &Verdict::rows(&found, golden(subject)))?;
    }
    Ok(())
}

fn regularized(golden: &Golden, index: usize) -> Result<(), Failed> {
    let runs: Runs = golden.about()?;
    let scene = scene_of(&runs)?;
    let run = &runs.runs[index];
    let state = State::from(&scene.weights);
    let (targets, weights) = labels(&scene);
    let labels = Labels { targets: &targets, weights: &weights };
    let mode = Mode::Train { masks: None };
    let made = step(&scene.graph, &state, mode, &pixels(&scene), &labels, &options(run));
    let title = |subject: &str| format!("{}, {} {subject}", golden.name, run.title());
    let values = |subject: &str| golden.values(&format!("{index}/{subject}"));
    judge(&title("passes_loss"), LIMIT, &Verdict::numbers(&made.losses, values("passes_loss")))?;
    let deltas: Vec<f64> = made
        .deltas
        .iter()
        .zip(run.lengths(&scene))
        .flat_map(|(delta, len)| {
            // [D, C] of both -> [D, 2, C].
            let count = if run.per_image { scene.case.batch } else { 1 };
            let c = len / 2 / count;
            let pairs = delta.mean.chunks(c).zip(delta.deviation.chunks(c));
            pairs.flat_map(|(mean, deviation)| [mean, deviation].concat()).collect::<Vec<f64>>()
        })
        .collect();
    let whole = Found { name: "all taps".to_owned(), number: 0, values: deltas };
    judge(&title("delta"), SHORT_LIMIT, &Verdict::whole(&[whole], &[values("delta")]))?;
    let verdict = Verdict::gradients(&tensors(&scene, made.gradient), values("parameter_gradient"));
    judge(&title("parameter_gradient"), SHORT_LIMIT, &verdict)?;
    for (subject, found) in running(&scene, made.running) {
        judge(&title(subject), SHORT_LIMIT, &Verdict::rows(&found, values(subject)))?;
    }
    Ok(())
}

fn options(run: &Run) -> Options {
    Options {
        taps: run.taps.clone(),
        r: run.r.into(),
        alpha: run.alpha.into(),
        flow: if run.through_statistics { Flow::Through } else { Flow::Detached },
        sharing: if run.per_image { Sharing::Image } else { Sharing::Batch },
        norm: if run.per_tap { Norm::PerTap } else { Norm::Joint },
    }
}

fn tensors(scene: &Scene, values: Vec<Vec<f64>>) -> Vec<Found> {
    let params = scene.graph.params.iter().zip(&scene.numbers.params).zip(values);
    params.map(|((param, &number), values)| Found { name: param.name.clone(), number, values }).collect()
}

fn running(scene: &Scene, after: Vec<Moments>) -> [(&'static str, Vec<Found>); 2] {
    let (means, variances) = after.into_iter().map(|moments| (moments.mean, moments.var)).unzip();
    [
        ("running_mean", scene.statistics("running_mean", 0, means)),
        ("running_var", scene.statistics("running_var", 1, variances)),
    ]
}
