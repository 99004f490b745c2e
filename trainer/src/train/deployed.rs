//! Loads a trained network onto the device, as it is deployed.

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

/// Why a model cannot be loaded onto the device.
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
        "gradients need a network that dfrt trained; use suite-black or one of its attacks on other models, a --surrogate, \
        or give the RUN: {0}"
    )]
    NotExported(#[source] ImportError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// Loads the network of `model` onto the device with its batch-norms folded: of a RUN the weights
/// in best.safetensors, of an ONNX file that dfrt exported those inside.
///
/// # Errors
/// An ONNX file of another program, weights that do not fit, a device that fails.
pub fn resident(model: &Model, engine: Arc<Engine>) -> Result<Resident, NetworkError> {
    let (graph, weights) = match &model.run {
        Some(run) => {
            let graph = Settings::read(&run.join(files::CONFIG))?.graph()?;
            let weights = weights_file::load(&run.join(files::BEST), &graph)?.weights;
            (graph, weights)
        }
        None => {
            let imported = onnx_import::load(&model.onnx).map_err(NetworkError::NotExported)?;
            (imported.graph, imported.weights)
        }
    };
    Ok(Resident::deployed(engine, graph, &weights)?)
}
