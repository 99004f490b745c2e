//! What a finished run leaves: summary.json and model.onnx.

use super::checkpoint::Best;
use super::settings::Settings;
use crate::model::files::onnx;
use crate::model::graph::Graph;
use crate::model::weights::Weights;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;
use serde::{Deserialize, Serialize};

/// The object of summary.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// What model.onnx says about itself.
pub fn metadata(
    settings: &Settings,
    graph: &Graph,
    best: &Best,
    weights: &Weights,
    data_sha256: &str,
) -> Metadata {
    let mut metadata = Metadata::new(&settings.arch, settings.res, f64::from(best.threshold));
    let data = std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone());
    metadata.data_path = Some(data.to_string_lossy().into_owned());
    metadata.data_sha256 = Some(data_sha256.to_owned());
    metadata.split = Some(Split::Test);
    metadata.method = Some(settings.method.name().to_owned());
    metadata.seed = Some(settings.seed);
    metadata.weights_sha256 = Some(weights.sha256(graph));
    let method = serde_json::to_string(&settings.method).expect("plain values");
    metadata.notes.insert("dfrt.method_settings".to_owned(), method);
    metadata.notes.insert("dfrt.epoch".to_owned(), best.epoch.to_string());
    metadata
}

/// Writes an ONNX file of `weights`, for any batch where none is given.
pub fn export(
    path: &std::path::Path,
    graph: &Graph,
    weights: &Weights,
    metadata: &Metadata,
    batch: Option<usize>,
) -> Result<(), storage::StorageError> {
    let pairs = onnx::described(graph, metadata.clone()).to_pairs().into_iter().collect();
    storage::write(path, &onnx::export(graph, weights, &pairs, batch))
}
