//! log.jsonl: one object a line, for each step and each epoch.

use dfrt_runtime::storage;
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
}

/// The log cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}; free space or choose another --out", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

impl Journal {
    /// Opens the log at `path` and keeps what a checkpoint has seen: the first `steps`
    /// steps and the first `epochs` epochs. Later lines belong to steps that run again.
    pub fn open(path: &Path, steps: usize, epochs: usize) -> Result<Self, JournalError> {
        let failed = |source| JournalError { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        // A line cut off by a kill is none.
        let seen = |line: &&str| match serde_json::from_str(line) {
            Ok(Entry::Step { step, .. }) => step <= steps,
            Ok(Entry::Epoch { epoch, .. }) => epoch <= epochs,
            Err(_) => false,
        };
        let kept: String = text.split_inclusive('\n').filter(seen).collect();
        storage::write(path, kept.as_bytes()).map_err(|error| failed(io::Error::other(error)))?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_string(entry).expect("an entry is plain values");
        line.push('\n');
        let failed = |source| JournalError { path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_log_keeps_what_the_checkpoint_saw() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let step = |step| Entry::Step { step, epoch: 1, loss: 0.5, perturbed_loss: None, lr: 0.1 };
        let mut journal = Journal::open(&path, 0, 0).unwrap();
        (1..=4).for_each(|at| journal.write(&step(at)).unwrap());
        let half = "{\"kind\":\"step\",\"st";
        let text = std::fs::read_to_string(&path).unwrap() + half;
        std::fs::write(&path, text).unwrap();
        let mut journal = Journal::open(&path, 2, 0).unwrap();
        journal.write(&step(3)).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let steps: Vec<Entry> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(steps, [step(1), step(2), step(3)]);
    }
}
