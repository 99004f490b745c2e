//! Adversarial pictures of other models, judged by one: the object of transfer.json in its RUN.

use super::{ResultError, json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "transfer.json";

/// The object of transfer.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// SHA-256 of the judging model's file.
    pub model_sha256: String,
    /// Logit above which it calls a picture fake.
    pub threshold: f64,
    /// One for each source and attack.
    pub rows: Vec<Row>,
}

/// The adversarial pictures of one attack on one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The RUN of the model that the pictures were made on.
    pub source: String,
    /// SHA-256 of that model's file.
    pub source_sha256: String,
    /// The folder of the attack in that RUN.
    pub attack: String,
    /// Pictures. Where the source was wrong before and so was not attacked, the clean one counts.
    pub n: usize,
    /// Of these classified rightly by the judge without an attack.
    pub n_clean_correct: usize,
    /// Classified rightly before and after.
    pub n_right: usize,
    /// Whether each was right before and after, in the order of the attack's samples.csv.
    pub right: Vec<bool>,
}

impl Transfer {
    /// Writes transfer.json into the RUN `run`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, run: &Path) -> Result<(), ResultError> {
        json::write(&run.join(FILE), self)
    }

    /// Reads transfer.json of the RUN `run`.
    ///
    /// # Errors
    /// The file is missing, or is no such object.
    pub fn read(run: &Path) -> Result<Self, ResultError> {
        json::read(&run.join(FILE))
    }
}
