//! Random starts, and steps within a ball whose radius comes from the step.

use super::mask::halves;
use crate::harness::{Bench, Rule, draw, draw_keys, spaced, table};
use dfrt_trainer::ops::adversarial::Pictures;
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::reference::adversarial as slow;
use dfrt_trainer::reference::perturbation::{self, Step as By};
use libtest_mimic::Trial;

/// Pictures, pixels of each, radius, length of a step over it.
type Case = ([usize; 2], f32, f32);

const CASES: &[(&str, Case)] = &[
    ("one_pixel", ([1, 1], 8.0 / 255.0, 1.25)),
    ("ragged", ([3, 65], 1.0 / 255.0, 1.25)),
    ("small_steps", ([2, 40], 4.0 / 255.0, 0.25)),
    ("no_radius", ([2, 40], 0.0, 1.25)),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("adversarial/start", CASES, start);
    trials.extend(table("adversarial/ascend", CASES, ascend));
    trials
}

fn clean(count: usize) -> Vec<f64> {
    draw("clean", count, 0.5, 0.7).iter().map(|value| value.clamp(0.0, 1.0)).collect()
}

fn start(bench: &mut Bench, ([n, pixels], eps, _): Case) {
    let (clean, keys) = (clean(3 * n * pixels), draw_keys(n));
    let on_clean = bench.input("clean", &spaced(&clean, 3, 4));
    let on_keys = bench.integers("keys", &halves(&keys));
    let step = bench.step("step", Step { eps, ..Step::default() });
    let found = Pictures { n, clean: on_clean, step }.start(&mut bench.recording, on_keys);
    let expected = slow::start(&clean, &keys, eps.into());
    bench.expect_by(Rule::Absolute(2e-7), "start", found, &spaced(&expected, 3, 4));
}

fn ascend(bench: &mut Bench, ([n, pixels], eps, ratio): Case) {
    let clean = clean(3 * n * pixels);
    let x: Vec<f64> =
        slow::start(&clean, &draw_keys(n), eps.into()).iter().map(|&x| f64::from(x as f32)).collect();
    let mut gradient = draw("gradient", 3 * n * pixels, 0.2, 1.0);
    gradient[0] = 0.0;
    let [on_clean, on_x, on_gradient] = [("clean", &clean), ("x", &x), ("gradient", &gradient)]
        .map(|(name, values)| bench.input(name, &spaced(values, 3, 4)));
    let step = bench.step("step", Step { eps, ..Step::default() });
    let pictures = Pictures { n, clean: on_clean, step };
    let found = pictures.ascend(&mut bench.recording, on_x, on_gradient, ratio);
    let by = By { step: f64::from(ratio) * f64::from(eps), epsilon: eps.into() };
    let expected = perturbation::linf(&by, &x, &clean, &gradient);
    bench.expect_by(Rule::Absolute(2e-7), "ahead", found, &spaced(&expected, 3, 4));
}
