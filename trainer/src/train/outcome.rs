//! model.onnx: its metadata, and its export from the weights of a run.

use super::checkpoint::Best;
use super::settings::Settings;
use crate::model::files::onnx;
use crate::model::graph::Graph;
use crate::model::weights::Weights;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;

/// The metadata of model.onnx.
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

/// Writes an ONNX file of `weights` with a fixed batch, or for any batch if `batch` is none.
///
/// # Errors
/// A file that cannot be written.
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
