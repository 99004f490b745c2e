//! Masks where they are used: dropout on features, drop-path on branches.

use super::mask::halves;
use crate::harness::{Bench, draw, draw_keys, table};
use dfrt_trainer::ops::{drop_path, dropout, mask};
use dfrt_trainer::reference::drop_path::{self as reference_path, DropPath};
use dfrt_trainer::reference::dropout as reference;
use libtest_mimic::Trial;

/// N, C, rate.
const DROPOUT: &[(&str, (usize, usize, f32))] = &[
    ("one", (1, 1, 0.5)),
    ("ragged", (3, 10, 0.2)),
    ("classifier", (5, 1280, 0.2)),
    // 65,535 workgroups are the most that one row of them may have.
    ("more_groups_than_a_row_holds", (3, 1_398_103, 0.5)),
];

/// N, values a picture, rate.
const DROP_PATH: &[(&str, (usize, usize, f32))] = &[
    ("one_quad", (1, 4, 0.5)),
    ("ragged", (7, 60, 0.2)),
    ("over_a_group", (5, 52, 0.1)),
    ("rate_0", (3, 12, 0.0)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("dropout", DROPOUT, features);
    trials.extend(table("drop_path", DROP_PATH, branches));
    trials
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

fn branches(bench: &mut Bench, (n, values, rate): (usize, usize, f32)) {
    let keys = draw_keys(n);
    let (slow, factors) = (DropPath { n, values }, reference_path::factors(&keys, 3, rate));
    let (skip, branch) = (draw("skip", n * values, 0.4, 1.0), draw("branch", n * values, -0.3, 1.0));
    let dy = draw("dy", n * values, 0.2, 1.0);
    let on_keys = bench.integers("keys", &halves(&keys));
    let (on_skip, on_branch) = (bench.input("skip", &skip), bench.input("branch", &branch));
    let on_dy = bench.input("dy", &dy);
    let drawn = mask::draw(&mut bench.recording, on_keys, n, 1, 3, rate);
    let y = drop_path::forward(&mut bench.recording, on_skip, on_branch, drawn);
    bench.expect("y", y, &reference_path::forward(&slow, &skip, &branch, &factors));
    let dbranch = drop_path::backward_branch(&mut bench.recording, on_dy, drawn);
    bench.expect("dbranch", dbranch, &reference_path::backward(&slow, &dy, &factors).1);
}
