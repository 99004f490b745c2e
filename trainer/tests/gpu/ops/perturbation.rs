//! The steps of FGSM and PGD.

use crate::harness::{Bench, Rule, draw, spaced, table};
use dfrt_trainer::ops::perturbation::{self, Shape};
use dfrt_trainer::reference::perturbation::{self as reference, Images, Step};
use libtest_mimic::Trial;

#[derive(Clone, Copy)]
struct Case {
    n: usize,
    pixels: usize,
    /// Radius and length of the step.
    eps: f32,
    size: f32,
    /// How large the gradient's values are. Picture 1 has a gradient of zero.
    gradient: f64,
}

const fn case(n: usize, pixels: usize, eps: f32, size: f32) -> Case {
    Case { n, pixels, eps, size, gradient: 1e-3 }
}

const LINF: &[(&str, Case)] = &[
    ("fgsm", case(2, 35, 8.0 / 255.0, 8.0 / 255.0)),
    ("one_pixel", case(1, 1, 8.0 / 255.0, 2.0 / 255.0)),
    ("over_a_group", case(3, 63, 16.0 / 255.0, 2.0 / 255.0)),
    ("a_step_beyond_the_box", case(2, 40, 4.0 / 255.0, 0.5)),
    ("tiny_gradient", Case { gradient: 1e-25, ..case(2, 40, 8.0 / 255.0, 2.0 / 255.0) }),
];

const L2: &[(&str, Case)] = &[
    ("within_the_ball", case(2, 35, 50.0, 0.5)),
    ("onto_the_ball", case(3, 65, 0.5, 0.5)),
    ("one_pixel", case(1, 1, 0.2, 0.1)),
    ("all_chunks", case(2, 4097, 1.0, 0.7)),
    ("a_step_far_out", case(2, 63, 0.3, 100.0)),
    ("tiny_gradient", Case { gradient: 1e-25, ..case(2, 65, 1.0, 0.5) }),
    ("huge_gradient", Case { gradient: 1e25, ..case(2, 65, 1.0, 0.5) }),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("perturbation/linf", LINF, linf);
    trials.extend(table("perturbation/l2", L2, l2));
    trials
}

struct Pictures {
    clean: Vec<f64>,
    before: Vec<f64>,
    gradient: Vec<f64>,
}

/// Some pixels are black or white, and the last step has left the box here and there.
fn pictures(case: Case) -> Pictures {
    let values = 3 * case.pixels;
    let clean: Vec<f64> =
        draw("clean", case.n * values, 0.5, 0.7).iter().map(|value| value.clamp(0.0, 1.0)).collect();
    let offset = draw("offset", case.n * values, 0.0, 1.2 * f64::from(case.eps.min(0.2)));
    let before = clean.iter().zip(offset).map(|(clean, offset)| f64::from((clean + offset) as f32));
    let mut gradient = draw("gradient", case.n * values, 0.2 * case.gradient, case.gradient);
    gradient.iter_mut().skip(values).take(values).for_each(|value| *value = 0.0);
    Pictures { before: before.map(|value| value.clamp(0.0, 1.0)).collect(), clean, gradient }
}

fn shape(Case { n, pixels, eps, size, .. }: Case) -> Shape {
    Shape { n, pixels, eps, size }
}

fn linf(bench: &mut Bench, case: Case) {
    let Pictures { clean, before, gradient } = pictures(case);
    let [on_clean, on_gradient] = [("clean", &clean), ("gradient", &gradient)]
        .map(|(name, values)| bench.input(name, &spaced(values, 3, 4)));
    let adversarial = bench.state("adversarial", &spaced(&before, 3, 4));
    perturbation::linf_step(&mut bench.recording, on_clean, on_gradient, adversarial, shape(case));
    let step = Step { step: f64::from(case.size), epsilon: f64::from(case.eps) };
    let expected = reference::linf(&step, &before, &clean, &gradient);
    bench.expect_by(Rule::Absolute(2e-7), "adversarial", adversarial, &spaced(&expected, 3, 4));
}

fn l2(bench: &mut Bench, case: Case) {
    let Pictures { clean, before, gradient } = pictures(case);
    let [on_clean, on_gradient] = [("clean", &clean), ("gradient", &gradient)]
        .map(|(name, values)| bench.input(name, &spaced(values, 3, 4)));
    let adversarial = bench.state("adversarial", &spaced(&before, 3, 4));
    perturbation::l2_step(&mut bench.recording, on_clean, on_gradient, adversarial, shape(case));
    let images = Images { n: case.n, values: 3 * case.pixels };
    let step = Step { step: f64::from(case.size), epsilon: f64::from(case.eps) };
    let expected = reference::l2(&images, &step, &before, &clean, &gradient);
    bench.expect_by(Rule::Absolute(1e-6), "adversarial", adversarial, &spaced(&expected, 3, 4));
}
