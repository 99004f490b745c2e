//! The finite difference along the gradient of the pixels.

use crate::harness::{Bench, draw, spaced, table};
use dfrt_trainer::ops::input_slope::{self as fast, Pass};
use dfrt_trainer::reference::{cross_entropy, input_slope as slow};
use libtest_mimic::Trial;

/// Pictures, pixels, size of the gradient.
const AHEAD: &[(&str, ([usize; 2], f64))] = &[
    ("one_pixel", ([1, 1], 1.0)),
    ("ragged", ([3, 65], 1e-3)),
    ("many_chunks", ([2, 4097], 1.0)),
    ("tiny_gradient", ([2, 40], 1e-25)),
];

/// Pictures, h, lambda.
const WEIGH: &[(&str, (usize, f32, f32))] =
    &[("one", (1, 0.01, 0.1)), ("usual", (33, 0.1, 0.5)), ("no_penalty", (7, 0.01, 0.0))];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("input_slope/ahead", AHEAD, ahead);
    trials.extend(table("input_slope/weigh", WEIGH, weigh));
    trials
}

fn ahead(bench: &mut Bench, ([n, pixels], size): ([usize; 2], f64)) {
    let x = draw("x", 3 * n * pixels, 0.5, 0.3);
    let mut gradient = draw("gradient", 3 * n * pixels, 0.1 * size, size);
    if n > 1 {
        gradient[3 * pixels..6 * pixels].fill(0.0);
    }
    let on_x = bench.input("x", &spaced(&x, 3, 4));
    let on_gradient = bench.input("gradient", &spaced(&gradient, 3, 4));
    let found = fast::ahead(&mut bench.recording, n, on_x, on_gradient, 0.25);
    bench.expect("x + h v", found, &spaced(&slow::ahead(&x, &gradient, n, 0.25), 3, 4));
}

fn weigh(bench: &mut Bench, (n, h, lambda): (usize, f32, f32)) {
    let targets: Vec<f64> = (0..n).map(|index| (index % 2) as f64).collect();
    // One picture has no weight.
    let weights: Vec<f64> =
        (0..n).map(|index| 0.5 * (index % 3) as f64 + f64::from(u8::from(n == 1))).collect();
    let passes = ["at", "ahead"].map(|name| {
        let z = draw(name, n, 0.0, 1.0);
        let rounded = |values: Vec<f64>| values.iter().map(|&v| f64::from(v as f32)).collect::<Vec<f64>>();
        (
            rounded(cross_entropy::forward(&z, &targets, &weights)),
            rounded(cross_entropy::backward(&z, &targets, &weights)),
        )
    });
    let labels: Vec<f64> =
        targets.iter().zip(&weights).flat_map(|(&target, &weight)| [target, weight]).collect();
    let on_labels = bench.input("labels", &labels);
    let mut pass = |name: &str, (losses, dlogits): &(Vec<f64>, Vec<f64>)| Pass {
        losses: bench.input(&format!("losses {name}"), losses),
        dlogits: bench.input(&format!("dlogits {name}"), dlogits),
    };
    let (at, ahead) = (pass("at", &passes[0]), pass("ahead", &passes[1]));
    let [own, other] = fast::weigh(&mut bench.recording, on_labels, at, ahead, (h, lambda));
    let expected = slow::weigh(
        &weights,
        [&passes[0].0, &passes[1].0],
        [&passes[0].1, &passes[1].1],
        (h.into(), lambda.into()),
    );
    bench.expect("own", own, &expected[0]);
    bench.expect("own_ahead", other, &expected[1]);
}
