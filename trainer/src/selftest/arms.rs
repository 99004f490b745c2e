//! Compares a step of every arm on the GPU with its f64 version, and checks that an arm without its
//! own term is the plain step to the bit.

use super::fixture::{Buffers, Fixture, compare, compare_gradients, require};
use super::network::running;
use super::regularization::options;
use super::{Check, Fault, Finding};
use crate::arms::gradient_regularization::GradientRegularization;
use crate::arms::{Arm as _, Method, step};
use crate::gpu::engine::Engine;
use crate::gpu::recording::ALIGNMENT;
use crate::plan::names;
use crate::reference::arms::{Attack, Batch, Stepped};
use crate::reference::feature_statistics::{Flow, Statistics};
use crate::reference::gradient_regularization;
use crate::reference::network::Mode;
use crate::reference::{arms as reference, statistic_noise};
use std::sync::Arc;

/// Adversarial pictures of the full radius from the first step on.
const AT_ONCE: &str = "clean=0:growth=0";

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let full = |method: &str| format!("{method}:{AT_ONCE}");
    let mut cases: Vec<(&str, String)> = [
        "compute-matched",
        "sam",
        "sam:radius=0.5",
        "gnp",
        "input-gr",
        "input-gr:lambda=20:h=0.05",
        "dsu",
        "dsu:taps=[1]:probability=1",
        "mixstyle",
        "mixstyle:taps=[2,0]:probability=1",
    ]
    .map(|method| ("efficientnet-tiny", method.to_owned()))
    .to_vec();
    let adversarial = [
        "fast-at",
        "at:eps=2",
        "at:steps=3:step=0.5",
        "trades:steps=2",
        "at+gr:steps=2",
        "trades+gr:steps=2",
    ];
    cases.extend(adversarial.map(|method| ("efficientnet-tiny", full(method))));
    cases.push(("efficientnet-tiny", full("at:steps=2:gr.alpha=0.5:gr.per-image=true")));
    cases.extend(
        ["sam".to_owned(), full("fast-at"), full("trades:steps=1")].map(|method| ("efficientnet-b0", method)),
    );
    let check = |(arch, method): (&'static str, String)| {
        Check::new(format!("arms/{arch}, {method}"), move |engine| is_the_references(engine, arch, &method))
    };
    let mut checks: Vec<Check> = cases.into_iter().map(check).collect();
    for method in [
        "compute-matched",
        "sam:radius=0",
        "gnp:radius=0:alpha=1",
        "input-gr:lambda=0",
        "dsu:probability=0",
        "mixstyle:probability=0",
        "fast-at:eps=0:clean=0:growth=0",
        "at:eps=0:clean=0:growth=0",
        "at",
        "trades:eps=0:clean=0:growth=0",
        "trades:beta=0:clean=0:growth=0",
    ] {
        checks.push(Check::new(format!("arms/{method} is the plain step"), move |engine| {
            is_the_plain_step(engine, method)
        }));
    }
    checks.push(Check::new("arms/the clean steps of an arm have the same bits".to_owned(), clean_steps));
    checks
}

fn parsed(method: &str) -> Result<Method, Fault> {
    method.parse().map_err(|error: crate::arms::BadSpec| Fault(error.to_string()))
}

fn is_the_references(engine: &Arc<Engine>, arch: &str, method: &str) -> Finding {
    let method = parsed(method)?;
    let fixture = Fixture::new(engine, arch, if arch == "efficientnet-b0" { 64 } else { 32 }, 4)?;
    let found = fixture.full_step(&method)?;
    let expected = expected(&fixture, &method);
    compare("loss", &found[step::HISTORY][..1], &expected.losses[..1], 1e-3)?;
    require(
        method.arm().has_second_loss() == (expected.losses.len() == 2),
        "the losses are not those of the arm",
    )?;
    if let Some(second) = expected.losses.get(1) {
        compare("second loss", &found[step::PERTURBED_HISTORY][..1], &[*second], 1e-3)?;
    }
    let worst = compare_gradients(&fixture, &found[names::GRADIENTS], &expected.gradient)?;
    running(&fixture, &found, &expected.running)?;
    Ok(worst)
}

