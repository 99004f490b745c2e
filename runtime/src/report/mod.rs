//! The object of a study's report.json; its renderings stand beside it.

pub mod html;
pub mod markdown;
pub mod plots;
pub mod tables;

use crate::attack::result::AttackReport;
use crate::detector::evaluate::Evaluation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The object of report.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// One trained model each.
    pub arms: Vec<Arm>,
    /// Every arm against the baseline.
    pub comparisons: Vec<Comparison>,
    /// The resolved settings of the study.
    pub config: Value,
    /// Versions, device, driver, date.
    pub environment: Value,
}

/// One trained model: its clean metrics and every attack on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// "baseline", "gr", …
    pub name: String,
    /// The training seed.
    pub seed: u64,
    /// The RUN's folder, relative to the report.
    pub run: String,
    /// Clean metrics on the test split.
    pub eval: Evaluation,
    /// The attacks, in the order they ran.
    pub attacks: Vec<AttackReport>,
}

/// One figure of an arm against the same of another, paired over the same pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with, normally "baseline".
    pub against: String,
    /// "auc", "robust_accuracy[square linf 8/255]", …
    pub metric: String,
    /// arm - against, averaged over the seeds both have.
    pub difference: f64,
    /// Lower end of the paired bootstrap's 95 % interval (over groups).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// McNemar's exact p for accuracies, the bootstrap's two-sided p otherwise.
    pub p: Option<f64>,
    /// In words: "higher", "lower", "no effect shown".
    pub verdict: String,
}
