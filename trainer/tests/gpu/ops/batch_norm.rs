//! Batch-norm with the activation after it, in training.

use super::activation::slow;
use crate::harness::{Bench, Rule, TOLERANCE, draw, root_mean_square, table};
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::model::arch::Activation::{self, Identity, Relu6, Silu};
use dfrt_trainer::ops::batch_norm::{self, Saved, Shape};
use dfrt_trainer::reference::batch_norm::{self as reference, BatchNorm};
use dfrt_trainer::reference::moments::Moments;
use libtest_mimic::Trial;

#[derive(Clone, Copy)]
struct Case {
    rows: usize,
    channels: usize,
    activation: Activation,
    /// Of the input: its mean and its spread.
    input: (f64, f64),
    momentum: f32,
    /// Where the mean is large, rounding it to f32 alone is an error of this kind.
    tolerance: f64,
}

const fn case(rows: usize, channels: usize, activation: Activation) -> Case {
    Case { rows, channels, activation, input: (0.7, 2.0), momentum: 0.1, tolerance: TOLERANCE }
}

const TRAIN: &[(&str, Case)] = &[
    ("train_one_row", case(1, 4, Silu)),
    ("train_identity", case(7, 8, Identity)),
    ("train_silu", case(31, 12, Silu)),
    ("train_relu6", case(33, 20, Relu6)),
    ("train_one_under_a_tile", case(63, 4, Silu)),
    ("train_one_over_a_tile", case(65, 8, Silu)),
    ("train_momentum_0", Case { momentum: 0.0, ..case(45, 8, Identity) }),
    ("train_momentum_1", Case { momentum: 1.0, ..case(45, 8, Silu) }),
    ("train_two_stages", case(2113, 8, Silu)),
    ("train_all_chunks", case(9001, 4, Silu)),
    ("train_large_mean", Case { input: (100.0, 0.17), tolerance: 1e-4, ..case(2113, 4, Identity) }),
];

pub fn trials() -> Vec<Trial> {
    table("batch_norm", TRAIN, train)
}

const EPS: f32 = 1e-3;

struct Values {
    x: Vec<f64>,
    dy: Vec<f64>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
    running: Moments,
}

impl Values {
    fn of(case: Case) -> Self {
        let Case { rows, channels: c, input: (mean, spread), .. } = case;
        Self {
            x: draw("x", rows * c, mean, spread),
            dy: draw("dy", rows * c, 0.3, 1.0),
            gamma: draw("gamma", c, 1.5, 1.0),
            beta: draw("beta", c, 0.5, 1.0),
            running: Moments {
                mean: draw("running mean", c, 0.5, 1.0),
                var: draw("running var", c, 2.0, 1.0),
            },
        }
    }

    fn layer(&self, case: Case) -> BatchNorm<'_> {
        BatchNorm {
            m: case.rows,
            c: case.channels,
            gamma: &self.gamma,
            beta: &self.beta,
            eps: f64::from(EPS),
            activation: slow(case.activation),
        }
    }
}

fn shape(case: Case) -> Shape {
    Shape { rows: case.rows, channels: case.channels, activation: case.activation, eps: EPS }
}

fn flat(moments: &Moments) -> Vec<f64> {
    [&moments.mean[..], &moments.var].concat()
}

/// Mean and 1 / deviation.
fn normaliser(moments: &Moments) -> Vec<f64> {
    let inverse: Vec<f64> = moments.var.iter().map(|var| 1.0 / (var + f64::from(EPS)).sqrt()).collect();
    [&moments.mean[..], &inverse].concat()
}

fn train(bench: &mut Bench, case: Case) {
    let values = Values::of(case);
    let (layer, near) = (values.layer(case), Rule::Norm(case.tolerance));
    let x = bench.input("x", &values.x);
    let running = bench.state("running", &flat(&values.running));
    let statistics =
        batch_norm::batch_statistics(&mut bench.recording, x, running, shape(case), case.momentum);
    let (y, batch) = reference::forward_train(&layer, &values.x);
    bench.expect_by(near, "statistics", statistics, &normaliser(&batch));
    let mut moved = values.running.clone();
    reference::update_running(&mut moved, &batch, case.rows, f64::from(case.momentum));
    // Left alone means bit for bit.
    let near_running = if case.momentum == 0.0 { Rule::Ulps(0) } else { near };
    bench.expect_by(near_running, "running", running, &flat(&moved));

    let (saved, dy) = forward(bench, case, &values, x, statistics, &y);
    let sums = batch_norm::backward_affine(&mut bench.recording, saved, dy, shape(case), None);
    let dx = batch_norm::backward_input(&mut bench.recording, saved, dy, sums, shape(case));
    let expected = reference::backward_train(&layer, &values.x, &values.dy);
    bench.expect_by(near, "dgamma, dbeta", sums, &[expected.dgamma, expected.dbeta].concat());
    // Of few rows little is left: errors are measured by what was subtracted.
    let whole = root_mean_square(&reference::backward_eval(&layer, &values.x, &values.dy, &batch).dx);
    bench.expect_by(Rule::Absolute(case.tolerance * whole), "dx", dx, &expected.dx);
}

/// Records the forward pass; what its backward pass needs.
fn forward(
    bench: &mut Bench,
    case: Case,
    values: &Values,
    x: Tensor,
    statistics: Tensor,
    expected: &[f64],
) -> (Saved, Tensor) {
    let affine = bench.input("affine", &[&values.gamma[..], &values.beta].concat());
    let y = batch_norm::forward(&mut bench.recording, x, statistics, affine, shape(case));
    bench.expect_by(Rule::Norm(case.tolerance), "y", y, expected);
    (Saved { x, statistics, affine }, bench.input("dy", &values.dy))
}
