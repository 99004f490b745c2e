//! The draws of dropout and drop-path.

use crate::harness::{Bench, Rule, draw_keys, table};
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::ops::mask;
use dfrt_trainer::reference::dropout;
use libtest_mimic::Trial;

/// Pictures, elements of each, the op's number and its rate.
type Case = ([usize; 3], f32);

const CASES: &[(&str, Case)] = &[
    ("one", ([1, 1, 0], 0.5)),
    ("drop_path", ([131, 1, 17], 0.2)),
    ("dropout", ([3, 1280, 230], 0.2)),
    ("ragged", ([5, 13, 2], 0.0125)),
    ("rate_0", ([2, 100, 3], 0.0)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("mask", CASES, is_the_references);
    trials.extend(table("mask", &[("does_not_depend_on_the_place_in_the_batch", ())], elsewhere));
    trials
}

/// Keys as the shader takes them: low half, high half.
pub fn halves(keys: &[u64]) -> Vec<u32> {
    keys.iter().flat_map(|&key| [key as u32, (key >> 32) as u32]).collect()
}

fn is_the_references(bench: &mut Bench, ([n, elements, op], rate): Case) {
    let keys = draw_keys(n);
    let on_keys = bench.integers("keys", &halves(&keys));
    let drawn = mask::draw(&mut bench.recording, on_keys, n, elements, op, rate);
    let expected = dropout::factors(&keys, elements, op as u32, rate);
    // The same elements are dropped; 1 / (1 - rate) is rounded.
    bench.expect_by(Rule::Ulps(1), "mask", drawn, &expected);
}

/// The picture that is second of four, then alone, then last of two.
fn elsewhere(bench: &mut Bench, (): ()) {
    let [a, b, c, d] = draw_keys(4)[..] else { unreachable!("four were drawn") };
    let expected = dropout::factors(&[b], 37, 5, 0.3);
    for (name, keys, place) in [("of four", &[a, b, c, d][..], 1), ("alone", &[b], 0), ("of two", &[d, b], 1)]
    {
        let on_keys = bench.integers(name, &halves(keys));
        let drawn = mask::draw(&mut bench.recording, on_keys, keys.len(), 37, 5, 0.3);
        bench.expect_by(Rule::Ulps(1), name, Tensor { offset: place * 37, len: 37, ..drawn }, &expected);
    }
}
