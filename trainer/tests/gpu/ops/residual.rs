//! The sum of two tensors.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::residual;
use dfrt_trainer::reference::residual as reference;
use libtest_mimic::Trial;

const CASES: &[(&str, usize)] =
    &[("one", 1), ("ragged", 10), ("group", 256), ("over_a_group", 257), ("many", 4099)];

pub fn trials() -> Vec<Trial> {
    table("residual", CASES, add)
}

fn add(bench: &mut Bench, len: usize) {
    let (a, b) = (draw("a", len, 3.0, 2.0), draw("b", len, -1.0, 2.0));
    let (on_a, on_b) = (bench.input("a", &a), bench.input("b", &b));
    let y = residual::add(&mut bench.recording, on_a, on_b);
    bench.expect("y", y, &reference::forward(&a, &b));
}
