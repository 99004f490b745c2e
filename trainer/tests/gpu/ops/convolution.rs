//! Dense convolution.

use super::activation::expect_folded;
use crate::harness::{Bench, draw, spaced, table};
use dfrt_trainer::model::arch::Padding::{self, Same, Symmetric};
use dfrt_trainer::model::graph;
use dfrt_trainer::ops::convolution::{self, Shape};
use dfrt_trainer::reference::convolution::{self as reference, Window};
use libtest_mimic::Trial;

/// N, H, W, CI, CO, kernel, stride, padding.
type Case = ([usize; 7], Padding);

const CASES: &[(&str, Case)] = &[
    ("stem_symmetric", ([2, 9, 7, 3, 8, 3, 2], Symmetric)),
    ("stem_same", ([2, 9, 7, 3, 8, 3, 2], Same)),
    ("stem_same_even", ([1, 8, 6, 3, 4, 3, 2], Same)),
    ("stride_1", ([1, 5, 6, 3, 12, 3, 1], Symmetric)),
    ("kernel_5", ([2, 7, 5, 4, 4, 5, 1], Symmetric)),
    ("kernel_5_same", ([1, 6, 9, 8, 20, 5, 2], Same)),
    ("one_channel", ([3, 4, 4, 1, 4, 3, 1], Same)),
    ("five_channels", ([1, 4, 3, 5, 8, 3, 2], Symmetric)),
    ("one_pixel", ([1, 1, 1, 3, 4, 3, 2], Symmetric)),
    ("one_pixel_same", ([3, 1, 1, 3, 4, 5, 2], Same)),
    ("one_under_a_chunk", ([1, 7, 9, 3, 4, 3, 1], Symmetric)),
    ("one_over_a_chunk", ([1, 5, 13, 3, 4, 3, 1], Same)),
    ("two_stages", ([2, 49, 47, 3, 4, 3, 1], Symmetric)),
];

pub fn trials() -> Vec<Trial> {
    table("convolution", CASES, both_ways)
}

/// The same geometry for both sides, each by its own rules.
pub fn windows([n, h, w, ci, co, kernel, stride]: [usize; 7], padding: Padding) -> (graph::Window, Window) {
    match padding {
        Symmetric => (
            graph::Window::symmetric((h, w), kernel, stride),
            Window::symmetric(n, h, w, ci, co, kernel, stride),
        ),
        _ => (graph::Window::same((h, w), kernel, stride), Window::same(n, h, w, ci, co, kernel, stride)),
    }
}

fn both_ways(bench: &mut Bench, (sizes, padding): Case) {
    let [n, _, _, ci, co, ..] = sizes;
    let (window, slow) = windows(sizes, padding);
    let shape = Shape { n, window, ci, co };
    let x = draw("x", slow.input_len(), 0.4, 1.0);
    let weight = draw("weight", reference::weight_len(&slow), 0.1, 1.0);
    let dy = draw("dy", slow.output_len(), 0.2, 1.0);

    let on_x = bench.input("x", &spaced(&x, ci, shape.channel_stride()));
    let (on_weight, on_dy) = (bench.input("weight", &weight), bench.input("dy", &dy));
    let y = convolution::forward(&mut bench.recording, on_x, on_weight, shape);
    let convolved = reference::forward(&slow, &x, &weight);
    bench.expect("y", y, &convolved);
    expect_folded(bench, &convolved, co, |recording, folded| {
        convolution::forward_folded(recording, on_x, on_weight, folded, shape)
    });
    let dx = convolution::backward_input(&mut bench.recording, on_dy, on_weight, shape);
    let expected = reference::backward_input(&slow, &dy, &weight);
    bench.expect("dx", dx, &spaced(&expected, ci, shape.channel_stride()));
    let gradient = bench.output("gradient", weight.len());
    convolution::backward_weight(&mut bench.recording, on_x, on_dy, shape, gradient);
    bench.expect("dweight", gradient, &reference::backward_weight(&slow, &x, &dy));
}
