//! Dropout of features.

use super::mask::halves;
use crate::harness::{Bench, draw, draw_keys, table};
use dfrt_trainer::ops::{dropout, mask};
use dfrt_trainer::reference::dropout as reference;
use libtest_mimic::Trial;

/// N, C, rate.
const CASES: &[(&str, (usize, usize, f32))] = &[
    ("one", (1, 1, 0.5)),
    ("ragged", (3, 10, 0.2)),
    ("classifier", (5, 1280, 0.2)),
    // 65,535 workgroups are the most that one row of them may have.
    ("more_groups_than_a_row_holds", (3, 1_398_103, 0.5)),
];

pub fn trials() -> Vec<Trial> {
    table("dropout", CASES, features)
}

fn features(bench: &mut Bench, (n, c, rate): (usize, usize, f32)) {
    let keys = draw_keys(n);
    let factors = reference::factors(&keys, c, 7, rate);
    let (x, dy) = (draw("x", n * c, 0.4, 1.0), draw("dy", n * c, 0.2, 1.0));
    let on_keys = bench.integers("keys", &halves(&keys));
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let drawn = mask::draw(&mut bench.recording, on_keys, n, c, 7, rate);
    let y = dropout::apply(&mut bench.recording, on_x, drawn);
    bench.expect("y", y, &reference::forward(&x, &factors));
    let dx = dropout::apply(&mut bench.recording, on_dy, drawn);
    bench.expect("dx", dx, &reference::backward(&dy, &factors));
}
