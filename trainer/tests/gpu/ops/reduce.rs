//! Sums over rows.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::reduce::{self, Rows};
use libtest_mimic::Trial;

/// Groups, rows, values of a row, and the scale.
const CASES: &[(&str, ([usize; 3], f32))] = &[
    ("one", ([1, 1, 1], 1.0)),
    ("alone", ([1, 64, 5], 1.0)),
    ("one_over_a_chunk", ([1, 65, 5], 0.5)),
    ("groups", ([3, 67, 10], 1.0 / 67.0)),
    ("many_groups", ([70, 3, 1], -2.0)),
    ("all_chunks", ([2, 4097, 3], 1.0)),
    ("long_chunks", ([1, 20_011, 2], 0.25)),
    ("a_quad", ([1, 64, 4], 1.0)),
    ("quads_in_chunks", ([3, 131, 12], 0.5)),
    ("quads_over_a_group", ([2, 66, 260], 1.0)),
];

pub fn trials() -> Vec<Trial> {
    table("reduce", CASES, sums)
}

fn sums(bench: &mut Bench, ([groups, rows, length], scale): ([usize; 3], f32)) {
    let x = draw("x", groups * rows * length, 0.4, 1.0);
    let on_x = bench.input("x", &x);
    let mut expected = vec![0.0; groups * length];
    for (at, x) in x.iter().enumerate() {
        expected[at / (rows * length) * length + at % length] += x * f64::from(scale);
    }
    let shape = Rows { groups, rows, length };
    let y = reduce::sum(&mut bench.recording, on_x, shape, scale, None);
    bench.expect("y", y, &expected);
    let own = bench.output("own y", groups * length);
    reduce::sum(&mut bench.recording, on_x, shape, scale, Some(own));
    bench.expect("own y", own, &expected);
}
