//! 1x1 convolution.

use super::activation::expect_folded;
use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::pointwise::{self, Shape};
use dfrt_trainer::reference::pointwise::{self as reference, Product};
use libtest_mimic::Trial;

/// M, K, N.
const CASES: &[(&str, [usize; 3])] = &[
    ("one_row", [1, 4, 4]),
    ("one_under_a_tile", [7, 8, 12]),
    ("a_tile", [8, 8, 8]),
    ("one_over_a_tile", [9, 12, 20]),
    ("half_a_tile_wide", [17, 20, 4]),
    ("over_a_group", [65, 4, 68]),
    ("one_under_a_chunk", [31, 8, 4]),
    ("one_over_a_chunk", [33, 4, 8]),
    ("deep", [5, 320, 12]),
    ("two_stages", [2081, 12, 8]),
    ("many_rows", [5003, 4, 12]),
    ("a_square_tile", [64, 64, 64]),
    ("one_over_a_square_tile", [65, 68, 68]),
    ("low_and_wide", [15, 8, 260]),
    ("high_and_narrow", [257, 24, 16]),
    ("narrow_to_wide", [130, 16, 96]),
];

pub fn trials() -> Vec<Trial> {
    table("pointwise", CASES, both_ways)
}

fn both_ways(bench: &mut Bench, [m, k, n]: [usize; 3]) {
    let (shape, slow) = (Shape { m, k, n }, Product { m, k, n });
    let x = draw("x", m * k, 0.4, 1.0);
    let (weight, dy) = (draw("weight", k * n, 0.1, 1.0), draw("dy", m * n, 0.2, 1.0));
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let on_weight = bench.input("weight", &weight);
    let y = pointwise::forward(&mut bench.recording, on_x, on_weight, shape);
    let product = reference::forward(&slow, &x, &weight);
    bench.expect("y", y, &product);
    expect_folded(bench, &product, n, |recording, folded| {
        pointwise::forward_folded(recording, on_x, on_weight, folded, shape)
    });
    let dx = pointwise::backward_input(&mut bench.recording, on_dy, on_weight, shape);
    bench.expect("dx", dx, &reference::backward_input(&slow, &dy, &weight));
    let gradient = bench.output("gradient", k * n);
    pointwise::backward_weight(&mut bench.recording, on_x, on_dy, shape, gradient);
    bench.expect("dweight", gradient, &reference::backward_weight(&slow, &x, &dy));
}
