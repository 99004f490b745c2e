//! Three steps of the weights, and the mix of two gradients.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::optimizer::{self, Optimizer, State};
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::reference::optimizer::{AdamW, Sgd};
use libtest_mimic::Trial;

const STEPS: u32 = 3;

/// The optimiser, number of weights, weight decay.
type Case = (Optimizer, usize, f32);

const SGD: Optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: false };
const PLAIN: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false };
const NESTEROV: Optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: true };
const ADAMW: Optimizer = Optimizer::Adamw { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

const CASES: &[(&str, Case)] = &[
    ("sgd_without_momentum", (PLAIN, 10, 0.0)),
    ("sgd", (SGD, 6, 0.0)),
    ("sgd_with_decay", (SGD, 259, 0.05)),
    ("nesterov", (NESTEROV, 1, 0.0)),
    ("nesterov_with_decay", (NESTEROV, 258, 0.05)),
    ("adamw", (ADAMW, 10, 0.0)),
    ("adamw_with_decay", (ADAMW, 1027, 0.05)),
];

/// Number of values, alpha.
const MIX: &[(&str, (usize, f32))] = &[
    ("mix_ragged", (10, 0.3)),
    ("mix_alpha_1", (257, 1.0)),
    ("mix_alpha_0", (6, 0.0)),
    ("mix_beyond_1", (64, 2.5)),
];

/// Number of values, the share kept of the total.
const ACCUMULATE: &[(&str, (usize, f32))] =
    &[("accumulate_first", (10, 0.0)), ("accumulate_next", (257, 1.0))];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("optimizer", CASES, three_steps);
    trials.extend(table("optimizer", MIX, mix));
    trials.extend(table("optimizer", ACCUMULATE, accumulate));
    trials
}

/// The learning rate falls from step to step; it is large, so that every step shows.
fn learning_rate(t: u32) -> f32 {
    0.5 / t as f32
}

fn three_steps(bench: &mut Bench, (optimizer, len, weight_decay): Case) {
    let mut weight = draw("weight", len, 0.2, 0.5);
    let (mut first, mut second) = (vec![0.0; len], vec![0.0; len]);
    let on_weight = bench.state("weight", &weight);
    let (on_first, on_second) = (bench.state("first", &first), bench.state("second", &second));
    for t in 1..=STEPS {
        let gradient = draw(&format!("gradient {t}"), len, 0.1, 1.0);
        let state = State {
            step: bench.step(&format!("step {t}"), scalars(optimizer, t)),
            gradient: bench.input(&format!("gradient {t}"), &gradient),
            weight: on_weight,
            first: on_first,
            second: on_second,
        };
        optimizer::update(&mut bench.recording, optimizer, state, weight_decay);
        slow_step(optimizer, t, weight_decay, &mut weight, &gradient, &mut first, &mut second);
    }
    bench.expect("weight", on_weight, &weight);
    bench.expect("first", on_first, &first);
    bench.expect("second", on_second, &second);
}

fn scalars(optimizer: Optimizer, t: u32) -> Step {
    let correction = |beta: f32| (1.0 - f64::from(beta).powi(t as i32)) as f32;
    let (bias1, bias2) = match optimizer {
        Optimizer::Sgd { .. } => (1.0, 1.0),
        Optimizer::Adamw { beta1, beta2, .. } => (correction(beta1), correction(beta2)),
    };
    Step { learning_rate: learning_rate(t), bias1, bias2, ..Step::default() }
}

fn slow_step(
    optimizer: Optimizer,
    t: u32,
    weight_decay: f32,
    weight: &mut [f64],
    gradient: &[f64],
    first: &mut [f64],
    second: &mut [f64],
) {
    let (learning_rate, weight_decay) = (f64::from(learning_rate(t)), f64::from(weight_decay));
    match optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            let momentum = f64::from(momentum);
            Sgd { learning_rate, momentum, weight_decay, nesterov }.step(weight, gradient, first);
        }
        Optimizer::Adamw { beta1, beta2, eps } => {
            let [beta1, beta2, eps] = [beta1, beta2, eps].map(f64::from);
            AdamW { learning_rate, beta1, beta2, eps, weight_decay }.step(t, weight, gradient, first, second);
        }
    }
}

fn mix(bench: &mut Bench, (len, alpha): (usize, f32)) {
    let (plain, mixed) = (draw("plain", len, 0.3, 1.0), draw("mixed", len, -0.2, 1.0));
    let step = bench.step("step", Step { alpha, ..Step::default() });
    let (on_plain, on_mixed) = (bench.input("plain", &plain), bench.state("mixed", &mixed));
    optimizer::mix(&mut bench.recording, step, on_plain, on_mixed);
    let alpha = f64::from(alpha);
    let expected: Vec<f64> =
        plain.iter().zip(&mixed).map(|(plain, mixed)| (1.0 - alpha) * plain + alpha * mixed).collect();
    bench.expect("mixed", on_mixed, &expected);
}

fn accumulate(bench: &mut Bench, (len, kept): (usize, f32)) {
    let (gradient, total) = (draw("gradient", len, 0.3, 1.0), draw("total", len, -0.2, 1.0));
    let scalars = Step { kept, share: 0.25, ..Step::default() };
    let step = bench.step("step", scalars);
    let (on_gradient, on_total) = (bench.input("gradient", &gradient), bench.state("total", &total));
    optimizer::accumulate(&mut bench.recording, step, on_gradient, on_total);
    let expected: Vec<f64> =
        gradient.iter().zip(&total).map(|(part, total)| f64::from(kept) * total + 0.25 * part).collect();
    bench.expect("total", on_total, &expected);
}
