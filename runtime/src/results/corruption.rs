//! A detector on pictures made worse without an adversary: the object of corrupt.json.

use super::evaluation::{DataInfo, ModelInfo, ThresholdSource};
use crate::data::corruption::Corruption;
use crate::metrics::Metrics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of its file.
pub const FILE: &str = "corrupt.json";
/// The name of the same figures as a table.
pub const TABLE: &str = "corrupt.csv";

/// The object of corrupt.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Corrupted {
    /// The model.
    pub model: ModelInfo,
    /// The data.
    pub data: DataInfo,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where that came from; unknown in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_from: Option<ThresholdSource>,
    /// Why figures are null, where there are pictures of one class alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// Names the draws of noise.
    pub seed: u64,
    /// On the pictures as they are.
    pub clean: Metrics,
    /// On each kind of worse ones.
    pub corruptions: Vec<Kind>,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
}

/// One corruption, the mildest level first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kind {
    /// Which.
    pub name: Corruption,
    /// Its levels.
    pub levels: Vec<Level>,
    /// The mean accuracy over the levels.
    pub mean_accuracy: Option<f64>,
    /// The mean AUC over the levels.
    pub mean_auc: Option<f64>,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// 1 to 5.
    pub level: usize,
    /// Its parameter: see [`Corruption`].
    pub parameter: f64,
    /// On pictures of this level.
    pub metrics: Metrics,
    /// Of the real pictures, the share called real: a detector that calls everything
    /// fake, or nothing, can keep its accuracy.
    pub true_negative_rate: Option<f64>,
    /// Of the fakes, the share called fake.
    pub true_positive_rate: Option<f64>,
}
