//! What each arm's training cost, from the outcomes of its seeds.

use crate::results::run::Outcome;
use crate::results::study::{BASELINE, Report};

/// A mean over seeds, with the least and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The least.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let sane: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let n = sane.len();
        (n > 0).then(|| Self {
            mean: sane.iter().sum::<f64>() / n as f64,
            low: sane.iter().copied().fold(f64::INFINITY, f64::min),
            high: sane.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// The training of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The arm.
    pub arm: String,
    /// Seeds whose training is recorded.
    pub seeds: usize,
    /// Training pictures a second.
    pub images_per_second: Option<Spread>,
    /// Training time over the baseline's of the same seed: epochs times pictures over pictures a
    /// second. Of the baseline none.
    pub times_baseline: Option<Spread>,
    /// Device memory in MB.
    pub gpu_mb: Option<Spread>,
    /// Epochs that ran.
    pub epochs: Option<Spread>,
    /// The epoch that was kept.
    pub best_epoch: Option<Spread>,
    /// What epochs were selected by, each once.
    pub selected_by: Vec<String>,
}

/// The cost of every arm whose training is recorded, in the report's order.
pub fn costs(report: &Report) -> Vec<Cost> {
    let names = report.names();
    names.into_iter().map(|name| cost(report, name)).filter(|cost| cost.seeds > 0).collect()
}

/// The seconds of a training at its speed, validation left out.
fn seconds(outcome: &Outcome) -> f64 {
    (outcome.epochs * outcome.n_train) as f64 / outcome.images_per_second
}

fn outcomes<'a>(report: &'a Report, name: &str) -> Vec<(u64, &'a Outcome)> {
    let arms = report.arms.iter().filter(|arm| arm.name == name);
    arms.filter_map(|arm| Some((arm.seed, arm.training.as_ref()?))).collect()
}

fn cost(report: &Report, name: &str) -> Cost {
    let own = outcomes(report, name);
    let base = outcomes(report, BASELINE);
    let ratio = |&(seed, outcome): &(u64, &Outcome)| {
        let (_, base) = base.iter().find(|(other, _)| *other == seed)?;
        Some(seconds(outcome) / seconds(base))
    };
    let ratios: Vec<f64> = own.iter().filter_map(ratio).collect();
    let spread = |of: fn(&Outcome) -> f64| {
        let values: Vec<f64> = own.iter().map(|(_, outcome)| of(outcome)).collect();
        Spread::of(&values)
    };
    let mut selected_by: Vec<String> =
        own.iter().filter_map(|(_, outcome)| outcome.selected_by.clone()).collect();
    selected_by.sort();
    selected_by.dedup();
    Cost {
        arm: name.to_owned(),
        seeds: own.len(),
        images_per_second: spread(|outcome| outcome.images_per_second),
        times_baseline: if name == BASELINE { None } else { Spread::of(&ratios) },
        gpu_mb: spread(|outcome| outcome.gpu_mb),
        epochs: spread(|outcome| outcome.epochs as f64),
        best_epoch: spread(|outcome| outcome.best_epoch as f64),
        selected_by,
    }
}
