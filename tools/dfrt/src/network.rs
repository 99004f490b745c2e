//! Networks of ours on a GPU: opening the device, and bringing a model's weights there.

use crate::model::Model;
use crate::output;
use anyhow::{Context, Result};
use dfrt_runtime::results::run::files;
use dfrt_trainer::gpu::device::{Device, DeviceInfo};
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::model::files::onnx_import;
use dfrt_trainer::model::files::weights_file;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use dfrt_trainer::plan::resident::Resident;
use dfrt_trainer::train::settings::Settings;
use std::sync::Arc;

/// Opens the device `index`, or the best one, and says so where that is slow.
pub fn engine(index: Option<usize>) -> Result<Arc<Engine>> {
    let device = Device::open(index)?;
    warn_if_software(&device.info);
    Ok(Arc::new(Engine::new(device, false)))
}

/// A remark on a CPU that pretends to be a GPU.
pub fn warn_if_software(device: &DeviceInfo) {
    if device.is_software() {
        output::note(format!(
            "warning: {} is a software device on this CPU: expect it to be slow",
            device.name
        ));
    }
    if let Some(version) = device.slow_mesa() {
        output::note(format!(
            "warning: this is Mesa {version}; version 25 is about twice as fast (Debian 12: `apt-get install -t bookworm-backports mesa-vulkan-drivers`, with the backports among the sources)"
        ));
    }
}

/// The network of `model` on the device, as it is deployed: of a RUN its best.safetensors, of
/// an ONNX file that dfrt exported the weights inside, batch-norms folded.
///
/// # Errors
/// A foreign ONNX file, weights that do not fit, a device that fails.
pub fn resident(model: &Model, engine: Arc<Engine>) -> Result<Resident> {
    let (graph, weights) = match &model.run {
        Some(run) => {
            let graph = Settings::read(&run.join(files::CONFIG))?.graph()?;
            let weights = weights_file::load(&run.join(files::BEST), &graph)?.weights;
            (graph, weights)
        }
        None => exported(model)?,
    };
    Ok(Resident::deployed(engine, graph, &weights)?)
}

fn exported(model: &Model) -> Result<(Graph, Weights)> {
    let imported = onnx_import::load(&model.onnx).context(
        "gradients need a network of ours; use suite-black or one of its attacks on other models, a --surrogate, or give the RUN",
    )?;
    Ok((imported.graph, imported.weights))
}
