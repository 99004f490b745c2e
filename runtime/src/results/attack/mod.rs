//! The object of attack.json, and what lies beside it.

pub mod contents;
pub mod distances;
pub mod folder;
pub mod journal;
mod sample;
pub mod settings;
pub mod sweep;

pub use sample::{SampleResult, attacked};

use crate::metrics::Estimate;
use crate::results::attack::distances::MinimalDistance;
use crate::results::evaluation::ThresholdSource;
use crate::results::evaluation::{DataInfo, ModelInfo};
use crate::threat::{Norm, Threat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The object of attack.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttackReport {
    /// "square", "pgd", …
    pub method: String,
    /// The threat model's norm.
    pub norm: Norm,
    /// Its radius in 1/255.
    pub eps_255: f64,
    /// Its radius with pixels in \[0, 1\]; 0 in a file of before there was this field.
    // Files from before 2026-11-28 lack it.
    #[serde(default)]
    pub eps: f64,
    /// The attack's parameters (steps, queries, seed, …).
    pub params: Map<String, Value>,
    /// Pictures attacked.
    pub n: usize,
    /// Of these classified rightly before.
    pub n_clean_correct: usize,
    /// n_clean_correct / n.
    pub clean_accuracy: f64,
    /// Rightly classified before and after, over all n.
    pub robust_accuracy: f64,
    /// Turned over, over the n_clean_correct; none when that is 0.
    pub attack_success_rate: Option<f64>,
    /// The fakes alone, which an attack makes pass as real.
    pub fake_to_real: Direction,
    /// The reals alone, which an attack makes look fake.
    pub real_to_fake: Direction,
    /// 95 % Wilson intervals of the three rates above.
    pub intervals: RateIntervals,
    /// AUC of the logits after the attack; none when one class is missing.
    pub auc: Option<f64>,
    /// What it cost.
    pub queries: QueryStatistics,
    /// What the successes cost; none without any, or in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries_to_success: Option<SuccessStatistics>,
    /// Successes that survive as 8-bit PNG, read back and asked again.
    pub certified_8bit: usize,
    /// Successes in floats that 8-bit rounding undid (not counted as successes).
    pub lost_to_rounding: usize,
    /// Of an attack that looks for the shortest change, what it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_distance: Option<MinimalDistance>,
    /// The masking checks.
    pub gates: Vec<Gate>,
    /// Whether a gate failed: then the result must not be trusted.
    pub unreliable: bool,
    /// The model.
    pub model: ModelInfo,
    /// The data.
    pub data: DataInfo,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where that came from; unknown in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_from: Option<ThresholdSource>,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
    /// Pictures for which the time given did not suffice; they are not among the n.
    pub not_reached: usize,
    /// Of a suite, its attacks in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Wall-clock seconds of the attack.
    pub seconds: f64,
}

/// One attack of a suite, made on what the earlier ones left standing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// "apgd-ce", "square", …
    pub method: String,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// Pictures it was made on.
    pub n_attacked: usize,
    /// Of these turned over.
    pub n_broken: usize,
    /// Rightly classified before and after it, over all n of the suite.
    pub robust_accuracy: f64,
    /// Queries it spent.
    pub queries: u64,
    /// Whether it asked for gradients.
    pub gradients: bool,
    /// Its seconds.
    pub seconds: f64,
}

/// One direction of an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Direction {
    /// Pictures of this class.
    pub n: usize,
    /// Of these classified rightly before.
    pub n_clean_correct: usize,
    /// Rightly classified before and after, over n; none when n is 0.
    pub robust_accuracy: Option<f64>,
    /// Turned over, over n_clean_correct; none when that is 0.
    pub attack_success_rate: Option<f64>,
}

/// 95 % Wilson intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateIntervals {
    /// Of the clean accuracy.
    pub clean_accuracy: Estimate,
    /// Of the robust accuracy.
    pub robust_accuracy: Estimate,
    /// Of the success rate.
    pub attack_success_rate: Option<Estimate>,
}

/// Queries a picture, over the pictures that were attacked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueryStatistics {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Sum.
    pub total: u64,
}

/// Queries until a picture was turned over, over those that were. A search for the
/// shortest change goes on after that, at a cost that [`QueryStatistics`] has and this has
/// not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuccessStatistics {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
}

/// A check on whether the figure can be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Its name: "deterministic", "nonzero-gradients", …
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// What was measured.
    pub value: f64,
    /// What it means, in words.
    pub reason: String,
}

impl AttackReport {
    /// The threat model.
    pub fn threat(&self) -> Threat {
        Threat { norm: self.norm, eps_255: self.eps_255 }
    }
}

/// The input gradients that an attack saw of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GradientCount {
    /// Gradients computed.
    pub evaluated: u64,
    /// Of these zero in every pixel.
    pub zero: u64,
    /// Of these with a value that is no finite number.
    pub non_finite: u64,
}
