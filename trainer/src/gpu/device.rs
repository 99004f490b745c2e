//! Finding and opening a GPU.

use std::sync::{Arc, Mutex};

/// Why a GPU cannot be used. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no adapter.
    #[error(
        "no GPU that can train was found (Vulkan, Metal or DX12): install your GPU's driver, or a software one (Debian: mesa-vulkan-drivers)"
    )]
    NoDevice,
    /// There is no device of that index.
    #[error("device {index} does not exist: there are {count}; `dfrt devices` lists them")]
    NoSuchDevice {
        /// The requested index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver refused to open the device.
    #[error("device `{name}` cannot be opened: {reason}; update its driver or choose another with --device")]
    Refused {
        /// The adapter's name.
        name: String,
        /// What the driver said.
        reason: String,
    },
    /// A tensor is larger than what the device can bind.
    #[error(
        "a tensor of {needed_mb} MB is larger than the {limit_mb} MB that `{name}` can bind; use a smaller --batch or --res"
    )]
    TensorTooLarge {
        /// Size of the tensor.
        needed_mb: u64,
        /// The device's limit.
        limit_mb: u64,
        /// The adapter's name.
        name: String,
    },
    /// Memory ran out.
    #[error("out of memory on `{name}` ({needed_mb} MB needed for one plan); use a smaller --batch or --res")]
    OutOfMemory {
        /// The adapter's name.
        name: String,
        /// Memory of the plan in MB.
        needed_mb: u64,
    },
    /// The device has no timestamps.
    #[error(
        "device `{name}` has no timestamp queries, which --profile needs; leave --profile out, update the driver or choose another --device"
    )]
    NoTimestamps {
        /// The adapter's name.
        name: String,
    },
    /// The driver reported an error during the work.
    #[error(
        "the GPU reported an error: {0}; run `dfrt selftest`, update the driver, or choose another --device"
    )]
    Failed(String),
}

/// A GPU as `dfrt devices` lists it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DeviceInfo {
    /// Its index in the list: the value of `--device`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// "discrete", "integrated", "virtual", "software" or "other".
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// "vulkan", "metal", "dx12".
    pub api: String,
    /// The driver's name and version.
    pub driver: String,
    /// Whether it would be used without `--device`.
    pub default: bool,
}

impl DeviceInfo {
    /// Whether it is a software driver on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// The major version of Mesa, if this is a slow version of its software driver: 22 and earlier
    /// were measured to be about half as fast as version 25.
    pub fn slow_mesa(&self) -> Option<u32> {
        let (_, rest) = self.driver.split_once("Mesa ")?;
        let major: u32 = rest.split('.').next()?.parse().ok()?;
        (self.is_software() && major <= SLOW_MESA).then_some(major)
    }
}

/// The last major version of Mesa whose software driver was measured to be slow.
const SLOW_MESA: u32 = 22;

/// An opened device.
#[derive(Debug)]
pub struct Device {
    /// Its description.
    pub info: DeviceInfo,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// Whether kernels may read [`super::kernel::TABLE`] as immediates.
    pub(super) immediates: bool,
    /// Whether the device has timestamps of the start and end of dispatches.
    pub(super) timestamps: bool,
    error: Arc<Mutex<Option<String>>>,
}

fn kind(device_type: wgpu::DeviceType) -> &'static str {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

fn rank(device_type: wgpu::DeviceType) -> u8 {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(descriptor);
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
}

fn describe(adapters: &[wgpu::Adapter]) -> Vec<DeviceInfo> {
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let best = (0..infos.len()).min_by_key(|&index| (rank(infos[index].device_type), index));
    let describe = |(index, info): (usize, &wgpu::AdapterInfo)| DeviceInfo {
        index,
        name: info.name.clone(),
        kind: kind(info.device_type),
        api: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        default: Some(index) == best,
    };
    infos.iter().enumerate().map(describe).collect()
}

/// The GPUs that can train.
pub fn list() -> Vec<DeviceInfo> {
    describe(&adapters())
}

impl Device {
    /// Opens the adapter `index`, or the best one: discrete before integrated before virtual before
    /// software.
    ///
    /// # Errors
    /// No such adapter, or one that cannot be opened.
    pub fn open(index: Option<usize>) -> Result<Self, GpuError> {
        let mut adapters = adapters();
        let infos = describe(&adapters);
        let default = infos.iter().position(|info| info.default).ok_or(GpuError::NoDevice)?;
        let index = index.unwrap_or(default);
        if index >= adapters.len() {
            return Err(GpuError::NoSuchDevice { index, count: adapters.len() });
        }
        Self::open_adapter(&adapters.swap_remove(index), infos[index].clone())
    }

    fn open_adapter(adapter: &wgpu::Adapter, info: DeviceInfo) -> Result<Self, GpuError> {
        let offered = adapter.limits();
        let mut limits = wgpu::Limits::downlevel_defaults();
        limits.max_storage_buffers_per_shader_stage = 8;
        limits.max_storage_buffer_binding_size = offered.max_storage_buffer_binding_size;
        limits.max_buffer_size = offered.max_buffer_size;
        let table = size_of_val(&super::kernel::TABLE) as u32;
        let immediates =
            adapter.features().contains(wgpu::Features::IMMEDIATES) && offered.max_immediate_size >= table;
        if immediates {
            limits.max_immediate_size = table;
        }
        // Costs nothing if no pass uses it.
        let timestamps = adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let mut features = wgpu::Features::empty();
        features.set(wgpu::Features::IMMEDIATES, immediates);
        features.set(wgpu::Features::TIMESTAMP_QUERY, timestamps);
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("dfrt"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let refused = |error: wgpu::RequestDeviceError| GpuError::Refused {
            name: info.name.clone(),
            reason: error.to_string(),
        };
        let (device, queue) = pollster::block_on(request).map_err(refused)?;
        let error = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&error);
        device.on_uncaptured_error(Arc::new(move |failure: wgpu::Error| {
            keep(&slot, &failure.to_string());
        }));
        Ok(Self { info, device, queue, immediates, timestamps, error })
    }

    /// Keeps an error for [`Device::check`], unless there is one already.
    pub(super) fn keep(&self, text: &str) {
        keep(&self.error, text);
    }

    /// The first error that the driver has reported since the last call, if any.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        match self.error.lock().expect("no holder panics").take() {
            Some(text) => Err(GpuError::Failed(text)),
            None => Ok(()),
        }
    }

    /// The largest size of a binding in bytes.
    pub(super) fn binding_limit(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }
}

/// Writes the text on one line to an empty slot.
fn keep(slot: &Mutex<Option<String>>, text: &str) {
    let one_line = || text.split_whitespace().collect::<Vec<_>>().join(" ");
    slot.lock().expect("no holder panics").get_or_insert_with(one_line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_software_driver_is_known_by_its_version() {
        let device = |kind, driver: &str| DeviceInfo {
            index: 0,
            name: "any".to_owned(),
            kind,
            api: "vulkan".to_owned(),
            driver: driver.to_owned(),
            default: true,
        };
        assert_eq!(device("software", "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)").slow_mesa(), Some(22));
        assert_eq!(device("software", "llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 19.1.4)").slow_mesa(), None);
        assert_eq!(device("software", "llvmpipe Mesa 24.2.8").slow_mesa(), None, "nobody measured it");
        assert_eq!(device("discrete", "radv Mesa 22.3.6").slow_mesa(), None);
        assert_eq!(device("software", "SwiftShader 5.0").slow_mesa(), None);
    }
}
