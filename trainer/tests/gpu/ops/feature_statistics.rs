//! Gradient regularization's perturbation of two taps together, there and back.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::gpu::recording::Tensor;
use dfrt_trainer::ops::feature_statistics::{self as fast, Shape};
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::reference::feature_statistics::{
    self as slow,
    Flow::{self, Detached, Through},
    Norm::{self, Joint, PerTap},
    Sharing::{self, Batch, Image},
    Statistics, Tap,
};
use libtest_mimic::Trial;

#[derive(Clone, Copy)]
struct Case {
    n: usize,
    /// Area and channels of both taps.
    taps: [[usize; 2]; 2],
    sharing: Sharing,
    norm: Norm,
    flow: Flow,
    /// How large pass 1's gradient is.
    gradient: f64,
}

const fn case(n: usize, taps: [[usize; 2]; 2], sharing: Sharing, norm: Norm, flow: Flow) -> Case {
    Case { n, taps, sharing, norm, flow, gradient: 1e-3 }
}

const RAGGED: [[usize; 2]; 2] = [[15, 8], [6, 12]];

const CASES: &[(&str, Case)] = &[
    ("shared_joint", case(3, RAGGED, Batch, Joint, Through)),
    ("shared_per_tap", case(3, RAGGED, Batch, PerTap, Through)),
    ("shared_detached", case(3, RAGGED, Batch, Joint, Detached)),
    ("by_image_joint", case(3, RAGGED, Image, Joint, Through)),
    ("by_image_per_tap", case(5, RAGGED, Image, PerTap, Through)),
    ("by_image_detached", case(2, RAGGED, Image, Joint, Detached)),
    ("one_picture", case(1, RAGGED, Batch, Joint, Through)),
    ("one_pixel", case(2, [[1, 4], [1, 20]], Batch, Joint, Through)),
    ("around_a_chunk", case(2, [[31, 4], [33, 8]], Batch, Joint, Through)),
    ("all_chunks", case(2, [[2113, 4], [641, 8]], Batch, Joint, Through)),
    ("many_pictures", case(67, [[9, 4], [4, 8]], Batch, Joint, Through)),
    ("no_gradient", Case { gradient: 0.0, ..case(3, RAGGED, Batch, Joint, Through) }),
    ("no_gradient_by_image", Case { gradient: 0.0, ..case(3, RAGGED, Image, PerTap, Detached) }),
    ("tiny_gradient", Case { gradient: 1e-25, ..case(3, RAGGED, Batch, Joint, Through) }),
    ("huge_gradient", Case { gradient: 1e25, ..case(3, RAGGED, Image, Joint, Through) }),
];

const RADIUS: f32 = 0.1;

pub fn trials() -> Vec<Trial> {
    table("feature_statistics", CASES, two_taps)
}

/// What one tap has in pass 1 and in pass 2.
struct Values {
    tap: Tap,
    shape: Shape,
    /// Its features.
    f: Vec<f64>,
    /// Pass 1's gradient.
    g1: Vec<f64>,
    /// Pass 2's.
    g2: Vec<f64>,
}

impl Values {
    fn of(case: Case, [s, c]: [usize; 2]) -> Self {
        let len = case.n * s * c;
        // A mean and a spread of its own for each channel.
        let scales = draw("scales", c, 1.5, 1.0);
        let f = draw("f", len, 0.5, 1.0)
            .into_iter()
            .enumerate()
            .map(|(at, f)| f64::from((f * scales[at % c]) as f32));
        Self {
            tap: Tap { n: case.n, s, c },
            shape: Shape {
                n: case.n,
                area: s,
                channels: c,
                per_image: case.sharing == Image,
                through_statistics: case.flow == Through,
            },
            f: f.collect(),
            g1: draw("g1", len, 0.3 * case.gradient, case.gradient),
            g2: draw("g2", len, 0.2, 1.0),
        }
    }
}

/// One tap on the GPU between the passes.
struct Recorded {
    f: Tensor,
    moments: Tensor,
    gradient: Tensor,
}

fn two_taps(bench: &mut Bench, case: Case) {
    let taps = case.taps.map(|sizes| Values::of(case, sizes));
    let gradients: Vec<Statistics> =
        taps.iter().map(|of| slow::gradients(&of.tap, &of.f, &of.g1, case.sharing)).collect();
    let recorded: Vec<_> = (0..2).map(|at| pass_1(bench, at, case, &taps[at], &gradients[at])).collect();
    let norms = norms(bench, case, &taps, &recorded);
    let deltas = slow::scaled_to(f64::from(RADIUS), &gradients, case.norm, case.sharing.deltas(case.n));
    let step = bench.step("step", Step { radius: RADIUS, ..Step::default() });
    for at in 0..2 {
        let (of, on) = (&taps[at], &recorded[at]);
        let delta = fast::perturbation(&mut bench.recording, on.gradient, norms[at], step, of.shape);
        bench.expect("delta", delta, &flat(&deltas[at], of.tap.c));
        pass_2(bench, at, case, of, on, (delta, &deltas[at]));
    }
}

fn pass_1(bench: &mut Bench, at: usize, case: Case, of: &Values, expected: &Statistics) -> Recorded {
    let f = bench.input(&format!("f {at}"), &of.f);
    let g = bench.input(&format!("g1 {at}"), &of.g1);
    let moments = fast::moments_of(&mut bench.recording, f, of.shape);
    let mut statistics = slow::statistics(&of.tap, &of.f);
    statistics.deviation.iter_mut().for_each(|deviation| *deviation = *deviation * *deviation - slow::EPS);
    bench.expect("moments", moments, &flat(&statistics, of.tap.c));
    let gradient = fast::gradients(&mut bench.recording, f, moments, g, of.shape);
    assert_eq!(expected.mean.len(), of.tap.c * case.sharing.deltas(case.n));
    bench.expect("gradient", gradient, &flat(expected, of.tap.c));
    Recorded { f, moments, gradient }
}

/// The norm that each tap's perturbation is divided by.
fn norms(bench: &mut Bench, case: Case, taps: &[Values; 2], recorded: &[Recorded]) -> [Tensor; 2] {
    let mut norm =
        |at: usize, before| fast::norm(&mut bench.recording, recorded[at].gradient, before, taps[at].shape);
    let first = norm(0, None);
    match case.norm {
        Joint => [norm(1, Some(first)); 2],
        PerTap => [first, norm(1, None)],
    }
}

fn pass_2(
    bench: &mut Bench,
    at: usize,
    case: Case,
    of: &Values,
    on: &Recorded,
    (delta, expected): (Tensor, &Statistics),
) {
    let y = fast::perturb(&mut bench.recording, on.f, on.moments, delta, of.shape);
    bench.expect("f'", y, &slow::perturb(&of.tap, &of.f, expected, case.sharing));
    let g = bench.input(&format!("g2 {at}"), &of.g2);
    let df = fast::backward_input(&mut bench.recording, on.f, on.moments, delta, g, of.shape);
    bench.expect("df", df, &slow::backward(&of.tap, &of.f, &of.g2, expected, case.sharing, case.flow));
}

/// [D, C] of means and of deviations -> [D, 2, C].
fn flat(statistics: &Statistics, c: usize) -> Vec<f64> {
    let rows = statistics.mean.chunks(c).zip(statistics.deviation.chunks(c));
    rows.flat_map(|(mean, deviation)| [mean, deviation].concat()).collect()
}
