//! Drop-path of branches.

use super::mask::halves;
use crate::harness::{Bench, draw, draw_keys, table};
use dfrt_trainer::ops::{drop_path, mask};
use dfrt_trainer::reference::drop_path::{self as reference, DropPath};
use libtest_mimic::Trial;

/// N, values a picture, rate.
const CASES: &[(&str, (usize, usize, f32))] = &[
    ("one_quad", (1, 4, 0.5)),
    ("ragged", (7, 60, 0.2)),
    ("over_a_group", (5, 52, 0.1)),
    ("rate_0", (3, 12, 0.0)),
];

pub fn trials() -> Vec<Trial> {
    table("drop_path", CASES, branches)
}

fn branches(bench: &mut Bench, (n, values, rate): (usize, usize, f32)) {
    let keys = draw_keys(n);
    let (slow, factors) = (DropPath { n, values }, reference::factors(&keys, 3, rate));
    let (skip, branch) = (draw("skip", n * values, 0.4, 1.0), draw("branch", n * values, -0.3, 1.0));
    let dy = draw("dy", n * values, 0.2, 1.0);
    let on_keys = bench.integers("keys", &halves(&keys));
    let (on_skip, on_branch) = (bench.input("skip", &skip), bench.input("branch", &branch));
    let on_dy = bench.input("dy", &dy);
    let drawn = mask::draw(&mut bench.recording, on_keys, n, 1, 3, rate);
    let y = drop_path::forward(&mut bench.recording, on_skip, on_branch, drawn);
    bench.expect("y", y, &reference::forward(&slow, &skip, &branch, &factors));
    let dbranch = drop_path::backward_branch(&mut bench.recording, on_dy, drawn);
    bench.expect("dbranch", dbranch, &reference::backward(&slow, &dy, &factors).1);
}
