//! The variance of a figure that is averaged over training seeds and measured on groups (people,
//! videos): how it would vary if both were drawn anew.
//!
//! Every seed meets every group, so the figure has three parts of chance: the seed's, the
//! group's, and what a seed does on a group alone. The groups' part comes from resampling groups
//! (or, for shares, from its closed form), once for all seeds together, which also tells how far
//! the seeds' figures move together. The seeds' part is their sample variance over their number:
//! what drawing seeds with replacement tends to, S / (S - 1) times its size, as the bootstrap's
//! variance of S values is too small by that factor. Drawing both and taking percentiles (Owen
//! 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1, 386-411; Agarwal et al. 2021,
//! Deep reinforcement learning at the edge of the statistical precipice, NeurIPS) has the same
//! parts without that factor, and a normal tail where three seeds need one of t with two degrees
//! of freedom: of nominal 95 % its intervals cover 70 to 85 % with three seeds that differ
//! (docs/statistics.md).
//!
//! The sum with its degrees of freedom is that of studies with several readers and cases in
//! radiology, a seed for a reader (Obuchowski & Rockette 1995, Communications in Statistics 24,
//! 285-308; Hillis 2007, Statistics in Medicine 26, 596-619; freedom as Satterthwaite 1946).

use super::intervals::wilson_at;
use super::student::{critical, two_sided};
use super::{Estimate, LEVEL, Z};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fewest seeds whose spread is taken for that of training. Two leave one degree of freedom:
/// an interval of 12.7 standard errors each way, which says nothing.
pub const FEWEST_SEEDS: usize = 3;

/// What an interval and a test speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The way of training: how the figure would vary over other seeds and other groups.
    Method,
    /// These trained models: how it would vary over other groups alone. Of fewer than
    /// [`FEWEST_SEEDS`] seeds.
    Models,
}

impl Scope {
    /// Of a figure at `seeds` seeds.
    pub fn of(seeds: usize) -> Self {
        if seeds < FEWEST_SEEDS { Self::Models } else { Self::Method }
    }

    /// The word in report.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Models => "models",
        }
    }
}

/// A figure at every seed, and how these vary together when groups are drawn.
#[derive(Clone, Debug)]
pub(super) struct Crossed {
    /// \[S\]
    values: Vec<f64>,
    /// \[S, S\]
    covariance: Vec<f64>,
    units: usize,
}

impl Crossed {
    /// From the figure's `values` at S seeds and its values on draws of `units` groups, \[S\]
    /// each.
    pub(super) fn of_draws(values: Vec<f64>, draws: &[Vec<f64>], units: usize) -> Self {
        let count = draws.len().max(1) as f64;
        let mean: Vec<f64> =
            (0..values.len()).map(|seed| draws.iter().map(|draw| draw[seed]).sum::<f64>() / count).collect();
        let centred: Vec<Vec<f64>> = (0..values.len())
            .map(|seed| draws.iter().map(|draw| draw[seed] - mean[seed]).collect())
            .collect();
        // A bootstrap over n groups has (n - 1) / n of the variance.
        Self::of_products(values, &centred, correction(units) / (count - 1.0).max(1.0), units)
    }

    /// From the figure's `values` at S seeds and what each group adds to them, \[S\]\[groups\],
    /// to first order and centred: for a share, (right - share * pictures) / all pictures.
    pub(super) fn of_influence(values: Vec<f64>, influence: &[Vec<f64>]) -> Self {
        let units = influence.first().map_or(0, Vec::len);
        Self::of_products(values, influence, correction(units), units)
    }

    fn of_products(values: Vec<f64>, parts: &[Vec<f64>], factor: f64, units: usize) -> Self {
        let product = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
        let covariance =
            parts.iter().flat_map(|one| parts.iter().map(|other| factor * product(one, other))).collect();
        Self { values, covariance, units }
    }

    fn seeds(&self) -> f64 {
        self.values.len() as f64
    }

