//! Depthwise convolution.

use super::activation::expect_folded;
use super::convolution::windows;
use crate::harness::{Bench, draw, table};
use dfrt_trainer::model::arch::Padding::{self, Same, Symmetric};
use dfrt_trainer::ops::depthwise::{self, Shape};
use dfrt_trainer::reference::depthwise as reference;
use libtest_mimic::Trial;

/// N, H, W, C, kernel, stride, padding.
type Case = ([usize; 6], Padding);

const CASES: &[(&str, Case)] = &[
    ("kernel_3", ([2, 9, 7, 8, 3, 1], Symmetric)),
    ("kernel_3_stride_2", ([2, 9, 7, 8, 3, 2], Symmetric)),
    ("kernel_3_stride_2_even", ([1, 8, 6, 12, 3, 2], Symmetric)),
    ("kernel_3_same", ([2, 5, 6, 4, 3, 1], Same)),
    ("kernel_3_stride_2_same", ([2, 5, 6, 4, 3, 2], Same)),
    ("kernel_5", ([1, 7, 5, 20, 5, 1], Symmetric)),
    ("kernel_5_stride_2", ([2, 7, 8, 4, 5, 2], Symmetric)),
    ("kernel_5_same", ([1, 6, 7, 12, 5, 1], Same)),
    ("kernel_5_stride_2_same", ([2, 8, 5, 8, 5, 2], Same)),
    ("one_pixel", ([1, 1, 1, 4, 3, 1], Symmetric)),
    ("one_pixel_kernel_5_stride_2", ([3, 1, 1, 8, 5, 2], Symmetric)),
    ("one_pixel_same", ([1, 1, 1, 4, 5, 2], Same)),
    ("smaller_than_the_kernel", ([2, 2, 3, 4, 5, 1], Same)),
    ("one_over_a_chunk", ([1, 5, 3, 4, 3, 1], Symmetric)),
    ("all_chunks", ([3, 90, 11, 4, 3, 1], Symmetric)),
];

pub fn trials() -> Vec<Trial> {
    table("depthwise", CASES, both_ways)
}

fn both_ways(bench: &mut Bench, ([n, h, w, c, kernel, stride], padding): Case) {
    let (window, slow) = windows([n, h, w, c, c, kernel, stride], padding);
    let shape = Shape { n, window, c };
    let x = draw("x", slow.input_len(), 0.4, 1.0);
    let weight = draw("weight", reference::weight_len(&slow), 0.1, 1.0);
    let dy = draw("dy", slow.output_len(), 0.2, 1.0);

    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let on_weight = bench.input("weight", &weight);
    let y = depthwise::forward(&mut bench.recording, on_x, on_weight, shape);
    let convolved = reference::forward(&slow, &x, &weight);
    bench.expect("y", y, &convolved);
    expect_folded(bench, &convolved, c, |recording, folded| {
        depthwise::forward_folded(recording, on_x, on_weight, folded, shape)
    });
    let dx = depthwise::backward_input(&mut bench.recording, on_dy, on_weight, shape);
    bench.expect("dx", dx, &reference::backward_input(&slow, &dy, &weight));
    let gradient = bench.output("gradient", weight.len());
    depthwise::backward_weight(&mut bench.recording, on_x, on_dy, shape, gradient);
    bench.expect("dweight", gradient, &reference::backward_weight(&slow, &x, &dy));
}
