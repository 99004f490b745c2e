//! Compares networks on the GPU with the f64 reference: logits, losses, every gradient and the running
//! statistics.

use super::fixture::{Buffers, Fixture, compare, compare_gradients, require};
use super::{Check, Fault, Finding, kinks};
use crate::arms::{BadSpec, Method, step};
use crate::attack::gpu_oracle::GpuOracle;
use crate::evaluator::Evaluator;
use crate::gpu::engine::Engine;
use crate::plan::names;
use crate::plan::pass::Activations;
use crate::reference::moments::Moments;
use crate::reference::network::{Mode, Network};
use crate::train::settings::Settings;
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle, Oracle};
use dfrt_runtime::sample::Label;
use std::sync::Arc;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (arch, res, n) in [
        ("efficientnet-tiny", 32, 1),
        ("efficientnet-tiny", 64, 3),
        ("efficientnet-tiny", 96, 2),
        ("efficientnet-lite0", 32, 2),
        ("efficientnet-b0", 32, 2),
    ] {
        let name = format!("network/{arch}, evaluation and input gradient at {res} px, batch {n}");
        checks.push(Check::new(name, move |engine| evaluation(engine, arch, res, n)));
    }
    for (arch, res, n, masks) in [
        ("efficientnet-tiny", 32, 5, false),
        ("efficientnet-tiny", 32, 8, true),
        ("efficientnet-tiny", 96, 2, true),
        ("efficientnet-lite0", 64, 3, true),
        ("efficientnet-b0", 64, 3, true),
    ] {
        let with = if masks { "with" } else { "without" };
        let name = format!("network/{arch}, training step at {res} px, batch {n}, {with} masks");
        checks.push(Check::new(name, move |engine| plain_step(engine, arch, res, n, masks)));
    }
    for arch in ["efficientnet-tiny", "efficientnet-lite0", "efficientnet-b0"] {
        let name = format!("network/{arch}, activations made again are the same to the bit");
        checks.push(Check::new(name, move |engine| recomputed(engine, arch)));
    }
    checks
}

/// Kept and recomputed activations must give the same gradients and statistics.
fn recomputed(engine: &Arc<Engine>, arch: &str) -> Finding {
    let fixture = Fixture::new(engine, arch, 32, 3)?;
    // Every way in which an arm passes through the network.
    for name in [
        "baseline",
        "gr",
        "sam",
        "input-gr",
        "dsu",
        "at:steps=1:clean=0:growth=0",
        "trades:steps=1:clean=0:growth=0",
    ] {
        let method: Method = name.parse().map_err(|error: BadSpec| Fault(error.to_string()))?;
        let found = |activations| {
            let settings = Settings { method: method.clone(), ..Settings::default() };
            let settings = step::Settings { activations, ..settings.step() };
            fixture.gradients_of(&settings, 0.1)
        };
        let (kept, again) = (found(Activations::Kept)?, found(Activations::Recomputed)?);
        for name in [names::GRADIENTS, names::RUNNING, names::LOGITS] {
            let bits =
                |found: &Buffers| -> Vec<u32> { found[name].iter().map(|value| value.to_bits()).collect() };
            require(bits(&kept) == bits(&again), &format!("{} of {}", name, method.name()))?;
        }
    }
    Ok(0.0)
}

fn evaluation(engine: &Arc<Engine>, arch: &str, res: usize, n: usize) -> Finding {
    let mut fixture = Fixture::new(engine, arch, res, n)?;
    kinks::clear(&mut fixture, Mode::Eval)?;
    let state = fixture.state();
    let network = Network { graph: fixture.graph(), state: &state, mode: Mode::Eval, perturbation: None };
    let trace = network.forward(&fixture.pixels());
    let expected = trace.logits(fixture.graph());
    // A batch of another size: filling it up must not change logits.
    let evaluator = Evaluator::new(&fixture.network, n + 1)?;
    let logits = evaluator.logits(&fixture.pictures)?;
    let mut worst = compare("logits", &logits, expected, 1e-3)?;
    let alone = evaluator.logits(&fixture.pictures[n - 1..])?;
    require(alone[0].to_bits() == logits[n - 1].to_bits(), "a logit depends on its batch")?;

    let oracle = GpuOracle::new(&fixture.network, n)?;
    let batch = Batch::of(res, &fixture.pictures);
    compare("oracle's logits", &oracle.logits(&batch)?, expected, 1e-3)?;
    let labels: Vec<Label> =
        (0..n).map(|index| if index % 2 == 1 { Label::Fake } else { Label::Real }).collect();
    let (losses, gradient) = oracle.loss_gradient(&batch, &labels, AttackLoss::Margin)?;
    let signs: Vec<f64> = labels.iter().map(|label| f64::from(label.sign())).collect();
    let margins: Vec<f64> = expected.iter().zip(&signs).map(|(z, s)| -s * z).collect();
    compare("margins", &losses, &margins, 1e-3)?;
    let dlogits: Vec<f64> = signs.iter().map(|sign| -sign).collect();
    let reference = network.backward(&trace, &dlogits);
    let expected = planes(&reference.values[fixture.graph().input.0], res);
    worst = worst.max(compare("input gradient", &gradient.values, &expected, 0.0)?);
    Ok(worst)
}

/// [N, H, W, 3] -> [N, 3, H, W].
fn planes(values: &[f64], res: usize) -> Vec<f64> {
    let picture = |picture: &[f64]| -> Vec<f64> {
        (0..3).flat_map(|channel| picture[channel..].iter().step_by(3).copied().collect::<Vec<_>>()).collect()
    };
    values.chunks(3 * res * res).flat_map(picture).collect()
}

fn plain_step(engine: &Arc<Engine>, arch: &str, res: usize, n: usize, masks: bool) -> Finding {
    let mut fixture = Fixture::new(engine, arch, res, n)?;
    let keys = fixture.keys.clone();
    let mode = Mode::Train { masks: masks.then_some(&keys[..]) };
    kinks::clear(&mut fixture, mode)?;
    let state = fixture.state();
    let network = Network { graph: fixture.graph(), state: &state, mode, perturbation: None };
    let trace = network.forward(&fixture.pixels());
    let logits = trace.logits(fixture.graph());
    let expected = network.backward(&trace, &fixture.labels().loss_gradient(logits));
    let found = fixture.gradients(Method::Baseline, masks, 0.0)?;
    compare("logits", &found[names::LOGITS], logits, 1e-3)?;
    compare("loss", &found[step::HISTORY][..1], &[fixture.labels().loss(logits)], 1e-3)?;
    let worst = compare_gradients(&fixture, &found[names::GRADIENTS], &expected.params)?;
    running(&fixture, &found, &network.updated_running(&trace))?;
    Ok(worst)
}

/// The running statistics after a step.
pub(super) fn running(fixture: &Fixture, found: &Buffers, expected: &[Moments]) -> Result<(), Fault> {
    let (params, flat) = (&found[names::PARAMS], &found[names::RUNNING]);
    let weights = fixture.network.layout.unpack(fixture.graph(), params, flat, 0);
    for ((statistics, running), expected) in
        fixture.graph().statistics.iter().zip(&weights.running).zip(expected)
    {
        compare(&format!("{}.running_mean", statistics.name), &running.mean, &expected.mean, 1e-3)?;
        compare(&format!("{}.running_var", statistics.name), &running.var, &expected.var, 1e-3)?;
    }
    Ok(())
}
