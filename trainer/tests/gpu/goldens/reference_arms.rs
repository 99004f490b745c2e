//! The f64 reference of the arms against PyTorch in float64. It makes the adversarial
//! pictures itself.

use super::arms::{Adversarial, FILE, Run};
use super::reference::{labels, options, pixels, tensors_and_statistics};
use super::runs::Runs;
use super::scene::Scene;
use super::verdict::Verdict;
use dfrt_trainer::reference::arms::{Attack, Batch, Stepped, sum};
use dfrt_trainer::reference::feature_statistics::{Flow, Statistics};
use dfrt_trainer::reference::network::{Labels, Mode, State};
use dfrt_trainer::reference::{gradient_regularization, statistic_noise};
use libtest_mimic::{Failed, Trial};

/// Float64 against float64, with an epsilon and constants that are float32 here.
const LIMIT: f64 = 1e-8;

pub fn trials() -> Vec<Trial> {
    let runs = match Runs::<Run>::load(FILE) {
        Ok((_, runs)) => runs,
        Err(error) => return vec![Trial::test(format!("goldens/reference, {FILE}"), || Err(error.into()))],
    };
    let trial = |(index, run): (usize, &Run)| {
        let name = format!("goldens/reference, {FILE}, {}", run.title());
        Trial::test(name, move || is_pytorchs(index))
    };
    runs.runs.iter().enumerate().map(trial).collect()
}

fn is_pytorchs(index: usize) -> Result<(), Failed> {
    let (golden, runs) = Runs::<Run>::load(FILE)?;
    let (scene, run) = (runs.scene()?, &runs.runs[index]);
    let state = State::from(&scene.weights);
    let (pixels, (targets, weights)) = (pixels(&scene), labels(&scene));
    let batch = Batch {
        graph: &scene.graph,
        state: &state,
        mode: Mode::Train { masks: None },
        pixels: &pixels,
        labels: Labels { targets: &targets, weights: &weights },
    };
    let prefix = format!("{index}/");
    if let Some(how) = run.adversarial() {
        let keys = keys(how, &scene);
        let moved = match run {
            Run::Trades { .. } => batch.divergent(&attack(how, &keys)),
            _ => batch.adversarial(&attack(how, &keys)),
        };
        let golden_rows = golden.values(&format!("{prefix}adversarial"));
        let verdict = Verdict::rows(&how.offsets(&scene, &moved, 3), golden_rows);
        verdict.close_reference(&golden, "adversarial", LIMIT)?;
    }
    let made = expected(&batch, &scene, run);
    let verdict = Verdict::numbers(&made.losses, golden.values(&format!("{prefix}loss")));
    verdict.close_reference(&golden, "loss", LIMIT)?;
    tensors_and_statistics(&scene, &golden, &prefix, (made.gradient, made.running), LIMIT)
}

fn keys(how: &Adversarial, scene: &Scene) -> Vec<u64> {
    let whole = |[low, high]: [u32; 2]| u64::from(low) | u64::from(high) << 32;
    how.keys(scene).into_iter().map(whole).collect()
}

fn attack<'a>(how: &Adversarial, keys: &'a [u64]) -> Attack<'a> {
    Attack { eps: how.eps / 255.0, steps: how.steps, ratio: how.step, keys }
}

fn expected(batch: &Batch<'_>, scene: &Scene, run: &Run) -> Stepped {
    let n = scene.case.batch;
    match run {
        &Run::Sam { radius } => batch.sharpness(radius, 1.0),
        &Run::Gnp { radius, alpha } => batch.sharpness(radius, alpha),
        &Run::InputGr { lambda, h } => batch.input_gradient(h, lambda),
        Run::Dsu(noise) => {
            let draws = run.draws(scene);
            let delta = |index: usize, of: &Statistics| {
                let draws: &[f64] = &draws[index];
                let c = draws.len() / (2 * n);
                let kind = |kind: usize| draws.chunks(c).skip(kind).step_by(2).flatten().copied().collect();
                statistic_noise::uncertain(of, &Statistics { mean: kind(0), deviation: kind(1) }, n)
            };
            batch.noisy(Some(&batch.noise(&noise.taps, Flow::Through, delta)))
        }
        Run::Mixstyle(noise) => {
            let draws = run.draws(scene);
            let delta = |index: usize, of: &Statistics| {
                let pairs = draws[index].chunks(2).map(|pair| (pair[0] as usize, pair[1]));
                statistic_noise::mixed(of, &pairs.collect::<Vec<_>>())
            };
            batch.noisy(Some(&batch.noise(&noise.taps, Flow::Detached, delta)))
        }
        Run::At(how) => {
            let moved = batch.adversarial(&attack(how, &keys(how, scene)));
            let batch = Batch { pixels: &moved, ..*batch };
            if how.gr.is_some() { regularized(&batch, how) } else { batch.plain() }
        }
        Run::Trades { beta, adversarial: how } => {
            let found = batch.trades(&attack(how, &keys(how, scene)), *beta);
            if how.gr.is_none() {
                return found;
            }
            // The first term's gradient is replaced by the regularised one.
            let term = sum([(1.0, &found.gradient), (-1.0, &batch.plain().gradient)]);
            let gradient = sum([(1.0, &regularized(batch, how).gradient), (1.0, &term)]);
            Stepped { gradient, ..found }
        }
    }
}

fn regularized(batch: &Batch<'_>, how: &Adversarial) -> Stepped {
    let &Batch { graph, state, mode, pixels, labels } = batch;
    let options = options(how.gr.as_ref().expect("a regularised arm"));
    let found = gradient_regularization::step(graph, state, mode, pixels, &labels, &options);
    Stepped { losses: found.losses.to_vec(), gradient: found.gradient, running: found.running }
}
