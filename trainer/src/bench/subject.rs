//! The step that is timed: its plan, its buffers and its inputs.

use super::{BenchError, Settings, Work, traffic};
use crate::arms::step;
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Engine, Executable};
use crate::gpu::recording::Recording;
use crate::gpu::timestamps::Stopwatch;
use crate::model::graph::Graph;
use crate::model::weights::Weights;
use crate::ops::step as scalars;
use crate::plan::resident::Resident;
use crate::plan::{input_gradient, names};
use crate::train::schedule::Schedule;
use crate::train::settings::{BadSettings, Settings as Training};
use dfrt_runtime::detector::oracle::AttackLoss;
use dfrt_runtime::random;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Steps per epoch for the schedule, so many that the learning rate stays low in its warm-up and
/// training on noise does not diverge.
const STEPS_AN_EPOCH: usize = 10_000;

/// Noise as pictures, alternating labels, and the keys of the masks.
struct Noise {
    bytes: Vec<u32>,
    pixels: Vec<f32>,
    labels: Vec<f32>,
    keys: Vec<u32>,
    /// The random numbers of the method.
    draws: Vec<f32>,
}

impl Noise {
    fn draw(batch: usize, res: usize) -> Self {
        let mut random = random::stream(0, &["bench".into(), "pictures".into()]);
        let bytes: Vec<u32> = (0..batch * res * res).map(|_| random.random::<u32>() >> 8).collect();
        let lanes = |&pixel: &u32| [0, 8, 16, 24].map(|shift| ((pixel >> shift) & 255) as f32 / 255.0);
        let label = |index: usize| [(index % 2) as f32, 1.0];
        Self {
            pixels: bytes.iter().flat_map(lanes).collect(),
            labels: (0..batch).flat_map(label).collect(),
            keys: (0..2 * batch).map(|_| random.random()).collect(),
            draws: Vec::new(),
            bytes,
        }
    }
}

/// A planned step with its buffers and inputs, ready to be repeated.
pub struct Subject {
    /// The device.
    pub engine: Arc<Engine>,
    /// The recording of a step.
    pub recording: Recording,
    /// The compiled recording.
    pub plan: Executable,
    graph: Arc<Graph>,
    training: Training,
    work: Work,
    noise: Noise,
    buffers: HashMap<String, Buffer>,
    step: usize,
}

/// What is prepared before the time is measured: everything except the plan.
pub struct Prepared {
    /// What is measured.
    pub settings: Settings,
    training: Training,
    graph: Graph,
    /// The initial weights, which are random.
    pub weights: Weights,
    noise: Noise,
}

impl Prepared {
    /// Checks the settings and draws weights and pictures.
    ///
    /// # Errors
    /// An architecture, resolution or batch that cannot be trained.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let mut training = Training {
            arch: settings.arch.clone(),
            res: settings.res,
            batch: settings.batch,
            ..Training::default()
        };
        if let Work::Training(method) = &settings.work {
            training.method = method.clone();
        }
        training.check()?;
        let graph = training.graph()?;
        let weights = Weights::initial(&graph, 0);
        let mut noise = Noise::draw(settings.batch, settings.res);
        let keys: Vec<u64> = (0..settings.batch as u64).collect();
        noise.draws = training.method.arm().draws(&graph, &keys);
        Ok(Self { settings, training, graph, weights, noise })
    }
}

