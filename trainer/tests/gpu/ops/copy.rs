//! The copy that measures a device's memory.

use crate::harness::{Bench, Rule, draw, table};
use dfrt_trainer::ops::copy;
use libtest_mimic::Trial;

const CASES: &[(&str, usize)] =
    &[("one", 1), ("ragged", 10), ("group", 256), ("over_a_group", 257), ("many", 4099)];

pub fn trials() -> Vec<Trial> {
    table("copy", CASES, copies)
}

fn copies(bench: &mut Bench, len: usize) {
    let x = draw("x", len, 3.0, 2.0);
    let (from, to) = (bench.input("x", &x), bench.output("y", len));
    copy::forward(&mut bench.recording, from, to);
    bench.expect_by(Rule::Ulps(0), "y", to, &x);
}
