//! log.jsonl: one object a line, for each step and each epoch.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A line of log.jsonl.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// A training step.
    Step {
        /// Counted from 1 over the whole run.
        step: usize,
        /// Counted from 1.
        epoch: usize,
        /// Mean weighted cross-entropy of the unperturbed pass.
        loss: f32,
        /// The same of the perturbed pass, with gradient regularization.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        perturbed_loss: Option<f32>,
        /// Learning rate.
        lr: f32,
    },
    /// An epoch with its validation.
    Epoch {
        /// Counted from 1.
        epoch: usize,
        /// Mean of the steps' losses.
        train_loss: f64,
        /// Mean unweighted cross-entropy on validation.
        val_loss: f64,
        /// Area under the ROC curve on validation; none with one class.
        val_auc: Option<f64>,
        /// Whether it is the best so far.
        best: bool,
        /// Wall-clock seconds of the epoch.
        seconds: f64,
        /// Training pictures a second.
        images_per_second: f64,
    },
}

/// The open log.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes written so far.
    pub len: u64,
}

/// The log cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}; free space or choose another --out", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

impl Journal {
    /// Opens the log at `path` and keeps its first `len` bytes: what a checkpoint
    /// has seen. Later lines belong to steps that will run again.
    pub fn open(path: &Path, len: u64) -> Result<Self, JournalError> {
        let failed = |source| JournalError { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let len = len.min(file.metadata().map_err(failed)?.len());
        file.set_len(len).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, len })
    }

    /// Appends a line.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_string(entry).expect("an entry is plain values");
        line.push('\n');
        let failed = |source| JournalError { path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)?;
        self.len += line.len() as u64;
        Ok(())
    }
}
