//! Compares the weights after some training steps with the f64 optimisers on the f64 gradients.

use super::fixture::{Fixture, compare, require};
use super::{Check, Fault, Finding};
use crate::arms::Method;
use crate::gpu::engine::Engine;
use crate::ops::optimizer::{self, Optimizer, State};
use crate::ops::step::{LEN, NAME, Step};
use crate::plan::resident::pack_bytes;
use crate::reference::optimizer::{AdamW, Sgd};
use crate::train::balance::LossWeights;
use crate::train::feed::FedBatch;
use crate::train::schedule::Schedule;
use crate::train::settings::Settings;
use crate::train::stepper::Stepper;
use dfrt_runtime::sample::Label;
use std::collections::HashMap;
use std::sync::Arc;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let cases = [
        ("sgd", Optimizer::SGD),
        ("sgd with nesterov", Optimizer::Sgd { momentum: 0.9, nesterov: true }),
        ("adamw", Optimizer::ADAMW),
    ];
    let check = |(name, optimizer): (&str, Optimizer)| {
        Check::new(format!("optimizer/{name}"), move |engine| updates(engine, optimizer))
    };
    let mut checks: Vec<Check> = cases.into_iter().map(check).collect();
    for method in ["baseline", "gr"] {
        checks.push(Check::new(format!("optimizer/a batch in parts, {method}"), move |engine| {
            parts(engine, method)
        }));
    }
    checks
}

/// A batch of the same pictures twice, in two parts or at once: batch-norm has the same statistics, so
/// the weights must be the same.
fn parts(engine: &Arc<Engine>, method: &str) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 32, 3)?;
    let method = Method::named(method).map_err(|error| Fault(error.to_string()))?;
    // SGD, because AdamW would turn the rounding of zero gradients into full steps.
    let optimizer = Optimizer::SGD;
    let settings = Settings { method, optimizer, lr: 0.1, masks: false, ..Settings::default() };
    let label = |index: usize| if index % 2 == 1 { Label::Fake } else { Label::Real };
    let batch = FedBatch {
        bytes: pack_bytes(&fixture.pictures).repeat(2),
        labels: (0..3).map(label).collect::<Vec<_>>().repeat(2),
        keys: vec![0; 12],
        places: (0..6).collect(),
    };
    let moved = |part: usize, parts: usize| -> Result<(Vec<f32>, f32), Fault> {
        fixture.network.load(&fixture.weights);
        let stepper = Stepper::plan(&settings, &fixture.network, part, parts)?;
        for step in 0..2 {
            let scalars = Schedule::new(&settings, 8).step(step, step);
            stepper.run(&batch, &LossWeights::of_classes(1.0, 0.5), scalars)?;
        }
        let weights = fixture.network.weights(0)?.params.concat();
        let moved = weights.iter().zip(fixture.weights.params.iter().flatten()).map(|(a, b)| a - b).collect();
        Ok((moved, stepper.losses(2)?.plain[1]))
    };
    let ((whole, whole_loss), (halves, halves_loss)) = (moved(6, 1)?, moved(3, 2)?);
    let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
    compare("loss", &[halves_loss], &[whole_loss.into()], 0.0)?;
    require(whole.iter().any(|value| value.abs() > 1e-6), "the weights have moved")?;
    Ok(compare("movement of the weights", &halves, &whole, 0.0)?)
}

const RATE: f32 = 0.01;
const DECAY: f32 = 0.02;
const STEPS: i32 = 4;

/// Some updates of the weights of a network, with gradients from a formula.
fn updates(engine: &Arc<Engine>, optimizer: Optimizer) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 32, 1)?;
    let start: Vec<f32> = fixture.weights.params.concat();
    let gradient = |step: i32| -> Vec<f32> {
        (0..start.len()).map(|at| (at as f32 * 0.11 + step as f32).sin() * 0.1).collect()
    };
    let mut recording = crate::gpu::recording::Recording::default();
    let state = State {
        step: recording.external(NAME, LEN),
        gradient: recording.external("gradient", start.len()),
        weight: recording.external("weight", start.len()),
        first: recording.external("first", start.len()),
        second: recording.external("second", start.len()),
    };
    optimizer::update(&mut recording, optimizer, state, DECAY);
    let mut named = HashMap::new();
    for (name, len) in
        [(NAME, LEN), ("gradient", start.len()), ("first", start.len()), ("second", start.len())]
    {
        named.insert(name.to_owned(), engine.buffer(name, len)?);
    }
    named.insert("weight".to_owned(), engine.upload("weight", &start)?);
    let plan = engine.compile(&recording, &named)?;
    let mut expected: Vec<f64> = start.iter().map(|&value| value.into()).collect();
    let mut first = vec![0.0; start.len()];
    let mut second = vec![0.0; start.len()];
    for time in 1..=STEPS {
        let g = gradient(time);
        let (bias1, bias2) = match optimizer {
            Optimizer::Sgd { .. } => (1.0, 1.0),
            Optimizer::Adamw { beta1, beta2, .. } => (1.0 - beta1.powi(time), 1.0 - beta2.powi(time)),
        };
        let scalars = Step { learning_rate: RATE, bias1, bias2, ..Step::default() };
        engine.write(&named[NAME], 0, &[scalars]);
        engine.write(&named["gradient"], 0, &g);
        engine.run(&plan)?;
        let g: Vec<f64> = g.into_iter().map(f64::from).collect();
        match optimizer {
            Optimizer::Sgd { momentum, nesterov } => Sgd {
                learning_rate: RATE.into(),
                momentum: momentum.into(),
                weight_decay: DECAY.into(),
                nesterov,
            }
            .step(&mut expected, &g, &mut first),
            Optimizer::Adamw { beta1, beta2, eps } => AdamW {
                learning_rate: RATE.into(),
                beta1: beta1.into(),
                beta2: beta2.into(),
                eps: eps.into(),
                weight_decay: DECAY.into(),
            }
            .step(time as _, &mut expected, &g, &mut first, &mut second),
        }
    }
    let found = engine.read(&named["weight"], 0, start.len())?;
    Ok(compare("weights", &found, &expected, 0.0)?)
}
