//! The folder of a training run: its files, and the object of summary.json.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of a RUN's files.
pub mod files {
    /// The resolved settings.
    pub const CONFIG: &str = "config.toml";
    /// One object a step and epoch.
    pub const LOG: &str = "log.jsonl";
    /// The checkpoint.
    pub const LAST: &str = "last.safetensors";
    /// Weights of the best epoch.
    pub const BEST: &str = "best.safetensors";
    /// The best epoch's network for deployment.
    pub const MODEL: &str = "model.onnx";
    /// The outcome.
    pub const SUMMARY: &str = "summary.json";
}

/// The object of summary.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// "baseline", "gr", …
    pub method: String,
    /// The training seed.
    pub seed: u64,
    /// Learned values.
    pub parameters: usize,
    /// Training pictures.
    pub n_train: usize,
    /// Validation pictures.
    pub n_val: usize,
    /// Epochs that ran.
    pub epochs: usize,
    /// Steps that ran.
    pub steps: usize,
    /// Whether the run stopped early for want of progress.
    pub stopped_early: bool,
    /// The epoch whose weights are kept in best.safetensors and model.onnx.
    pub best_epoch: usize,
    /// Its validation AUC.
    pub val_auc: Option<f64>,
    /// Its validation loss.
    pub val_loss: f64,
    /// What that epoch is the best by: "auc", "robust-accuracy", "robust-auc" or "mean-auc".
    // RUNs from before 2026-11-29 lack this and the three fields after it.
    #[serde(default)]
    pub selected_by: Option<String>,
    /// Its share of validation pictures that are classified rightly before and after PGD, where that is
    /// measured.
    #[serde(default)]
    pub val_robust_accuracy: Option<f64>,
    /// Its validation AUC under PGD.
    #[serde(default)]
    pub val_robust_auc: Option<f64>,
    /// Whether the run stopped early because the network had learned to defeat single steps of an attack
    /// only ("catastrophic overfitting").
    #[serde(default)]
    pub overfitted: bool,
    /// Logit above which a picture is called fake, fixed on validation.
    pub threshold: f32,
    /// Mean loss of the last epoch.
    pub train_loss: f64,
    /// Training pictures a second over this session's steps; validation left out.
    pub images_per_second: f64,
    /// Device memory of the training and evaluation plans, in MB.
    pub gpu_mb: f64,
    /// The device.
    pub device: String,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
    /// SHA-256 over the weights of the best epoch.
    pub weights_sha256: String,
    /// SHA-256 of the data set's manifest.
    pub data_sha256: String,
}
