//! The gate of squeeze-excite, alone and behind the layers that make it.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::model::arch::Activation::{Sigmoid, Silu};
use dfrt_trainer::ops::squeeze_excite::{self, Shape};
use dfrt_trainer::ops::{activation, linear, pool, residual};
use dfrt_trainer::reference::squeeze_excite::{self as reference, Scale, SqueezeExcite};
use libtest_mimic::Trial;

/// N, S, C.
const SCALE: &[(&str, [usize; 3])] = &[
    ("one_pixel", [1, 1, 4]),
    ("ragged", [3, 15, 12]),
    ("one_under_a_chunk", [2, 31, 8]),
    ("one_over_a_chunk", [2, 33, 20]),
    ("all_chunks", [2, 2113, 4]),
];

/// N, S, C, R.
const BLOCK: &[(&str, [usize; 4])] = &[
    ("block_one_pixel", [1, 1, 4, 1]),
    ("block_ragged", [3, 15, 12, 3]),
    ("block_of_ten", [2, 49, 20, 10]),
    ("block_many_pixels", [2, 1601, 8, 2]),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("squeeze_excite", SCALE, scale);
    trials.extend(table("squeeze_excite", BLOCK, block));
    trials
}

fn scale(bench: &mut Bench, [n, s, c]: [usize; 3]) {
    let (shape, slow) = (Shape { n, area: s, channels: c }, Scale { n, s, c });
    let (x, dy) = (draw("x", n * s * c, 0.4, 1.0), draw("dy", n * s * c, 0.2, 1.0));
    let gate = draw("gate", n * c, 0.5, 0.5);
    let (on_x, on_dy, on_gate) = (bench.input("x", &x), bench.input("dy", &dy), bench.input("gate", &gate));
    let (dx, dgate) = reference::scale_backward(&slow, &x, &gate, &dy);
    let y = squeeze_excite::scale(&mut bench.recording, on_x, on_gate, shape);
    bench.expect("y", y, &reference::scale(&slow, &x, &gate));
    let on_dx = squeeze_excite::scale(&mut bench.recording, on_dy, on_gate, shape);
    bench.expect("dx", on_dx, &dx);
    let on_dgate = squeeze_excite::backward_gate(&mut bench.recording, on_x, on_dy, shape);
    bench.expect("dgate", on_dgate, &dgate);
}

fn block(bench: &mut Bench, [n, s, c, r]: [usize; 4]) {
    let slow = SqueezeExcite {
        n,
        s,
        c,
        r,
        reduce_weight: &draw("reduce weight", r * c, 0.1, 1.0),
        reduce_bias: &draw("reduce bias", r, 0.2, 0.5),
        expand_weight: &draw("expand weight", c * r, 0.1, 1.0),
        expand_bias: &draw("expand bias", c, -0.2, 0.5),
    };
    let (x, dy) = (draw("x", n * s * c, 0.4, 1.0), draw("dy", n * s * c, 0.2, 1.0));
    let on = OnGpu {
        x: bench.input("x", &x),
        dy: bench.input("dy", &dy),
        reduce: [bench.input("rw", slow.reduce_weight), bench.input("rb", slow.reduce_bias)],
        expand: [bench.input("ew", slow.expand_weight), bench.input("eb", slow.expand_bias)],
    };
    let shapes = Shapes {
        gate: Shape { n, area: s, channels: c },
        reduce: linear::Shape { n, k: c, m: r },
        expand: linear::Shape { n, k: r, m: c },
    };
    let squeezed = record_forward(bench, &on, shapes);
    bench.expect("y", squeezed.y, &reference::forward(&slow, &x));
    record_backward(bench, &on, shapes, &squeezed, &reference::backward(&slow, &x, &dy));
}

#[derive(Clone, Copy)]
struct Shapes {
    gate: Shape,
    reduce: linear::Shape,
    expand: linear::Shape,
}

struct OnGpu {
    x: Tensor,
    dy: Tensor,
    reduce: [Tensor; 2],
    expand: [Tensor; 2],
}

struct Squeezed {
    pooled: Tensor,
    reduced: Tensor,
    hidden: Tensor,
    expanded: Tensor,
    gate: Tensor,
    y: Tensor,
}

fn record_forward(bench: &mut Bench, on: &OnGpu, shapes: Shapes) -> Squeezed {
    let Shape { n, area, channels } = shapes.gate;
    let recording = &mut bench.recording;
    let pooled = pool::forward(recording, on.x, n, area, channels);
    let reduced = linear::forward(recording, pooled, on.reduce[0], on.reduce[1], shapes.reduce, None);
    let hidden = activation::forward(recording, reduced, Silu);
    let expanded = linear::forward(recording, hidden, on.expand[0], on.expand[1], shapes.expand, None);
    let gate = activation::forward(recording, expanded, Sigmoid);
    let y = squeeze_excite::scale(recording, on.x, gate, shapes.gate);
    Squeezed { pooled, reduced, hidden, expanded, gate, y }
}

fn record_backward(
    bench: &mut Bench,
    on: &OnGpu,
    shapes: Shapes,
    squeezed: &Squeezed,
    expected: &reference::Gradients,
) {
    let outputs = [
        ("dreduce_weight", &expected.dreduce_weight),
        ("dreduce_bias", &expected.dreduce_bias),
        ("dexpand_weight", &expected.dexpand_weight),
        ("dexpand_bias", &expected.dexpand_bias),
    ];
    let [dreduce_weight, dreduce_bias, dexpand_weight, dexpand_bias] = outputs.map(|(name, values)| {
        let tensor = bench.output(name, values.len());
        bench.expect(name, tensor, values);
        tensor
    });
    let Shape { n, area, channels } = shapes.gate;
    let recording = &mut bench.recording;
    let dgate = squeeze_excite::backward_gate(recording, on.x, on.dy, shapes.gate);
    let dexpanded = activation::backward(recording, squeezed.expanded, dgate, Sigmoid);
    linear::backward_weight(recording, squeezed.hidden, dexpanded, shapes.expand, dexpand_weight);
    linear::backward_bias(recording, dexpanded, shapes.expand, dexpand_bias);
    let dhidden = linear::backward_input(recording, dexpanded, on.expand[0], shapes.expand);
    let dreduced = activation::backward(recording, squeezed.reduced, dhidden, Silu);
    linear::backward_weight(recording, squeezed.pooled, dreduced, shapes.reduce, dreduce_weight);
    linear::backward_bias(recording, dreduced, shapes.reduce, dreduce_bias);
    let dpooled = linear::backward_input(recording, dreduced, on.reduce[0], shapes.reduce);
    let through_pool = pool::backward(recording, dpooled, n, area, channels);
    let direct = squeeze_excite::scale(recording, on.dy, squeezed.gate, shapes.gate);
    let dx = residual::add(recording, direct, through_pool);
    bench.expect("dx", dx, &expected.dx);
}
