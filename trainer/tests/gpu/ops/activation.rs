//! Activations on their own.

use crate::harness::{Bench, Rule, draw, table};
use dfrt_trainer::gpu::recording::{Recording, Tensor};
use dfrt_trainer::model::arch::Activation::{self, Relu6, Sigmoid, Silu};
use dfrt_trainer::ops::activation::{self, Folded};
use dfrt_trainer::reference::activation as reference;
use libtest_mimic::Trial;

/// Number of values, and how far from 1.5 they go.
const CASES: &[(&str, (Activation, usize, f64))] = &[
    ("silu_one", (Silu, 1, 5.0)),
    ("silu_ragged", (Silu, 10, 5.0)),
    ("silu_over_a_group", (Silu, 4 * 64 + 2, 9.0)),
    ("silu_far_out", (Silu, 501, 150.0)),
    ("relu6_ragged", (Relu6, 6, 5.0)),
    ("relu6_many", (Relu6, 1003, 9.0)),
    ("relu6_far_out", (Relu6, 101, 150.0)),
    ("sigmoid_ragged", (Sigmoid, 10, 5.0)),
    ("sigmoid_many", (Sigmoid, 1003, 9.0)),
    ("sigmoid_far_out", (Sigmoid, 501, 150.0)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("activation", CASES, both_ways);
    trials.extend(table("activation", &[("relu6_is_flat_at_its_corners", ())], corners));
    trials
}

/// The reference's name for an activation.
pub fn slow(activation: Activation) -> reference::Activation {
    match activation {
        Activation::Identity => reference::Activation::Identity,
        Activation::Silu => reference::Activation::Silu,
        Activation::Relu6 => reference::Activation::Relu6,
        Activation::Sigmoid => reference::Activation::Sigmoid,
    }
}

/// Expects of a convolution with a folded batch-norm what it says: each activation of
/// `convolved` [P, C] and the shift.
pub fn expect_folded(
    bench: &mut Bench,
    convolved: &[f64],
    channels: usize,
    forward: impl Fn(&mut Recording, Folded) -> Tensor,
) {
    let values = draw("affine", 2 * channels, 0.5, 2.0);
    let affine = bench.input("affine", &values);
    let shift = &values[channels..];
    for activation in [Activation::Identity, Silu, Relu6] {
        let value = |(at, value): (usize, &f64)| slow(activation).value(value + shift[at % channels]);
        let expected: Vec<f64> = convolved.iter().enumerate().map(value).collect();
        let y = forward(&mut bench.recording, Folded { affine, activation });
        bench.expect(&format!("y folded, {activation:?}"), y, &expected);
    }
}

fn both_ways(bench: &mut Bench, (activation, len, spread): (Activation, usize, f64)) {
    let (x, dy) = (draw("x", len, 1.5, spread), draw("dy", len, 0.5, 2.0));
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let y = activation::forward(&mut bench.recording, on_x, activation);
    bench.expect("y", y, &reference::forward(slow(activation), &x));
    let dx = activation::backward(&mut bench.recording, on_x, on_dy, activation);
    bench.expect("dx", dx, &reference::backward(slow(activation), &x, &dy));
}

fn corners(bench: &mut Bench, (): ()) {
    let (x, dy) = ([-1.0, 0.0, 3.0, 6.0, 7.0], [1.0, 2.0, 3.0, 4.0, 5.0]);
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let dx = activation::backward(&mut bench.recording, on_x, on_dy, Relu6);
    bench.expect_by(Rule::Ulps(0), "dx", dx, &[0.0, 0.0, 3.0, 0.0, 0.0]);
}
