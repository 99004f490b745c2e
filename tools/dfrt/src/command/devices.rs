//! `dfrt devices`: what can train here.

use super::options::options;
use anyhow::Result;

options! {
/// list the GPUs that can train, and which one would be used
#[argh(
    name = "devices",
    example = "{command_name} --json",
    note = "The index is what --device takes. Discrete GPUs come before integrated, virtual and software ones."
)]
pub struct Devices {
    json,
}
}

impl Devices {
    /// Does it.
    #[cfg(feature = "train")]
    pub fn run(self) -> Result<()> {
        use crate::network;
        use crate::output;
        use dfrt_trainer::gpu::device;

        let devices = device::list();
        if self.json {
            output::json(&devices)?;
        } else if devices.is_empty() {
            output::say(device::GpuError::NoDevice)?;
        } else {
            output::say(table(&devices))?;
        }
        if let Some(used) = devices.iter().find(|device| device.default) {
            network::warn_if_software(used);
        }
        Ok(())
    }

    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> Result<()> {
        Err(crate::failure::no_training("devices"))
    }
}

#[cfg(feature = "train")]
fn table(devices: &[dfrt_trainer::gpu::device::DeviceInfo]) -> String {
    let name_of = |device: &dfrt_trainer::gpu::device::DeviceInfo| device.name.chars().count();
    let width = devices.iter().map(name_of).max().unwrap_or(0).max("name".len());
    let mut text = format!("   index  {:width$}  type        api     driver", "name");
    for device in devices {
        let used = if device.default { "*" } else { " " };
        text.push_str(&format!(
            "\n {used} {:>5}  {:width$}  {:10}  {:6}  {}",
            device.index, device.name, device.kind, device.api, device.driver
        ));
    }
    text + "\n * is used where --device names no other"
}
