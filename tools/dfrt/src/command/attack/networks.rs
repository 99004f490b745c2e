//! Loads onto the GPU the networks whose gradients an attack uses.

use crate::network;
use anyhow::{Result, bail};
use dfrt_runtime::attack::networks::{Networks, WhiteBox};
use dfrt_runtime::detector::model::Model;
use dfrt_trainer::attack::device::GpuDevice;
use dfrt_trainer::train::deployed;
use std::path::Path;
use std::sync::Arc;

/// Loads `own`, a model and its threshold, and the model at `surrogate` onto the device, for
/// pictures of `res` x `res`, `batch` at a time. Without either no device is opened.
///
/// # Errors
/// A device that fails, a model that dfrt did not make, a surrogate that cannot be read or has
/// another resolution.
pub fn load(
    own: Option<(&Model, f64)>,
    surrogate: Option<&Path>,
    device: Option<usize>,
    (batch, res): (usize, usize),
) -> Result<Networks<'static>> {
    if own.is_none() && surrogate.is_none() {
        return Ok(Networks::default());
    }
    let engine = network::engine(device)?;
    let upload = |model: &Model| {
        let network = deployed::resident(model, Arc::clone(&engine))?;
        anyhow::Ok(GpuDevice::new(&network, batch)?)
    };
    let own = own.map(|(model, threshold)| anyhow::Ok(WhiteBox::new(upload(model)?, threshold, None)));
    let surrogate = surrogate.map(|path| {
        let model = Model::find(path)?;
        let detector = model.load()?;
        let info = detector.info();
        if info.res != res {
            bail!(
                "{}: the surrogate takes {} px, but the model {res}; train or name one of {res} px",
                path.display(),
                info.res
            );
        }
        let name = format!("{} (SHA-256 {})", path.display(), info.sha256);
        Ok(WhiteBox::new(upload(&model)?, detector.threshold(), Some(name)))
    });
    Ok(Networks { own: own.transpose()?, surrogate: surrogate.transpose()? })
}
