//! Random perturbations of statistics.

use crate::harness::{Bench, draw, table};
use dfrt_trainer::ops::feature_statistics::Shape;
use dfrt_trainer::ops::statistic_noise as fast;
use dfrt_trainer::reference::feature_statistics::{EPS, Statistics};
use dfrt_trainer::reference::statistic_noise as slow;
use libtest_mimic::Trial;

/// Pictures, channels.
const CASES: &[(&str, [usize; 2])] = &[("one_picture", [1, 4]), ("two", [2, 32]), ("ragged", [5, 68])];

pub fn trials() -> Vec<Trial> {
    let mut trials = table("statistic_noise/uncertain", CASES, uncertain);
    trials.extend(table("statistic_noise/mixed", CASES, mixed));
    trials
}

/// Moments [N, 2, C] as the device has them, and as statistics.
fn moments([n, c]: [usize; 2]) -> (Vec<f64>, Statistics) {
    let mean = draw("mean", n * c, 0.5, 1.0);
    let variance: Vec<f64> = draw("variance", n * c, 0.5, 0.5).iter().map(|v| v.abs()).collect();
    let rows = mean.chunks(c).zip(variance.chunks(c)).flat_map(|(m, v)| [m, v].concat()).collect();
    let deviation = variance.iter().map(|v| (v + EPS).sqrt()).collect();
    (rows, Statistics { mean, deviation })
}

/// [N, C] of means and of deviations -> [N, 2, C].
fn flat(of: &Statistics, c: usize) -> Vec<f64> {
    of.mean.chunks(c).zip(of.deviation.chunks(c)).flat_map(|(m, d)| [m, d].concat()).collect()
}

fn shape([n, channels]: [usize; 2]) -> Shape {
    Shape { n, area: 1, channels, per_image: true, through_statistics: true }
}

fn uncertain(bench: &mut Bench, case: [usize; 2]) {
    let [n, c] = case;
    let (rows, of) = moments(case);
    let draws = Statistics { mean: draw("dmu", n * c, 0.0, 1.0), deviation: draw("dsigma", n * c, 0.0, 1.0) };
    let on_moments = bench.input("moments", &rows);
    let on_draws = bench.input("draws", &flat(&draws, c));
    let found = fast::uncertain(&mut bench.recording, on_moments, on_draws, shape(case));
    bench.expect("delta", found, &flat(&slow::uncertain(&of, &draws, n), c));
}

fn mixed(bench: &mut Bench, case: [usize; 2]) {
    let [n, c] = case;
    let (rows, of) = moments(case);
    let partners: Vec<(usize, f64)> = (0..n).map(|at| ((at + 2) % n, 0.25 * (at % 4) as f64)).collect();
    let on_moments = bench.input("moments", &rows);
    let pairs: Vec<f64> = partners.iter().flat_map(|&(at, share)| [at as f64, share]).collect();
    let on_partners = bench.input("partners", &pairs);
    let found = fast::mixed(&mut bench.recording, on_moments, on_partners, shape(case));
    bench.expect("delta", found, &flat(&slow::mixed(&of, &partners), c));
}
