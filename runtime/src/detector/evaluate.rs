//! Clean evaluation: the object of eval.json.

use crate::metrics::Metrics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which model was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The file or RUN as the user named it.
    pub path: String,
    /// SHA-256 of the model's file.
    pub sha256: String,
    /// `efficientnet-b0`, …; "unknown" for a foreign file.
    pub arch: String,
    /// Side of its input in pixels.
    pub res: usize,
}

/// Which data it was evaluated on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// The folder or manifest as the user named it.
    pub path: String,
    /// "train", "val" or "test".
    pub split: String,
    /// Real pictures scored.
    pub n_real: usize,
    /// Fake pictures scored.
    pub n_fake: usize,
}

/// Metrics of a part of the data, with its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartMetrics {
    /// Real pictures (of the whole split where the part has fakes only).
    pub n_real: usize,
    /// Fake pictures (of the whole split where the part has reals only).
    pub n_fake: usize,
    /// Its metrics.
    pub metrics: Metrics,
}

/// The object of eval.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model.
    pub model: ModelInfo,
    /// The data.
    pub data: DataInfo,
    /// Logit above which a picture is called fake; fixed on validation.
    pub threshold: f64,
    /// Per picture.
    pub metrics: Metrics,
    /// Per subset; a subset of one class is joined by the whole other class.
    pub by_subset: BTreeMap<String, PartMetrics>,
    /// Scores averaged over a video or person and class first.
    pub by_group: PartMetrics,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
}
