//! 8-bit pixels to floats, and their normalisation.

use crate::harness::{Bench, Rule, draw, spaced, table};
use dfrt_trainer::ops::pixels;
use dfrt_trainer::reference::pixels::{self as reference, Normalisation};
use libtest_mimic::Trial;

/// Number of pixels.
const BYTES: &[(&str, usize)] = &[("all_levels", 256), ("one_picture_element", 1), ("over_a_group", 65)];

/// Number of pixels, mean and deviation.
type Case = (usize, [f32; 3], [f32; 3]);

const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

const NORMALISE: &[(&str, Case)] = &[
    ("normalise_one", (1, IMAGENET.0, IMAGENET.1)),
    ("normalise_over_a_group", (65, IMAGENET.0, IMAGENET.1)),
    ("normalise_lite", (147, [127.0 / 255.0; 3], [128.0 / 255.0; 3])),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("pixels", BYTES, from_bytes);
    trials.extend(table("pixels", NORMALISE, normalise));
    trials
}

/// Every colour takes every level, in its own order; the highest byte means nothing.
fn from_bytes(bench: &mut Bench, count: usize) {
    let colours: Vec<[u8; 3]> =
        (0..count).map(|at| [at as u8, 255 - at as u8, (at as u8).wrapping_mul(7)]).collect();
    let packed: Vec<u32> =
        colours.iter().map(|&[red, green, blue]| u32::from_le_bytes([red, green, blue, 0xA5])).collect();
    let bytes = bench.integers("bytes", &packed);
    let floats = bench.output("pixels", 4 * count);
    pixels::from_bytes(&mut bench.recording, bytes, floats);
    let expected = reference::from_bytes(colours.as_flattened());
    bench.expect_by(Rule::Ulps(1), "pixels", floats, &spaced(&expected, 3, 4));
}

fn normalise(bench: &mut Bench, (count, mean, std): Case) {
    let by = Normalisation { mean: mean.map(f64::from), std: std.map(f64::from) };
    let (x, dy) = (draw("x", 3 * count, 0.5, 0.5), draw("dy", 3 * count, 0.2, 1.0));
    let on_x = bench.input("x", &spaced(&x, 3, 4));
    let y = pixels::forward(&mut bench.recording, on_x, mean, std);
    bench.expect("y", y, &spaced(&reference::normalise(&by, &x), 3, 4));
    // The fourth lane of what comes back means nothing, and must not go on.
    let with_rest: Vec<f64> = dy.chunks(3).flat_map(|pixel| [pixel, &[7.0]].concat()).collect();
    let on_dy = bench.input("dy", &with_rest);
    let dx = bench.output("dx", 4 * count);
    pixels::backward_input(&mut bench.recording, on_dy, std, dx);
    bench.expect("dx", dx, &spaced(&reference::normalise_backward(&by, &dy), 3, 4));
}
