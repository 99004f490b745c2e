//! The norm of a flat gradient, and the ascent along it.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::sharpness as fast;
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::reference::sharpness as slow;
use libtest_mimic::Trial;

/// Values (a multiple of 64), size of the gradient.
const CASES: &[(&str, (usize, f64))] = &[
    ("one_row", (64, 1.0)),
    ("some_rows", (64 * 37, 1e-3)),
    ("many_chunks", (64 * 4099, 1.0)),
    ("tiny_gradient", (640, 1e-25)),
    ("no_gradient", (640, 0.0)),
];

pub fn trials() -> Vec<Trial> {
    table("sharpness", CASES, is_the_references)
}

fn is_the_references(bench: &mut Bench, (len, size): (usize, f64)) {
    let weight = draw("weight", len, 0.1, 1.0);
    let gradient: Vec<f64> =
        draw("gradient", len, 0.1, 1.0).iter().map(|g| f64::from((g * size) as f32)).collect();
    let radius = 0.5;
    let (on_weight, on_gradient) = (bench.input("weight", &weight), bench.input("gradient", &gradient));
    let step = bench.step("step", Step { radius, ..Step::default() });
    let norm = fast::norm(&mut bench.recording, on_gradient);
    let moved = fast::ascend(&mut bench.recording, on_weight, on_gradient, norm, step);
    bench.expect("norm", norm, &[gradient.iter().map(|g| g * g).sum::<f64>().sqrt()]);
    bench.expect("moved", moved, &slow::ascend(&[weight], &[gradient], radius.into())[0]);
    let cleared = bench.state("cleared", &vec![3.0; len]);
    fast::clear(&mut bench.recording, cleared);
    bench.expect("cleared", cleared, &vec![0.0; len]);
}
