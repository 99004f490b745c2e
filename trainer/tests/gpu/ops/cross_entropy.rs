//! Losses of one logit a picture.

use crate::harness::{Bench, Rule, draw, table};
use dfrt_runtime::detector::oracle::AttackLoss;
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::ops::cross_entropy;
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::reference::cross_entropy as reference;
use libtest_mimic::Trial;

/// Logits by hand, every one as a fake and as a real.
const LOGITS: &[(&str, &[f64])] = &[
    ("undecided", &[0.0, 0.25, -0.25]),
    ("decided", &[3.0, -3.0, 7.5, -7.5]),
    ("where_the_tail_is_small", &[9.0, -9.0, 9.1875, -9.1875, 9.25, -9.25, 12.0, -12.0]),
    ("confident", &[20.0, -20.0, 17.5, -17.5]),
    ("beyond_rounding", &[40.0, -40.0, 80.0, -80.0]),
    ("beyond_f32", &[100.0, -100.0, 88.0, -95.0, 1000.0, -1000.0]),
];

/// Number of logits.
const MANY: &[(&str, usize)] = &[("one", 1), ("group", 64), ("over_a_group", 65), ("batch", 259)];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("cross_entropy", LOGITS, by_hand);
    trials.extend(table("cross_entropy", MANY, drawn));
    trials.extend(table("margin", MANY, margin));
    trials.extend(table("record", MANY, record));
    trials
}

/// Target and weight of each, as the shader takes them.
fn labels(targets: &[f64], weights: &[f64]) -> Vec<f64> {
    targets.iter().zip(weights).flat_map(|(&target, &weight)| [target, weight]).collect()
}

fn by_hand(bench: &mut Bench, logits: &[f64]) {
    let z = [logits, logits].concat();
    let targets: Vec<f64> = (0..z.len()).map(|at| if at < logits.len() { 1.0 } else { 0.0 }).collect();
    check(bench, &z, &targets, &draw("weights", z.len(), 1.0, 0.5));
}

fn drawn(bench: &mut Bench, n: usize) {
    let targets: Vec<f64> = (0..n).map(|at| (at % 3 % 2) as f64).collect();
    check(bench, &draw("z", n, 1.0, 12.0), &targets, &draw("weights", n, 1.0, 0.5));
}

/// Each loss and each gradient to a share of itself: neither saturates.
fn check(bench: &mut Bench, z: &[f64], targets: &[f64], weights: &[f64]) {
    let on_z = bench.input("z", z);
    let on_labels = bench.input("labels", &labels(targets, weights));
    let (losses, dz) =
        cross_entropy::forward(&mut bench.recording, AttackLoss::CrossEntropy, on_z, on_labels, None);
    let near = Rule::Relative(2e-5);
    bench.expect_by(near, "losses", losses, &reference::forward(z, targets, weights));
    bench.expect_by(near, "dz", dz, &reference::backward(z, targets, weights));
}

fn margin(bench: &mut Bench, n: usize) {
    let (z, weights) = (draw("z", n, 1.0, 50.0), vec![0.5; n]);
    let targets: Vec<f64> = (0..n).map(|at| (at % 2) as f64).collect();
    let on_z = bench.input("z", &z);
    let on_labels = bench.input("labels", &labels(&targets, &weights));
    let own = bench.output("losses", n);
    let (losses, dz) =
        cross_entropy::forward(&mut bench.recording, AttackLoss::Margin, on_z, on_labels, Some(own));
    assert_eq!(losses, own, "the losses go where they are wanted");
    bench.expect_by(Rule::Ulps(0), "losses", own, &reference::margin_forward(&z, &targets));
    bench.expect_by(Rule::Ulps(0), "dz", dz, &reference::margin_backward(&targets));
}

/// The mean goes into its slot; all others stay as they were.
fn record(bench: &mut Bench, n: usize) {
    let (losses, before) = (draw("losses", n, 0.7, 0.5), draw("history", 7, 5.0, 1.0));
    let on_losses = bench.input("losses", &losses);
    let slots = [(0, "step 0"), (3, "step 3"), (6, "step 6")];
    let history = bench.state("history", &before);
    for (slot, name) in slots {
        let step = bench.step(name, Step { slot, ..Step::default() });
        cross_entropy::record(&mut bench.recording, on_losses, step, history);
    }
    for (at, &before) in before.iter().enumerate() {
        let one = Tensor { offset: at, len: 1, ..history };
        if slots.iter().any(|&(slot, _)| slot as usize == at) {
            bench.expect_by(Rule::Relative(1e-6), "mean", one, &[reference::mean(&losses)]);
        } else {
            bench.expect_by(Rule::Ulps(0), "another slot", one, &[before]);
        }
    }
}
