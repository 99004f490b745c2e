//! Mean and variance of every channel, in groups.

use crate::harness::{Bench, Rule, draw, table};
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::ops::moments;
use dfrt_trainer::reference::moments as reference;
use libtest_mimic::Trial;

/// Groups, rows, channels; mean and spread of the input.
type Case = ([usize; 3], (f64, f64));

const CASES: &[(&str, Case)] = &[
    ("one_row", ([1, 1, 4], (0.5, 1.0))),
    ("one_row_a_group", ([5, 1, 8], (0.5, 1.0))),
    ("one_under_a_chunk", ([1, 31, 12], (0.5, 1.0))),
    ("one_over_a_chunk", ([1, 33, 20], (0.5, 1.0))),
    ("groups", ([3, 65, 8], (-2.0, 1.0))),
    ("all_chunks", ([1, 8193, 4], (0.5, 1.0))),
    ("groups_of_many_rows", ([3, 1601, 4], (2.0, 0.5))),
    ("large_mean", ([1, 401, 4], (100.0, 0.17))),
    ("large_mean_all_chunks", ([2, 9001, 4], (100.0, 0.17))),
    ("larger_mean", ([1, 401, 4], (-4096.0, 7.0))),
    ("constant", ([2, 77, 4], (100.1, 0.0))),
];

pub fn trials() -> Vec<Trial> {
    table("moments", CASES, by_group)
}

/// Means to a rounding of f32, variances to a small share of themselves, however
/// large the mean is.
fn by_group(bench: &mut Bench, ([groups, rows, channels], (mean, spread)): Case) {
    let x = draw("x", groups * rows * channels, mean, spread);
    let on_x = bench.input("x", &x);
    let y = moments::forward(&mut bench.recording, on_x, groups, rows, channels);
    let near_mean = Rule::Absolute(1.2e-7 * mean.abs() + 1e-6 * spread);
    let near_variance = Rule::Absolute(1e-10 + 1e-5 * spread * spread);
    for (group, x) in x.chunks(rows * channels).enumerate() {
        let expected = reference::forward(x, channels);
        let row = |row| Tensor { offset: (2 * group + row) * channels, len: channels, ..y };
        bench.expect_by(near_mean, "mean", row(0), &expected.mean);
        bench.expect_by(near_variance, "variance", row(1), &expected.var);
    }
}
