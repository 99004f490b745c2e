//! last.safetensors: everything that a run needs to continue as if it had not been interrupted:
//! weights with torchvision's names, and the state of the optimiser.

use super::settings::Settings;
use crate::model::files::weights_file;
use crate::model::graph::Graph;
use crate::model::weights::{Weights, WeightsError};
use dfrt_runtime::storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Its validation AUC.
    pub auc: Option<f64>,
    /// Its validation loss.
    pub loss: f64,
    /// Its threshold.
    pub threshold: f32,
    /// Its robust accuracy on validation pictures, where that is measured.
    pub robust_accuracy: Option<f64>,
    /// Its AUC under attack.
    pub robust_auc: Option<f64>,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// The current epoch, counted from 0.
    pub epoch: usize,
    /// Number of its batches that are done.
    pub batch: usize,
    /// Number of steps done in the run.
    pub step: usize,
    /// Sum of the losses of those batches.
    pub loss_sum: f64,
    /// Mean loss of the last complete epoch.
    pub train_loss: f64,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// The highest robust accuracy of an epoch so far; 0 where that is not measured.
    pub most_robust: f64,
    /// Whether the run has ended because it overfitted to single steps of an attack.
    pub overfitted: bool,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The progress of the run.
    pub progress: Progress,
    /// Its weights.
    pub weights: Weights,
    /// Velocity or first moment, flat in the device's layout.
    pub first: Vec<f32>,
    /// Second moment, flat in the device's layout.
    pub second: Vec<f32>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Its tensors.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The run cannot continue from it.
    #[error("{}: {what}; it cannot be resumed: train again with another --out, or with --force", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";
const PROGRESS: &str = "dfrt.progress";
const SETTINGS: &str = "dfrt.settings_sha256";
const DATA: &str = "dfrt.data_sha256";

/// Progress as text, with the bits of floats, so that nothing is rounded.
#[derive(Serialize, Deserialize)]
struct Record {
    epoch: usize,
    batch: usize,
    step: usize,
    loss_sum_bits: u64,
    train_loss_bits: u64,
    best: Option<BestRecord>,
    // Checkpoints from before 2026-11-29 lack this and the field after it.
    #[serde(default)]
    most_robust_bits: u64,
    #[serde(default)]
    overfitted: bool,
}

#[derive(Serialize, Deserialize)]
struct BestRecord {
    epoch: usize,
    auc_bits: Option<u64>,
    loss_bits: u64,
    threshold_bits: u32,
    // Checkpoints from before 2026-11-29 lack this and the field after it.
    #[serde(default)]
    robust_accuracy_bits: Option<u64>,
    #[serde(default)]
    robust_auc_bits: Option<u64>,
}

impl From<&Progress> for Record {
    fn from(progress: &Progress) -> Self {
        let best = |best: Best| BestRecord {
            epoch: best.epoch,
            auc_bits: best.auc.map(f64::to_bits),
            loss_bits: best.loss.to_bits(),
            threshold_bits: best.threshold.to_bits(),
            robust_accuracy_bits: best.robust_accuracy.map(f64::to_bits),
            robust_auc_bits: best.robust_auc.map(f64::to_bits),
        };
        Self {
            epoch: progress.epoch,
            batch: progress.batch,
            step: progress.step,
            loss_sum_bits: progress.loss_sum.to_bits(),
            train_loss_bits: progress.train_loss.to_bits(),
            best: progress.best.map(best),
            most_robust_bits: progress.most_robust.to_bits(),
            overfitted: progress.overfitted,
        }
    }
}

impl From<Record> for Progress {
    fn from(record: Record) -> Self {
        let best = |best: BestRecord| Best {
            epoch: best.epoch,
            auc: best.auc_bits.map(f64::from_bits),
            loss: f64::from_bits(best.loss_bits),
            threshold: f32::from_bits(best.threshold_bits),
            robust_accuracy: best.robust_accuracy_bits.map(f64::from_bits),
            robust_auc: best.robust_auc_bits.map(f64::from_bits),
        };
        Self {
            epoch: record.epoch,
            batch: record.batch,
            step: record.step,
            loss_sum: f64::from_bits(record.loss_sum_bits),
            train_loss: f64::from_bits(record.train_loss_bits),
            best: record.best.map(best),
            most_robust: f64::from_bits(record.most_robust_bits),
            overfitted: record.overfitted,
        }
    }
}

fn settings_hash(settings: &Settings) -> String {
    // Settings of memory do not change what a run computes.
    storage::sha256(Settings { memory_mb: None, ..settings.clone() }.to_toml().as_bytes())
}

impl Checkpoint {
    /// Writes the checkpoint atomically; if that fails, an earlier one stays. `data_sha256` is the hash
    /// of the manifest.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        graph: &Graph,
        settings: &Settings,
        data_sha256: &str,
    ) -> Result<(), CheckpointError> {
        let extras = BTreeMap::from([
            (FIRST.to_owned(), self.first.clone()),
            (SECOND.to_owned(), self.second.clone()),
        ]);
        let record = serde_json::to_string(&Record::from(&self.progress)).expect("plain values");
        let metadata = BTreeMap::from([
            (PROGRESS.to_owned(), record),
            (SETTINGS.to_owned(), settings_hash(settings)),
            (DATA.to_owned(), data_sha256.to_owned()),
        ]);
        Ok(weights_file::save(path, graph, &self.weights, &extras, &metadata)?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A file that cannot be read, or a checkpoint of a run with other settings or another
    /// manifest (checkpoints of earlier versions do not record the manifest).
    pub fn load(
        path: &Path,
        graph: &Graph,
        settings: &Settings,
        data_sha256: &str,
        len: usize,
    ) -> Result<Self, CheckpointError> {
        let unusable =
            |what: &str| CheckpointError::Unusable { path: path.to_owned(), what: what.to_owned() };
        let mut loaded = weights_file::load(path, graph)?;
        if loaded.metadata.get(SETTINGS) != Some(&settings_hash(settings)) {
            return Err(unusable("it belongs to a run with other settings than its config.toml"));
        }
        if loaded.metadata.get(DATA).is_some_and(|then| then != data_sha256) {
            return Err(unusable("the data set has changed since: other files, labels, groups or splits"));
        }
        let record = loaded.metadata.get(PROGRESS).and_then(|text| serde_json::from_str::<Record>(text).ok());
        let progress = record.ok_or_else(|| unusable("it does not say how far the run was"))?.into();
        let mut moment = |name| {
            let values = loaded.extras.remove(name).filter(|values: &Vec<f32>| values.len() == len);
            values.ok_or_else(|| unusable("it lacks the optimiser's state"))
        };
        Ok(Self { progress, first: moment(FIRST)?, second: moment(SECOND)?, weights: loaded.weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_keeps_every_bit() {
        let progress = Progress {
            epoch: 3,
            batch: 7,
            step: 100,
            loss_sum: 0.1 + 0.2,
            train_loss: 0.7,
            best: Some(Best {
                epoch: 2,
                auc: Some(1.0 / 3.0),
                loss: f64::INFINITY,
                threshold: -0.0,
                robust_accuracy: Some(0.1),
                robust_auc: None,
            }),
            most_robust: 0.7,
            overfitted: true,
        };
        let text = serde_json::to_string(&Record::from(&progress)).unwrap();
        let back: Progress = serde_json::from_str::<Record>(&text).unwrap().into();
        assert_eq!(back.loss_sum.to_bits(), progress.loss_sum.to_bits());
        assert_eq!(back, progress);
    }
}