fn expected(fixture: &Fixture, method: &Method) -> Stepped {
    let (state, pixels) = (fixture.state(), fixture.pixels());
    let batch = Batch {
        graph: fixture.graph(),
        state: &state,
        mode: Mode::Train { masks: Some(&fixture.keys) },
        pixels: &pixels,
        labels: fixture.labels(),
    };
    let attack = |eps: f32, steps: usize, step: Option<f32>| Attack {
        eps: f64::from(eps) / 255.0,
        steps,
        ratio: step.map_or_else(|| (2.5 / steps as f64).min(1.25), f64::from),
        keys: &fixture.keys,
    };
    match method {
        Method::Baseline | Method::ComputeMatched(_) => batch.plain(),
        Method::Gr(settings) => regularised(&batch, settings),
        Method::Sam(settings) => batch.sharpness(settings.radius.into(), 1.0),
        Method::Gnp(settings) => batch.sharpness(settings.radius.into(), settings.alpha.into()),
        Method::InputGr(settings) => batch.input_gradient(settings.h.into(), settings.lambda.into()),
        Method::Dsu(settings) => {
            let draws = settings.draws(batch.graph, &fixture.keys);
            noisy(
                &batch,
                &settings.taps,
                Flow::Through,
                &draws,
                |channels| 2 * channels,
                |of, draws| {
                    let rows: Vec<&[f64]> =
                        draws.chunks(draws.len() / (2 * batch.labels.targets.len())).collect();
                    let of_kind = |kind: usize| {
                        rows.iter().skip(kind).step_by(2).flat_map(|row| row.to_vec()).collect()
                    };
                    let draws = Statistics { mean: of_kind(0), deviation: of_kind(1) };
                    statistic_noise::uncertain(of, &draws, batch.labels.targets.len())
                },
            )
        }
        Method::Mixstyle(settings) => {
            let draws = settings.draws(batch.graph, &fixture.keys);
            noisy(
                &batch,
                &settings.taps,
                Flow::Detached,
                &draws,
                |_| 2,
                |of, draws| {
                    let partners: Vec<(usize, f64)> =
                        draws.chunks(2).map(|pair| (pair[0] as usize, pair[1])).collect();
                    statistic_noise::mixed(of, &partners)
                },
            )
        }
        Method::At(settings) => {
            let moved = batch.adversarial(&attack(settings.eps, settings.steps, settings.step));
            let batch = Batch { pixels: &moved, ..batch };
            settings.gr.as_ref().map_or_else(|| batch.plain(), |gr| regularised(&batch, gr))
        }
        Method::Trades(settings) => {
            let attack = attack(settings.eps, settings.steps, settings.step);
            let found = batch.trades(&attack, settings.beta.into());
            let Some(gr) = &settings.gr else { return found };
            // The first term's gradient is replaced by the regularised one.
            let term = reference::sum([(1.0, &found.gradient), (-1.0, &batch.plain().gradient)]);
            Stepped {
                gradient: reference::sum([(1.0, &regularised(&batch, gr).gradient), (1.0, &term)]),
                ..found
            }
        }
    }
}

fn regularised(batch: &Batch<'_>, settings: &GradientRegularization) -> Stepped {
    let options = options(settings);
    let Batch { graph, state, mode, pixels, labels } = batch;
    let found = gradient_regularization::step(graph, state, *mode, pixels, labels, &options);
    Stepped { losses: found.losses.to_vec(), gradient: found.gradient, running: found.running }
}

/// A step whose taps have the noise that `delta` makes of their statistics and their part of `draws`,
/// of `length` values an image.
fn noisy(
    batch: &Batch<'_>,
    taps: &[usize],
    flow: Flow,
    draws: &[f32],
    length: impl Fn(usize) -> usize,
    delta: impl Fn(&Statistics, &[f64]) -> Statistics,
) -> Stepped {
    let mut taps = taps.to_vec();
    taps.sort_unstable();
    let mut rest = draws;
    let mut parts = Vec::new();
    for &tap in &taps {
        let channels = batch.graph.extent(batch.graph.features[tap]).c;
        let len = batch.labels.targets.len() * length(channels);
        parts.push(rest[..len].iter().map(|&value| value.into()).collect::<Vec<f64>>());
        rest = &rest[len.next_multiple_of(ALIGNMENT)..];
    }
    let perturbation = batch.noise(&taps, flow, |index, of| delta(of, &parts[index]));
    batch.noisy(Some(&perturbation))
}

fn is_the_plain_step(engine: &Arc<Engine>, method: &str) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 64, 5)?;
    let plain = fixture.full_step(&Method::Baseline)?;
    let method = match method {
        // While the radius is 0, as at the beginning of a run.
        "at" => parsed("at:clean=1:growth=0")?,
        method => parsed(method)?,
    };
    same(&fixture, &plain, &fixture.full_step(&method)?)
}

/// The plan that runs while the radius is 0 gives the bits of the arm's own.
fn clean_steps(engine: &Arc<Engine>) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 64, 5)?;
    for name in ["fast-at", "at", "trades", "at+gr"] {
        let method = parsed(&format!("{name}:eps=0:{AT_ONCE}"))?;
        let clean = method.clean().ok_or_else(|| Fault(format!("{name} has no clean plan")))?;
        same(&fixture, &fixture.full_step(&clean)?, &fixture.full_step(&method)?)?;
    }
    Ok(0.0)
}

/// Both have the same gradients, running statistics and logits.
fn same(fixture: &Fixture, a: &Buffers, b: &Buffers) -> Finding {
    let gradients =
        |found: &Buffers| fixture.network.layout.unpack_params(fixture.graph(), &found[names::GRADIENTS]);
    // Equal numbers: adding a zero may change the sign of another.
    require(gradients(a) == gradients(b), "the gradients differ")?;
    require(a[names::RUNNING] == b[names::RUNNING], "the running statistics differ")?;
    require(a[names::LOGITS] == b[names::LOGITS], "the logits differ")?;
    require(a[step::HISTORY][0] == b[step::HISTORY][0], "the losses differ")?;
    Ok(0.0)
}
