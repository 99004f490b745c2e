//! A line of samples.csv.

use crate::sample::{Label, is_right};
use serde::{Deserialize, Serialize};

/// A line of samples.csv.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleResult {
    /// The picture's place in the manifest's split.
    pub id: u64,
    /// Its true label.
    pub label: Label,
    /// Logit before.
    pub clean_logit: f32,
    /// Logit after, of the 8-bit picture.
    pub adv_logit: f32,
    /// Rightly classified before and wrongly after.
    pub success: bool,
    /// Queries spent.
    pub queries: u64,
    /// Largest change of a value in 1/255.
    pub linf_255: u32,
    /// Euclidean length of the change, values in \[0, 1\].
    pub l2: f64,
    /// Seconds spent.
    pub seconds: f64,
    /// The picture's file.
    pub path: String,
    /// SHA-256 of the saved clean PNG; empty where nothing was saved.
    pub clean_sha256: String,
    /// SHA-256 of the saved adversarial PNG; empty where nothing was saved.
    pub adv_sha256: String,
    /// The attack that the picture after is of; empty where none was made.
    pub attack: String,
    /// The length of the shortest change that an attack which looks for it found to cross,
    /// values in \[0, 1\], whatever the radius; none where there was none, or no such attack.
    // Files from before 2026-11-28 lack it.
    #[serde(default)]
    pub distance: Option<f64>,
    /// Queries spent when the picture that turned it over was found; none where nothing did,
    /// and in results of earlier versions.
    // Files from before 2026-11-28 lack it.
    #[serde(default)]
    pub queries_to_success: Option<u64>,
}

impl SampleResult {
    /// Queries until the picture was turned over: in a result of an earlier version, which
    /// does not tell, all that were spent.
    pub fn queries_until_turned(&self) -> u64 {
        self.queries_to_success.unwrap_or(self.queries)
    }
}

/// Whether `sample`, decided at `threshold`, was classified rightly before, and so attacked.
pub fn attacked(sample: &SampleResult, threshold: f32) -> bool {
    is_right(sample.clean_logit, sample.label, threshold)
}