    /// The mean over the seeds.
    pub(super) fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.seeds()
    }

    /// The standard deviation over the seeds; `None` for one.
    pub(super) fn deviation(&self) -> Option<f64> {
        let (mean, seeds) = (self.mean(), self.seeds());
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (seeds > 1.0).then(|| (squares / (seeds - 1.0)).sqrt())
    }

    /// The variance of the mean that comes from the seeds, with what they do on single groups.
    fn of_seeds(&self) -> f64 {
        self.deviation().unwrap_or(0.0).powi(2) / self.seeds()
    }

    /// The variance of the mean over other groups with these same seeds.
    fn of_groups(&self) -> f64 {
        self.covariance.iter().sum::<f64>() / self.seeds().powi(2)
    }

    /// The variance that all seeds share; and that of a seed's figure on its own, its mean.
    fn shared_and_own(&self) -> (f64, f64) {
        let seeds = self.values.len();
        let own: f64 = (0..seeds).map(|seed| self.covariance[seed * (seeds + 1)]).sum();
        let all: f64 = self.covariance.iter().sum();
        let pairs = (seeds * seeds.saturating_sub(1)).max(1) as f64;
        (((all - own) / pairs).max(0.0), own / self.seeds())
    }

    /// The variance of the mean over other seeds and groups, and never less than that over other
    /// groups alone.
    pub(super) fn variance(&self) -> f64 {
        (self.of_seeds() + self.shared_and_own().0).max(self.of_groups())
    }

    fn freedom(&self) -> f64 {
        freedom(self.of_seeds(), self.variance(), self.values.len(), self.units)
    }

    /// How many standard errors an interval of 95 % reaches each way.
    pub(super) fn reach(&self) -> f64 {
        if self.variance() > 0.0 { critical(LEVEL, self.freedom()) } else { Z }
    }

    /// The standard errors to a difference that is called one in four cases of five.
    pub(super) fn reach_with_power(&self) -> f64 {
        reach_with_power(LEVEL, self.freedom())
    }

    /// The two-sided p of a mean of zero; `None` where nothing varies.
    pub(super) fn p(&self) -> Option<f64> {
        let variance = self.variance();
        (variance > 0.0).then(|| two_sided(self.mean() / variance.sqrt(), self.freedom()))
    }

    /// The mean with its 95 % interval, t on both sides.
    pub(super) fn interval(&self) -> Estimate {
        let (value, half) = (self.mean(), self.reach() * self.variance().sqrt());
        Estimate { value, low: value - half, high: value + half }
    }

    /// The mean of a figure between 0 and 1 with its 95 % interval: Wilson's with as many
    /// independent pictures as give the variance, and t in the place of the normal quantile, as
    /// for shares of surveys (Korn & Graubard 1998, Survey Methodology 24, 193-201, do the same
    /// to another interval). Where nothing varies, of `independent` pictures or groups.
    pub(super) fn interval_of_share(&self, independent: usize) -> Estimate {
        let (value, variance) = (self.mean().clamp(0.0, 1.0), self.variance());
        let spread = value * (1.0 - value);
        match variance > 0.0 && spread > 0.0 {
            true => wilson_at(value, spread / variance, self.reach()),
            false => wilson_at(value, independent.max(1) as f64, Z),
        }
    }

    /// The parts of the variance, for studies of other sizes.
    pub(super) fn components(&self) -> Components {
        let (shared, own) = self.shared_and_own();
        let both = (own - shared).max(0.0);
        let seeds = (self.of_seeds() * self.seeds() - both).max(0.0);
        let units = self.units as f64;
        Components { seeds, groups: shared * units, both: both * units }
    }
}

fn correction(units: usize) -> f64 {
    units as f64 / units.saturating_sub(1).max(1) as f64
}

/// Degrees of freedom of a `variance` of which `of_seeds` was estimated from `seeds` seeds and
/// the rest from `units` groups.
fn freedom(of_seeds: f64, variance: f64, seeds: usize, units: usize) -> f64 {
    let share = |part: f64, of: usize| part * part / of.saturating_sub(1).max(1) as f64;
    let parts = share(of_seeds, seeds) + share(variance - of_seeds, units);
    if parts > 0.0 { variance * variance / parts } else { 1.0 }
}

/// The standard errors to a difference that a test at `level` calls one in four cases of five.
fn reach_with_power(level: f64, freedom: f64) -> f64 {
    critical(level, freedom) + critical(0.4, freedom)
}

/// The parts of the variance of a figure: of one seed, of one group, and of one seed on one
/// group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// The variance from seed to seed.
    pub(super) seeds: f64,
    /// The variance from group to group that all seeds share.
    pub(super) groups: f64,
    /// The variance of one seed on one group beside these.
    pub(super) both: f64,
}

impl Components {
    /// Of a figure of given models, whose `variance` is that over `units` groups.
    pub(super) fn of_models(variance: f64, units: usize) -> Self {
        Self { seeds: 0.0, groups: variance * units as f64, both: 0.0 }
    }

    /// With `variance` more from the sample of `units` groups.
    pub(super) fn widened(self, variance: f64, units: usize) -> Self {
        Self { groups: self.groups + variance.max(0.0) * units as f64, ..self }
    }

    /// Whether a test at `level` over `units` groups calls a true difference of `least` one in
    /// four cases of five; of these models where `seeds` is `None`.
    pub(super) fn show(&self, least: f64, level: f64, seeds: Option<usize>, units: usize) -> bool {
        let groups = units as f64;
        let (of_seeds, variance, seeds) = match seeds {
            None => (0.0, self.groups / groups, 2),
            Some(count) => {
                let of_seeds = (self.seeds + self.both / groups) / count as f64;
                (of_seeds, of_seeds + self.groups / groups, count)
            }
        };
        let reach = reach_with_power(level, freedom(of_seeds, variance, seeds, units));
        reach * variance.sqrt() <= least
    }
}

#[cfg(test)]
mod tests;
