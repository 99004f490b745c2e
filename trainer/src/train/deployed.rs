//! Bringing a trained network back to the device, as it is deployed.

use super::settings::{BadSettings, Settings};
use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use crate::model::files::onnx_import::{self, ImportError};
use crate::model::files::weights_file;
use crate::model::weights::WeightsError;
use crate::plan::resident::Resident;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::results::run::files;
use std::sync::Arc;

/// Why a model is no network on the device.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The settings of the RUN.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// Its weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file that dfrt did not export.
    #[error(
        "gradients need a network of ours; use suite-black or one of its attacks on other models, a --surrogate, \
        or give the RUN: {0}"
    )]
    Foreign(#[source] ImportError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// The network of `model` on the device, as it is deployed: of a RUN its best.safetensors, of
/// an ONNX file that dfrt exported the weights inside, batch-norms folded.
///
/// # Errors
/// A foreign ONNX file, weights that do not fit, a device that fails.
pub fn resident(model: &Model, engine: Arc<Engine>) -> Result<Resident, NetworkError> {
    let (graph, weights) = match &model.run {
        Some(run) => {
            let graph = Settings::read(&run.join(files::CONFIG))?.graph()?;
            let weights = weights_file::load(&run.join(files::BEST), &graph)?.weights;
            (graph, weights)
        }
        None => {
            let imported = onnx_import::load(&model.onnx).map_err(NetworkError::Foreign)?;
            (imported.graph, imported.weights)
        }
    };
    Ok(Resident::deployed(engine, graph, &weights)?)
}
