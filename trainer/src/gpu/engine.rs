//! Runs recordings: pipelines, buffers and bind groups are made once and used for every run.

use super::device::{Device, GpuError};
use super::kernel::{Access, Kernel, TABLE};
use super::memory::Pool;
use super::recording::{Dispatch, Kind, Place, Recording, Tensor, Variant};
use super::shader::Shader;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// A buffer that outlives the recordings which use it.
#[derive(Clone, Debug)]
pub struct Buffer {
    buffer: wgpu::Buffer,
    /// Number of 4-byte values.
    pub len: usize,
}

/// A device with its compiled kernels.
#[derive(Debug)]
pub struct Engine {
    pub(super) device: Device,
    pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    checked: bool,
    kind: Option<Kind>,
}

#[derive(Debug)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    table: bool,
}

/// A recording with its memory, ready to run any number of times.
#[derive(Debug)]
pub struct Executable {
    pub(super) steps: Vec<Step>,
    pool: Vec<wgpu::Buffer>,
    /// Bytes of the pool that are not shared with another executable.
    pub pool_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Step {
    kernel: &'static Kernel,
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    groups: [u32; 3],
}

impl Executable {
    /// The kernel that each dispatch runs on this device, in the recording's order.
    pub fn kernels(&self) -> impl ExactSizeIterator<Item = &'static Kernel> {
        self.steps.iter().map(|step| step.kernel)
    }
}

impl Step {
    /// Appends the dispatch to a compute pass.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        if self.pipeline.table {
            pass.set_immediates(0, bytemuck::cast_slice(&TABLE));
        }
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A dispatch, or its variant for this kind of device.
struct Work<'a> {
    kernel: &'static Kernel,
    params: &'a [u8],
    tensors: &'a [Tensor],
    groups: [u32; 3],
}

/// The most dispatches of a submission, because the watchdog of a driver limits the time of each.
pub const DISPATCHES_A_SUBMISSION: usize = 128;

/// Alignment of uniform blocks in bytes.
const UNIFORM_ALIGNMENT: usize = 256;

impl Engine {
    /// An engine on `device`. `checked` keeps the bounds checks in the shaders, for tests.
    pub fn new(device: Device, checked: bool) -> Self {
        let kind = match (device.info.is_software(), device.immediates) {
            (false, _) => Some(Kind::Gpu),
            (true, true) => Some(Kind::Software),
            (true, false) => None,
        };
        Self { device, pipelines: Mutex::default(), checked, kind }
    }

    /// The engine with the kernels for devices of `kind`, or only the portable ones, whatever its own
    /// device; none if the device cannot run them.
    pub fn with_kernels_for(self, kind: Option<Kind>) -> Option<Self> {
        let runs = kind != Some(Kind::Software) || self.device.immediates;
        runs.then_some(Self { kind, ..self })
    }

    /// The kind of device whose kernels it uses; none for the portable ones.
    pub fn kernels_for(&self) -> Option<Kind> {
        self.kind
    }

    /// The device it runs on.
    pub fn info(&self) -> &super::device::DeviceInfo {
        &self.device.info
    }

    /// The largest size of a tensor or buffer in bytes.
    pub fn tensor_limit(&self) -> u64 {
        self.device.binding_limit()
    }

    /// A new buffer of `len` 4-byte values, all zero.
    ///
    /// # Errors
    /// The device has too little memory.
    pub fn buffer(&self, label: &str, len: usize) -> Result<Buffer, GpuError> {
        let buffer = self.allocate(label, len)?;
        Ok(Buffer { buffer, len })
    }

    /// A new buffer that holds `values`.
    ///
    /// # Errors
    /// The device has too little memory.
    pub fn upload(&self, label: &str, values: &[f32]) -> Result<Buffer, GpuError> {
        let buffer = self.buffer(label, values.len())?;
        self.write(&buffer, 0, values);
        Ok(buffer)
    }

