//! log.jsonl of a training run: one object a line, for each step and each epoch.

use super::ResultError;
use crate::storage::{self, AppendLog, StorageError};
use serde::{Deserialize, Deserializer, Serialize};
use std::io;
use std::path::Path;

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
        /// Mean weighted cross-entropy of the second pass; NaN where that was no number, none
        /// for a method without one.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "some_or_nan")]
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
        /// Balanced accuracy on validation at the threshold that is best there; none with one class.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        val_balanced_accuracy: Option<f64>,
        /// Share of validation pictures that are classified rightly before and after PGD; none where
        /// that is not measured.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        val_robust_accuracy: Option<f64>,
        /// Area under the ROC curve on validation under PGD.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        val_robust_auc: Option<f64>,
        /// Whether it is the best so far.
        best: bool,
        /// Wall-clock seconds of the epoch.
        seconds: f64,
        /// Training pictures a second.
        images_per_second: f64,
    },
}

/// JSON has no NaN and writes null.
fn or_nan<'a, D: Deserializer<'a>, F: Deserialize<'a> + From<f32>>(from: D) -> Result<F, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(|| f32::NAN.into()))
}

/// A number that is there; one that is left out does not get here.
fn some_or_nan<'a, D: Deserializer<'a>>(from: D) -> Result<Option<f32>, D::Error> {
    or_nan(from).map(Some)
}

/// The open log.
#[derive(Debug)]
pub struct TrainingLog(AppendLog);

impl TrainingLog {
    /// Opens the log at `path` and keeps what a checkpoint has seen: the first `steps`
    /// steps and the first `epochs` epochs. Later lines belong to steps that run again. A last line
    /// cut short (a killed run) is left out.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line is no entry.
    pub fn open(path: &Path, steps: usize, epochs: usize) -> Result<Self, ResultError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(StorageError::Read { path: path.to_owned(), source }.into()),
        };
        let mut kept = String::new();
        for (line, entry) in entries(&bytes, path)? {
            let seen = match entry {
                Entry::Step { step, .. } => step <= steps,
                Entry::Epoch { epoch, .. } => epoch <= epochs,
            };
            if seen {
                kept += line;
                kept.push('\n');
            }
        }
        Ok(Self(AppendLog::begin(path, kept.as_bytes())?))
    }

    /// Appends a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, entry: &Entry) -> Result<(), StorageError> {
        let mut line = serde_json::to_string(entry).expect("an entry is plain values");
        line.push('\n');
        self.0.append(line.as_bytes())
    }
}

/// Reads log.jsonl. A last line cut short (a killed run) is left out.
///
/// # Errors
/// The file is missing, or a line is no entry.
pub fn read(path: &Path) -> Result<Vec<Entry>, ResultError> {
    let bytes = storage::read(path)?;
    Ok(entries(&bytes, path)?.into_iter().map(|(_, entry)| entry).collect())
}

/// The lines of the log at `path` and what they say. A last line without its newline that is no
/// entry was cut short and is left out.
fn entries<'a>(bytes: &'a [u8], path: &Path) -> Result<Vec<(&'a str, Entry)>, ResultError> {
    let mut entries = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match entry(text) {
            Ok(entry) => entries.push(entry),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(reason) => {
                let reason = format!("line {} is no log entry ({reason})", index + 1);
                return Err(ResultError::garbled(path, reason));
            }
        }
    }
    Ok(entries)
}

fn entry(line: &[u8]) -> Result<(&str, Entry), String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let entry = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((text, entry))
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
        // Cut off just before its newline, to which nothing may be appended.
        std::fs::write(&path, lines.trim_end()).unwrap();
        let mut log = TrainingLog::open(&path, 3, 0).unwrap();
        log.write(&step(4)).unwrap();
        assert_eq!(read(&path).unwrap(), [step(1), step(2), step(3), step(4)]);
    }

    #[test]
    fn a_damaged_line_is_told_and_the_log_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let good = "{\"kind\":\"step\",\"step\":1,\"epoch\":1,\"loss\":0.5,\"lr\":0.1}\n";
        let unknown = "{\"kind\":\"note\",\"text\":\"x\"}\n";
        for damaged in [b"oops\n", unknown.as_bytes(), b"{\"kind\":\"step\"}\n", b"\xff\n"] {
            let text = [good.as_bytes(), damaged, good.as_bytes()].concat();
            std::fs::write(&path, &text).unwrap();
            let opened = TrainingLog::open(&path, 9, 9).map(|_| ()).unwrap_err().to_string();
            assert!(opened.contains("log.jsonl") && opened.contains("line 2"), "{opened}");
            assert_eq!(read(&path).unwrap_err().to_string(), opened);
            assert_eq!(std::fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_perturbed_loss_that_is_no_number_is_not_one_left_out() {
        for written in [None, Some(0.25), Some(f32::NAN)] {
            let entry = Entry::Step { step: 1, epoch: 1, loss: 0.5, perturbed_loss: written, lr: 0.1 };
            let line = serde_json::to_string(&entry).unwrap();
            let Entry::Step { perturbed_loss, .. } = serde_json::from_str(&line).unwrap() else {
                panic!("{line}");
            };
            assert_eq!(perturbed_loss.map(f32::to_bits), written.map(f32::to_bits), "{line}");
        }
    }

    #[test]
    fn a_log_of_a_killed_run_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let text = "{\"kind\":\"step\",\"step\":1,\"epoch\":1,\"loss\":0.5,\"lr\":0.1}\n\
            {\"kind\":\"step\",\"step\":2,\"epoch\":1,\"loss\":null,\"lr\":0.1}\n";
        std::fs::write(&path, format!("{text}{{\"kind\":\"st")).unwrap();
        let log = read(&path).unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!(log[0], Entry::Step { step: 1, epoch: 1, loss: 0.5, perturbed_loss: None, lr: 0.1 });
        assert!(matches!(log[1], Entry::Step { step: 2, loss, .. } if loss.is_nan()));
        std::fs::write(&path, format!("oops\n{text}")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("log.jsonl") && error.contains("line 1"), "{error}");
    }
}
