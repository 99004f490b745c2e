//! What a verification found, and why none could be made.

use crate::attack::trace::TraceError;
use crate::detector::oracle::OracleError;
use crate::detector::session::SessionError;
use crate::results::ResultError;
use crate::results::attack::contents::Mixed;
use crate::results::attack::folder::AttackFolderError;
use crate::threat::ThreatError;
use serde::{Deserialize, Serialize};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Lines of samples.csv.
    pub samples: usize,
    /// Of these attacked, and so checked against their pictures.
    pub pictures: usize,
    /// Of these successes that hold.
    pub successes: usize,
    /// What does not hold, a line each.
    pub mismatches: Vec<String>,
    /// Decisions so near the threshold that this processor decides otherwise.
    pub close: Vec<String>,
    /// Figures for which the folder holds nothing that they could be recomputed from.
    pub unchecked: Vec<String>,
}

impl VerifyReport {
    /// Whether everything holds.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Takes in what was found in `folder`, a part of the whole; its pictures are counted.
    pub fn add(&mut self, folder: &str, found: Self) {
        self.samples += found.samples;
        self.pictures += found.pictures;
        self.successes += found.successes;
        self.remark(folder, found);
    }

    /// The same where its pictures are counted already.
    pub(super) fn remark(&mut self, folder: &str, found: Self) {
        let named = |line: String| format!("{folder}: {line}");
        self.mismatches.extend(found.mismatches.into_iter().map(named));
        self.close.extend(found.close.into_iter().map(named));
        self.unchecked.extend(found.unchecked.into_iter().map(named));
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A result cannot be read.
    #[error(transparent)]
    AttackFolder(#[from] AttackFolderError),
    /// A file of results cannot be read, written or understood.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The folder holds two results.
    #[error(transparent)]
    Mixed(#[from] Mixed),
    /// The model that attack.json names cannot be loaded.
    #[error("{source}; attack.json names this model: run from the same folder, or name it with --model")]
    Model {
        /// Why.
        source: SessionError,
    },
    /// The model is not the one that was attacked.
    #[error(
        "{path}: is not the model that was attacked (SHA-256 {found} instead of {expected}); name that one with --model"
    )]
    OtherModel {
        /// The file.
        path: String,
        /// Its hash.
        found: String,
        /// The one in attack.json.
        expected: String,
    },
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// attack.json names no threat model.
    #[error(transparent)]
    Threat(#[from] ThreatError),
    /// A trace is not the attack's.
    #[error(transparent)]
    Trace(#[from] TraceError),
}