    /// Writes values from index `offset` on, before the next submission.
    pub fn write<T: bytemuck::Pod>(&self, buffer: &Buffer, offset: usize, values: &[T]) {
        assert!(offset * 4 + size_of_val(values) <= buffer.len * 4, "write out of range");
        self.device.queue.write_buffer(&buffer.buffer, 4 * offset as u64, bytemuck::cast_slice(values));
    }

    /// Reads `len` values from index `offset` on, after all submissions so far.
    ///
    /// # Errors
    /// A device that fails, or a buffer that cannot be read back.
    pub fn read(&self, buffer: &Buffer, offset: usize, len: usize) -> Result<Vec<f32>, GpuError> {
        assert!(offset + len <= buffer.len, "read out of range");
        self.download(&buffer.buffer, 4 * offset as u64, len)
    }

    /// Reads `len` values from byte `offset` on, after all submissions so far.
    pub(super) fn download<T: bytemuck::Pod>(
        &self,
        source: &wgpu::Buffer,
        offset: u64,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        let bytes = (len * size_of::<T>()) as u64;
        let staging = self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, offset, &staging, 0, bytes);
        self.device.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.slice(..).map_async(wgpu::MapMode::Read, move |result| {
            // The receiver lives until the poll below has returned.
            let _ = sender.send(result);
        });
        self.wait()?;
        let failed = |reason: String| GpuError::Failed(format!("a buffer could not be read back: {reason}"));
        receiver
            .recv()
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        let view = staging.slice(..).get_mapped_range().map_err(|error| failed(format!("{error:?}")))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        self.device.check()?;
        Ok(values)
    }

    /// Submits a copy of all of `from` to the start of `to` by the copy command of the device; does not
    /// wait.
    ///
    /// # Errors
    /// A device that failed.
    pub fn copy(&self, from: &Buffer, to: &Buffer) -> Result<(), GpuError> {
        assert!(from.len <= to.len, "copy out of range");
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&from.buffer, 0, &to.buffer, 0, from.buffer.size());
        self.device.queue.submit([encoder.finish()]);
        self.device.check()
    }

    /// Waits until all submissions are done.
    ///
    /// # Errors
    /// A device that failed.
    pub fn wait(&self) -> Result<(), GpuError> {
        let poll = wgpu::PollType::Wait { submission_index: None, timeout: None };
        self.device.device.poll(poll).map_err(|error| GpuError::Failed(error.to_string()))?;
        self.device.check()
    }

    /// Makes the memory, pipelines and bind groups of a recording. `externals` must hold every buffer
    /// that the recording names.
    ///
    /// # Errors
    /// The device has too little memory, or a shader is invalid.
    pub fn compile(
        &self,
        recording: &Recording,
        externals: &HashMap<String, Buffer>,
    ) -> Result<Executable, GpuError> {
        self.compile_over(recording, externals, &[])
    }

    /// Compiles a recording like [`Engine::compile`], in the pool of the executable `lender` as far as
    /// it is large enough. A run of one overwrites the pool of the other.
    ///
    /// # Errors
    /// See [`Engine::compile`].
    pub fn compile_sharing(
        &self,
        recording: &Recording,
        externals: &HashMap<String, Buffer>,
        lender: &Executable,
    ) -> Result<Executable, GpuError> {
        self.compile_over(recording, externals, &lender.pool)
    }

    fn compile_over(
        &self,
        recording: &Recording,
        externals: &HashMap<String, Buffer>,
        lent: &[wgpu::Buffer],
    ) -> Result<Executable, GpuError> {
        if let Some(unwritten) = recording.unwritten_read() {
            panic!("broken recording: {unwritten} before it is written");
        }
        let plan = Pool::plan(recording);
        let scope = self.device.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let pool = self.pool(&plan.buffers, lent);
        let starved = pollster::block_on(scope.pop()).is_some();
        let out_of_memory =
            || GpuError::OutOfMemory { name: self.info().name.clone(), needed_mb: plan.bytes() >> 20 };
        let (pool, pool_bytes) = pool?;
        if starved {
            return Err(out_of_memory());
        }
        let work: Vec<_> = recording.dispatches.iter().map(|dispatch| self.choose(dispatch)).collect();
        let uniforms = self.uniforms(&work)?;
        let buffer_of = |tensor: &Tensor| match tensor.place {
            Place::Pooled(index) => &pool[plan.buffer_of[index].expect("a dispatch uses the tensor")],
            Place::External(index) => {
                let external = &recording.externals[index];
                let buffer = externals
                    .get(&external.name)
                    .unwrap_or_else(|| panic!("no buffer is given for `{}`", external.name));
                assert!(buffer.len >= external.len, "buffer `{}` is too small", external.name);
                &buffer.buffer
            }
        };
        self.prepare(&work);
        let mut steps = Vec::with_capacity(work.len());
        for (index, dispatch) in work.iter().enumerate() {
            let pipeline = self.pipeline(dispatch.kernel);
            let mut entries = vec![wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &uniforms,
                    offset: (index * UNIFORM_ALIGNMENT) as u64,
                    size: wgpu::BufferSize::new(dispatch.params.len() as u64),
                }),
            }];
            for (binding, tensor) in (1..).zip(dispatch.tensors) {
                entries.push(wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: buffer_of(tensor),
                        offset: 4 * tensor.offset as u64,
                        size: wgpu::BufferSize::new(4 * padded(tensor.len) as u64),
                    }),
                });
            }
            let bind_group = self.device.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(dispatch.kernel.entry),
                layout: &pipeline.layout,
                entries: &entries,
            });
            steps.push(Step { kernel: dispatch.kernel, pipeline, bind_group, groups: dispatch.groups });
        }
        self.device.check()?;
        Ok(Executable { steps, pool_bytes, pool })
    }

    /// Buffers of at least these lengths: those of `lent` that fit best, the largest first, else new
    /// ones. Returns the buffers and the bytes of the new ones.
    fn pool(&self, lens: &[usize], lent: &[wgpu::Buffer]) -> Result<(Vec<wgpu::Buffer>, u64), GpuError> {
        let mut lent: Vec<&wgpu::Buffer> = lent.iter().collect();
        lent.sort_by_key(|buffer| buffer.size());
        let mut order: Vec<usize> = (0..lens.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(lens[index]));
        let (mut pool, mut bytes) = (vec![None; lens.len()], 0);
        for index in order {
            let size = 4 * padded(lens[index]) as u64;
            let fitting = lent.partition_point(|buffer| buffer.size() < size);
            pool[index] = Some(if fitting < lent.len() {
                lent.remove(fitting).clone()
            } else {
                bytes += size;
                self.allocate("pool", lens[index])?
            });
        }
        Ok((pool.into_iter().flatten().collect(), bytes))
    }

    /// Submits the executable; does not wait.
    ///
    /// # Errors
    /// A device that failed.
    pub fn run(&self, executable: &Executable) -> Result<(), GpuError> {
        for steps in executable.steps.chunks(DISPATCHES_A_SUBMISSION) {
            let mut encoder = self.device.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                steps.iter().for_each(|step| step.encode(&mut pass));
            }
            self.device.queue.submit([encoder.finish()]);
        }
        self.device.check()
    }

    /// Fills the pool of the executable with NaN, so that a read of an unwritten value shows.
    pub fn poison(&self, executable: &Executable) {
        for buffer in &executable.pool {
            let values = vec![f32::NAN; (buffer.size() / 4) as usize];
            self.device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&values));
        }
    }

    fn allocate(&self, label: &str, len: usize) -> Result<wgpu::Buffer, GpuError> {
        let size = 4 * padded(len) as u64;
        if size > self.device.binding_limit() {
            return Err(GpuError::TensorTooLarge {
                needed_mb: size >> 20,
                limit_mb: self.device.binding_limit() >> 20,
                name: self.info().name.clone(),
            });
        }
        Ok(self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        }))
    }

    fn choose<'a>(&self, dispatch: &'a Dispatch) -> Work<'a> {
        match dispatch.variant(self.kind) {
            Some(Variant { kernel, params, tensors, groups }) => {
                Work { kernel, params, tensors, groups: *groups }
            }
            None => {
                let Dispatch { kernel, params, tensors, groups, .. } = dispatch;
                Work { kernel, params, tensors, groups: *groups }
            }
        }
    }

    fn uniforms(&self, work: &[Work<'_>]) -> Result<wgpu::Buffer, GpuError> {
        let mut bytes = vec![0; work.len().max(1) * UNIFORM_ALIGNMENT];
        for (index, dispatch) in work.iter().enumerate() {
            bytes[index * UNIFORM_ALIGNMENT..][..dispatch.params.len()].copy_from_slice(dispatch.params);
        }
        let buffer = self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.device.queue.write_buffer(&buffer, 0, &bytes);
        Ok(buffer)
    }

    /// Compiles the missing pipelines of `work` on all cores, because a driver takes long for each. A
    /// driver with a cache keeps them on disk.
    fn prepare(&self, work: &[Work<'_>]) {
        let kernels: BTreeMap<String, &'static Kernel> =
            work.iter().map(|dispatch| (dispatch.kernel.name(), dispatch.kernel)).collect();
        let mut missing: Vec<(String, &'static Kernel)> = kernels.into_iter().collect();
        let known = |name: &String| self.pipelines.lock().expect("no holder panics").contains_key(name);
        missing.retain(|(name, _)| !known(name));
        let mut shaders: Vec<&'static Kernel> = missing.iter().map(|(_, kernel)| *kernel).collect();
        shaders.dedup_by_key(|kernel| kernel.shader.name);
        let modules: HashMap<&str, wgpu::ShaderModule> =
            shaders.par_iter().map(|kernel| (kernel.shader.name, self.module(kernel.shader))).collect();
        let made: Vec<_> = missing
            .into_par_iter()
            .map(|(name, kernel)| (name, Arc::new(self.make_pipeline(kernel, &modules[kernel.shader.name]))))
            .collect();
        self.pipelines.lock().expect("no holder panics").extend(made);
    }

    /// A pipeline that [`Engine::prepare`] has made.
    fn pipeline(&self, kernel: &'static Kernel) -> Arc<Pipeline> {
        let pipelines = self.pipelines.lock().expect("no holder panics");
        Arc::clone(pipelines.get(&kernel.name()).expect("pipelines are prepared"))
    }

    fn make_pipeline(&self, kernel: &'static Kernel, module: &wgpu::ShaderModule) -> Pipeline {
        let device = &self.device.device;
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
        for (binding, slot) in (1..).zip(kernel.slots) {
            let read_only = slot.1 == Access::Read;
            entries.push(entry(binding, wgpu::BufferBindingType::Storage { read_only }));
        }
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.entry),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.entry),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: if kernel.table { size_of_val(&TABLE) as u32 } else { 0 },
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&kernel.name()),
            layout: Some(&pipeline_layout),
            module,
            entry_point: Some(kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout, table: kernel.table }
    }

    /// The module of a shader. Errors are kept for [`Device::check`].
    #[allow(unsafe_code)]
    fn module(&self, shader: &'static Shader) -> wgpu::ShaderModule {
        let device = &self.device.device;
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.joined().into()),
        };
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = if self.checked {
            device.create_shader_module(descriptor)
        } else {
            // SAFETY: the shaders are part of the program. The tests run every one of them with the
            // checks on over ragged shapes, every loop ends at a bound from `params`, and every index
            // is guarded by it, but for the slot of a loss, which the callers (`train::stepper`,
            // `bench::subject`) keep within the history.
            unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        if let Some(error) = pollster::block_on(scope.pop()) {
            // wgpu counts lines in the joined text.
            self.device.keep(&shader.parse().err().unwrap_or_else(|| error.to_string()));
        }
        module
    }
}

/// Rounds a length up to complete vec4s, so that kernels over vec4 can read all of a buffer.
fn padded(len: usize) -> usize {
    len.max(1).next_multiple_of(4)
}
