//! The divergence of TRADES and its gradients.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::divergence as fast;
use dfrt_trainer::reference::divergence as slow;
use libtest_mimic::Trial;

/// Pictures, how large the logits are, beta.
type Case = (usize, f64, f32);

const CASES: &[(&str, Case)] = &[
    ("one", (1, 1.0, 6.0)),
    ("usual", (33, 1.5, 6.0)),
    ("over_a_group", (131, 3.0, 1.0)),
    ("no_beta", (7, 1.0, 0.0)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("divergence", CASES, is_the_references);
    trials.extend(table("divergence", &[("does_not_vanish_on_confident_logits", ())], confident));
    trials
}

fn is_the_references(bench: &mut Bench, (n, size, beta): Case) {
    let (clean, adversarial) = (draw("clean", n, 0.2, size), draw("adversarial", n, -0.3, size));
    let weights: Vec<f64> = (0..n).map(|index| 0.5 + 0.25 * (index % 3) as f64).collect();
    let labels: Vec<f64> = weights.iter().flat_map(|&weight| [0.0, weight]).collect();
    let on_clean = bench.input("clean", &clean);
    let on_adversarial = bench.input("adversarial", &adversarial);
    let on_labels = bench.input("labels", &labels);
    let term = fast::forward(&mut bench.recording, on_clean, on_adversarial, on_labels, beta);
    let away = fast::away(&mut bench.recording, on_clean, on_adversarial);
    let beta = beta.into();
    bench.expect("losses", term.losses, &slow::forward(&clean, &adversarial, &weights, beta));
    let [dclean, dadversarial] = slow::backward(&clean, &adversarial, &weights, beta);
    bench.expect("dclean", term.dclean, &dclean);
    bench.expect("dadversarial", term.dadversarial, &dadversarial);
    bench.expect("direction", away, &slow::away(&clean, &adversarial));
}

/// Both predictions are 1 in f32; the direction is still known, and nothing is NaN.
fn confident(bench: &mut Bench, (): ()) {
    let (clean, adversarial) = ([40.0, -60.0, 90.0], [41.0, -61.0, 90.0]);
    let on_clean = bench.input("clean", &clean);
    let on_adversarial = bench.input("adversarial", &adversarial);
    let on_labels = bench.input("labels", &[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    let away = fast::away(&mut bench.recording, on_clean, on_adversarial);
    let term = fast::forward(&mut bench.recording, on_clean, on_adversarial, on_labels, 6.0);
    bench.expect("direction", away, &[1.0, -1.0, 0.0]);
    bench.expect_by(crate::harness::Rule::Absolute(1e-6), "losses", term.losses, &[0.0; 3]);
    bench.expect_by(crate::harness::Rule::Absolute(1e-6), "dclean", term.dclean, &[0.0; 3]);
    bench.expect_by(crate::harness::Rule::Absolute(1e-6), "dadversarial", term.dadversarial, &[0.0; 3]);
}
