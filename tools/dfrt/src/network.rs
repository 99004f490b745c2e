//! Opening the GPU.

use crate::output;
use anyhow::Result;
use dfrt_trainer::gpu::device::{Device, DeviceInfo};
use dfrt_trainer::gpu::engine::Engine;
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
