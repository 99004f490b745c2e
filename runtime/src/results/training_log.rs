//! log.jsonl of a training run: one object a line, for each step and each epoch.

use super::ResultError;
use crate::storage::{self, StorageError};
use serde::{Deserialize, Deserializer, Serialize};
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
        /// Mean weighted cross-entropy of the unperturbed pass; NaN where that was no number.
        #[serde(deserialize_with = "or_nan")]
        loss: f32,
        /// Mean weighted cross-entropy of the perturbed pass, with gradient regularization.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        perturbed_loss: Option<f32>,
        /// Learning rate.
        lr: f32,
    },
    /// An epoch with its validation.
    Epoch {
        /// Counted from 1.
        epoch: usize,
        /// Mean of the steps' losses; NaN where one was no number.
        #[serde(deserialize_with = "or_nan")]
        train_loss: f64,
        /// Mean unweighted cross-entropy on validation; NaN where that was no number.
        #[serde(deserialize_with = "or_nan")]
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
    /// A kind of line that this version does not write.
    #[serde(other)]
    Other,
}

/// JSON has no NaN and writes null.
fn or_nan<'a, D: Deserializer<'a>, F: Deserialize<'a> + From<f32>>(from: D) -> Result<F, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(|| f32::NAN.into()))
}

/// The open log.
#[derive(Debug)]
pub struct TrainingLog {
    path: PathBuf,
    file: File,
}

impl TrainingLog {
    /// Opens the log at `path` and keeps what a checkpoint has seen: the first `steps`
    /// steps and the first `epochs` epochs. Later lines belong to steps that run again.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path, steps: usize, epochs: usize) -> Result<Self, StorageError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(StorageError::Read { path: path.to_owned(), source }),
        };
        // A line cut off by a kill is none.
        let seen = |line: &&str| match serde_json::from_str(line) {
            Ok(Entry::Step { step, .. }) => step <= steps,
            Ok(Entry::Epoch { epoch, .. }) => epoch <= epochs,
            Ok(Entry::Other) | Err(_) => false,
        };
        let kept: String = text.split_inclusive('\n').filter(seen).collect();
        storage::write(path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|source| StorageError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, entry: &Entry) -> Result<(), StorageError> {
        let mut line = serde_json::to_string(entry).expect("an entry is plain values");
        line.push('\n');
        let failed = |source| StorageError::Write { path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)
    }
}

/// Reads log.jsonl. A last line cut short (a killed run) is left out.
///
/// # Errors
/// The file is missing, or a line is no entry.
pub fn read(path: &Path) -> Result<Vec<Entry>, ResultError> {
    let bytes = storage::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if line.trim().is_empty() => {}
            Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(error) => {
                let reason = format!("line {} is no log entry ({error})", number + 1);
                return Err(ResultError::garbled(path, reason));
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_log_keeps_what_the_checkpoint_saw() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let step = |step| Entry::Step { step, epoch: 1, loss: 0.5, perturbed_loss: None, lr: 0.1 };
        let mut log = TrainingLog::open(&path, 0, 0).unwrap();
        (1..=4).for_each(|at| log.write(&step(at)).unwrap());
        let half = "{\"kind\":\"step\",\"st";
        let text = std::fs::read_to_string(&path).unwrap() + half;
        std::fs::write(&path, text).unwrap();
        let mut log = TrainingLog::open(&path, 2, 0).unwrap();
        log.write(&step(3)).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let steps: Vec<Entry> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(steps, [step(1), step(2), step(3)]);
    }

    #[test]
    fn a_log_of_a_killed_run_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let text = "{\"kind\":\"step\",\"step\":1,\"epoch\":1,\"loss\":0.5,\"lr\":0.1}\n\
            {\"kind\":\"note\",\"text\":\"x\"}\n\
            {\"kind\":\"step\",\"step\":2,\"epoch\":1,\"loss\":null,\"lr\":0.1}\n";
        std::fs::write(&path, format!("{text}{{\"kind\":\"st")).unwrap();
        let log = read(&path).unwrap();
        assert_eq!(log.len(), 3);
        assert_eq!(log[0], Entry::Step { step: 1, epoch: 1, loss: 0.5, perturbed_loss: None, lr: 0.1 });
        assert!(matches!(log[2], Entry::Step { step: 2, loss, .. } if loss.is_nan()));
        std::fs::write(&path, format!("oops\n{text}")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("log.jsonl") && error.contains("line 1"), "{error}");
    }
}
