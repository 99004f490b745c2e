//! Batch-norms folded into convolutions.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::folding::BatchNorm;
use libtest_mimic::Trial;

/// Rows of the weight, channels.
type Case = [usize; 2];

const CASES: &[(&str, Case)] = &[("depthwise", [9, 32]), ("one_quad", [27, 4]), ("ragged", [24, 144])];

pub fn trials() -> Vec<Trial> {
    table("folding", CASES, is_the_formula)
}

fn is_the_formula(bench: &mut Bench, [rows, channels]: Case) {
    let eps = 1e-3f32;
    let (gamma, beta) = (draw("gamma", channels, 1.0, 0.5), draw("beta", channels, 0.0, 0.5));
    let mean = draw("mean", channels, 0.3, 1.0);
    let variance: Vec<f64> =
        draw("variance", channels, 0.5, 1.0).iter().map(|v| f64::from(v.abs() as f32)).collect();
    let weight = draw("weight", rows * channels, 0.0, 1.0);
    let by = BatchNorm {
        affine: bench.input("affine", &[gamma.clone(), beta.clone()].concat()),
        running: bench.input("running", &[mean.clone(), variance.clone()].concat()),
        eps,
    };
    let on_weight = bench.input("weight", &weight);
    let folded = bench.output("folded", rows * channels);
    let shift = bench.output("shift", 2 * channels);
    by.weight(&mut bench.recording, on_weight, folded);
    by.shift(&mut bench.recording, shift);
    let scale: Vec<f64> =
        gamma.iter().zip(&variance).map(|(gamma, v)| gamma / (v + f64::from(eps)).sqrt()).collect();
    let expected: Vec<f64> = weight.iter().enumerate().map(|(at, w)| w * scale[at % channels]).collect();
    bench.expect("folded", folded, &expected);
    let shifts = (0..channels).map(|at| beta[at] - mean[at] * scale[at]);
    bench.expect("shift", shift, &vec![1.0; channels].into_iter().chain(shifts).collect::<Vec<f64>>());
}
