//! Opening the GPU.

use crate::output;
use anyhow::Result;
use dfrt_trainer::gpu::device::{Device, DeviceInfo};
use dfrt_trainer::gpu::engine::Engine;
use std::sync::Arc;

/// Opens the device `index`, or the best one; warns if it is slow.
///
/// # Errors
/// No device, or one that cannot be opened.
pub fn engine(index: Option<usize>) -> Result<Arc<Engine>> {
    let device = Device::open(index)?;
    warn_if_software(&device.info);
    Ok(Arc::new(Engine::new(device, false)))
}

/// Warns if the device is a software driver on the CPU, and if that driver is a slow version.
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