impl Subject {
    /// Plans the step and compiles it.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn plan(engine: Arc<Engine>, prepared: Prepared) -> Result<Self, GpuError> {
        let Prepared { settings: Settings { work, .. }, training, graph, weights, noise } = prepared;
        let batch = training.batch;
        let weights = if work == Work::InputGradient { weights.folded(&graph) } else { weights };
        let network = Resident::new(Arc::clone(&engine), graph, &weights)?;
        let (graph, layout) = (&network.graph, &network.layout);
        let recording = match &work {
            Work::Training(_) => step::record(graph, layout, batch, &training.step()),
            Work::InputGradient => input_gradient::record(graph, layout, batch, AttackLoss::CrossEntropy),
        };
        let mut buffers = network.buffers();
        for external in &recording.externals {
            if !buffers.contains_key(&external.name) {
                buffers.insert(external.name.clone(), engine.buffer(&external.name, external.len)?);
            }
        }
        let plan = engine.compile(&recording, &buffers)?;
        let graph = network.graph;
        let subject = Self { engine, graph, recording, plan, training, work, noise, buffers, step: 0 };
        if subject.work == Work::InputGradient {
            subject.write(names::PIXELS, &subject.noise.pixels);
            subject.write(names::LABELS, &subject.noise.labels);
        }
        Ok(subject)
    }

    /// Submits a step as training and attacks do; does not wait.
    ///
    /// # Errors
    /// A device that fails.
    pub fn submit(&mut self) -> Result<(), GpuError> {
        self.feed();
        self.engine.run(&self.plan)
    }

    /// Submits a step like [`Subject::submit`], with one timed span for every `dispatches` dispatches.
    ///
    /// # Errors
    /// A device that fails.
    pub fn submit_timed(&mut self, stopwatch: &mut Stopwatch, dispatches: usize) -> Result<(), GpuError> {
        self.feed();
        self.engine.run_timed(&self.plan, stopwatch, dispatches)
    }

    /// Uploads the pictures and scalars of a training step; those of an attack are on the device.
    fn feed(&mut self) {
        if self.work != Work::InputGradient {
            let schedule = Schedule::new(&self.training, STEPS_AN_EPOCH);
            let mut scalars = schedule.step(self.step, self.step % step::SLOTS);
            // The clean steps at the beginning have another plan.
            scalars.eps = self.adversarial_radius();
            self.write(names::BYTES, &self.noise.bytes);
            self.write(names::LABELS, &self.noise.labels);
            self.write(names::KEYS, &self.noise.keys);
            self.write(names::DRAWS, &self.noise.draws);
            self.write(scalars::NAME, &[scalars]);
        }
        self.step += 1;
    }

    fn adversarial_radius(&self) -> f32 {
        self.training.method.arm().adversary().map_or(0.0, |adversary| adversary.eps / 255.0)
    }

    /// Writes a buffer, if the plan has one of that name.
    fn write<T: bytemuck::Pod>(&self, name: &str, values: &[T]) {
        if let Some(buffer) = self.buffers.get(name) {
            self.engine.write(buffer, 0, values);
        }
    }

    /// Bytes of the plan's pool and of its named buffers.
    pub fn bytes(&self) -> u64 {
        self.plan.pool_bytes + self.buffers.values().map(|buffer| 4 * buffer.len as u64).sum::<u64>()
    }

    /// The least bytes that a step must read and write.
    pub fn lower_bound(&self) -> u64 {
        traffic::lower_bound(&self.graph, self.training.batch, &self.work, self.training.masks)
    }

    /// All values of the buffer `name`, after all submissions; none if the plan has no such buffer.
    ///
    /// # Errors
    /// A device that fails.
    pub fn values(&self, name: &str) -> Result<Option<Vec<f32>>, GpuError> {
        self.buffers.get(name).map(|buffer| self.engine.read(buffer, 0, buffer.len)).transpose()
    }

    /// Checks that the losses and the gradient of the pixels are finite after the steps.
    ///
    /// # Errors
    /// A value that is NaN or infinite, a device that fails.
    pub fn check(&self) -> Result<(), BenchError> {
        for name in [step::HISTORY, step::PERTURBED_HISTORY, names::LOSSES, names::PIXEL_GRADIENT] {
            let values = self.values(name)?.unwrap_or_default();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(BenchError::NotFinite { steps: self.step });
            }
        }
        Ok(())
    }
}
