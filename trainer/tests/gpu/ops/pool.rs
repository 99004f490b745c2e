//! Global average pool.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::pool;
use dfrt_trainer::reference::pool::{self as reference, Pool};
use libtest_mimic::Trial;

/// N, S, C.
const CASES: &[(&str, [usize; 3])] = &[
    ("one_pixel", [1, 1, 4]),
    ("seven_by_seven", [3, 49, 20]),
    ("one_under_a_chunk", [2, 63, 8]),
    ("one_over_a_chunk", [2, 65, 12]),
    ("two_stages", [2, 4161, 4]),
];

pub fn trials() -> Vec<Trial> {
    table("pool", CASES, both_ways)
}

fn both_ways(bench: &mut Bench, [n, s, c]: [usize; 3]) {
    let slow = Pool { n, s, c };
    let (x, dy) = (draw("x", n * s * c, 0.4, 1.0), draw("dy", n * c, 0.2, 1.0));
    let (on_x, on_dy) = (bench.input("x", &x), bench.input("dy", &dy));
    let y = pool::forward(&mut bench.recording, on_x, n, s, c);
    bench.expect("y", y, &reference::forward(&slow, &x));
    let dx = pool::backward(&mut bench.recording, on_dy, n, s, c);
    bench.expect("dx", dx, &reference::backward(&slow, &dy));
}
