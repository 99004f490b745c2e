//! The small linear layers.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::linear::{self, Shape};
use dfrt_trainer::reference::linear::{self as reference, Linear};
use libtest_mimic::Trial;

/// N, K, M.
const CASES: &[(&str, [usize; 3])] = &[
    ("one_of_each", [1, 1, 1]),
    ("squeeze", [3, 12, 6]),
    ("expand", [3, 6, 12]),
    ("ragged", [2, 10, 5]),
    ("over_a_group", [5, 13, 13]),
    ("classifier", [3, 1280, 1]),
    ("many_pictures", [130, 20, 3]),
];

pub fn trials() -> Vec<Trial> {
    table("linear", CASES, both_ways)
}

fn both_ways(bench: &mut Bench, [n, k, m]: [usize; 3]) {
    let (shape, slow) = (Shape { n, k, m }, Linear { n, k, m });
    let x = draw("x", n * k, 0.4, 1.0);
    let (weight, bias) = (draw("weight", m * k, 0.1, 1.0), draw("bias", m, -0.5, 1.0));
    let dy = draw("dy", n * m, 0.2, 1.0);
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let (on_weight, on_bias) = (bench.input("weight", &weight), bench.input("bias", &bias));

    let expected = reference::forward(&slow, &x, &weight, &bias);
    let y = linear::forward(&mut bench.recording, on_x, on_weight, on_bias, shape, None);
    bench.expect("y", y, &expected);
    let own = bench.output("own y", n * m);
    linear::forward(&mut bench.recording, on_x, on_weight, on_bias, shape, Some(own));
    bench.expect("own y", own, &expected);

    let dx = linear::backward_input(&mut bench.recording, on_dy, on_weight, shape);
    bench.expect("dx", dx, &reference::backward_input(&slow, &dy, &weight));
    let dweight = bench.output("dweight", m * k);
    linear::backward_weight(&mut bench.recording, on_x, on_dy, shape, dweight);
    bench.expect("dweight", dweight, &reference::backward_weight(&slow, &x, &dy));
    let dbias = bench.output("dbias", m);
    linear::backward_bias(&mut bench.recording, on_dy, shape, dbias);
    bench.expect("dbias", dbias, &reference::backward_bias(&slow, &dy));
}
