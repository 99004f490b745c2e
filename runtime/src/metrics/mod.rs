//! Metrics of a binary detector and their confidence intervals.

mod binomial;
mod crossed;
pub mod decisions;
mod detectable;
mod difference;
pub mod holm;
pub mod improvement;
pub mod intervals;
mod needed;
mod newcombe;
pub mod over_seeds;
pub mod pair;
pub mod paired;
pub mod probabilities;
pub mod quantile;
pub mod rank_correlation;
pub mod ranking;
pub mod resampled;
mod sign_flip;
mod student;
#[cfg(test)]
mod tests;

pub use crossed::{Components, FEWEST_SEEDS, Scope};
pub use needed::Needed;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The significance level: a difference is shown if p is below it.
pub const LEVEL: f64 = 0.05;

/// A metric with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The metric.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// Metrics on clean pictures. One that the data do not define (AUC of one class) is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Share of right decisions at the threshold.
    pub accuracy: Option<Estimate>,
    /// Mean of the two classes' accuracies at the threshold.
    pub balanced_accuracy: Option<Estimate>,
    /// Area under the ROC curve (ties count half).
    pub auc: Option<Estimate>,
    /// Average precision, fake as the positive class.
    pub average_precision: Option<Estimate>,
    /// Equal error rate.
    pub eer: Option<Estimate>,
    /// True-positive rate at 1 % false positives.
    pub tpr_at_fpr_1: Option<Estimate>,
    /// Mean negative log-likelihood in nats.
    pub log_loss: Option<Estimate>,
    /// Expected calibration error, 15 bins of equal width.
    pub ece: Option<Estimate>,
}
