//! A network with weights like after training, and a batch for it; comparisons of results.

use crate::arms::{Method, Scalars, Time, step};
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Engine};
use crate::model::arch::Architecture;
use crate::model::graph::{Graph, Role};
use crate::model::weights::Weights;
use crate::ops::step::{NAME, Step};
use crate::plan::names;
use crate::plan::resident::{Resident, pack_bytes};
use crate::reference::network::{Labels, Mode, Network, State};
use crate::train::settings::Settings;
use dfrt_runtime::random::stream;
use image::RgbImage;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Largest error of a tensor relative to its norm.
const TOLERANCE: f64 = 1e-3;

/// The last step of a run, where schedules have their full values.
const END: Time = Time { step: 0, steps_an_epoch: 1, epochs: 1 };

/// Every buffer after a run, by name.
pub type Buffers = HashMap<String, Vec<f32>>;

/// A network with weights like after training, and a batch for it.
pub struct Fixture {
    pub network: Resident,
    pub weights: Weights,
    pub pictures: Vec<RgbImage>,
    targets: Vec<f64>,
    sample_weights: Vec<f64>,
    pub keys: Vec<u64>,
}

impl Fixture {
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(engine: &Arc<Engine>, arch: &str, res: usize, n: usize) -> Result<Self, GpuError> {
        let architecture = Architecture::named(arch).expect("named below");
        let graph = Graph::new(architecture, res).expect("a multiple of 32");
        let weights = trained_like(&graph);
        let mut random = stream(1, &["fixture".into()]);
        let mut picture = || {
            let values = (0..3 * res * res).map(|index| {
                let wave = 127.0 + 90.0 * (index as f64 * 0.013).sin();
                (wave + random.random_range(-37.0..37.0)) as u8
            });
            RgbImage::from_raw(res as u32, res as u32, values.collect()).expect("3 bytes a pixel")
        };
        let pictures = (0..n).map(|_| picture()).collect();
        Ok(Self {
            network: Resident::new(Arc::clone(engine), graph, &weights)?,
            weights,
            pictures,
            targets: (0..n).map(|index| (index % 2) as f64).collect(),
            sample_weights: (0..n).map(|index| 0.5 + 0.25 * (index % 3) as f64).collect(),
            keys: (0..n as u64).map(|index| index.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect(),
        })
    }

    pub fn graph(&self) -> &Graph {
        &self.network.graph
    }

    /// [N, res, res, 3] in \[0, 1\].
    pub fn pixels(&self) -> Vec<f64> {
        self.pictures
            .iter()
            .flat_map(|picture| picture.as_raw().iter().map(|&byte| f64::from(byte) / 255.0))
            .collect()
    }

    pub fn labels(&self) -> Labels<'_> {
        Labels { targets: &self.targets, weights: &self.sample_weights }
    }

    pub fn state(&self) -> State {
        State::from(&self.weights)
    }

    /// Runs the gradients of a step; returns every named buffer.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn gradients(&self, method: Method, masks: bool, radius: f32) -> Result<Buffers, GpuError> {
        self.gradients_of(&Settings { method, masks, ..Settings::default() }.step(), radius)
    }

    /// Runs the gradients of a step of `method` with its full radii and with masks; returns every named
    /// buffer.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn full_step(&self, method: &Method) -> Result<Buffers, GpuError> {
        self.gradients(method.clone(), true, method.arm().scalars(END).radius)
    }

    /// Runs the gradients of a step with all settings of a plan; returns every named buffer.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn gradients_of(&self, settings: &step::Settings, radius: f32) -> Result<Buffers, GpuError> {
        let engine = &self.network.engine;
        let n = self.pictures.len();
        let masks = settings.masks;
        let recording = step::gradients(self.graph(), &self.network.layout, n, settings);
        let mut named: HashMap<String, Buffer> = self.network.buffers();
        for external in &recording.externals {
            if !named.contains_key(&external.name) {
                // NaN shows a read of an unwritten value.
                let poisoned = engine.upload(&external.name, &vec![f32::NAN; external.len])?;
                named.insert(external.name.clone(), poisoned);
            }
        }
        let plan = engine.compile(&recording, &named)?;
        engine.poison(&plan);
        self.network.load(&self.weights);
        engine.write(&named[names::BYTES], 0, &pack_bytes(&self.pictures));
        let labels: Vec<f32> =
            self.targets.iter().zip(&self.sample_weights).flat_map(|(&t, &w)| [t as f32, w as f32]).collect();
        engine.write(&named[names::LABELS], 0, &labels);
        let arm = settings.method.arm();
        if masks || arm.adversary().is_some() {
            let keys: Vec<u32> = self.keys.iter().flat_map(|&key| [key as u32, (key >> 32) as u32]).collect();
            engine.write(&named[names::KEYS], 0, &keys);
        }
        if let Some(draws) = named.get(names::DRAWS) {
            engine.write(draws, 0, &arm.draws(self.graph(), &self.keys));
        }
        let Scalars { alpha, eps, .. } = arm.scalars(END);
        let scalars = Step { radius, alpha, eps, ..Step::default() };
        engine.write(&named[NAME], 0, &[scalars]);
        engine.run(&plan)?;
        let read =
            |(name, buffer): (&String, &Buffer)| Ok((name.clone(), engine.read(buffer, 0, buffer.len)?));
        named.iter().map(read).collect()
    }
}

/// Weights whose batch-norms, biases and running statistics are not the initial ones.
fn trained_like(graph: &Graph) -> Weights {
    let mut weights = Weights::initial(graph, 5);
    let mut random = stream(5, &["trained_like".into()]);
    let mut around = |middle: f32, reach: f32| middle + random.random_range(-reach..reach);
    for (param, tensor) in graph.params.iter().zip(&mut weights.params) {
        match param.role {
            Role::Gamma => tensor.iter_mut().for_each(|value| *value = around(1.0, 0.5)),
            Role::Beta | Role::Bias => tensor.iter_mut().for_each(|value| *value = around(0.0, 0.3)),
            Role::Linear if param.shape.len() == 2 => tensor.iter_mut().for_each(|value| *value *= 10.0),
            _ => {}
        }
    }
    // Running statistics near what a batch gives, so that evaluation keeps logits of order one.
    let state = State::from(&weights);
    let network = Network { graph, state: &state, mode: Mode::Train { masks: None }, perturbation: None };
    let image = graph.extent(graph.input).len();
    let pixels: Vec<f64> = (0..4 * image).map(|index| 0.5 + 0.4 * (index as f64 * 0.37).sin()).collect();
    let trace = network.forward(&pixels);
    for (running, batch) in weights.running.iter_mut().zip(trace.moments) {
        let typical = batch.var.iter().sum::<f64>() / batch.var.len() as f64;
        for (at, (mean, var)) in batch.mean.iter().zip(&batch.var).enumerate() {
            running.mean[at] = *mean as f32;
            running.var[at] = (var + 0.3 * typical) as f32 * around(1.0, 0.2);
        }
    }
    weights
}

/// The distance of `found` from `expected`, relative to the larger of its norm and `floor`.
///
/// # Errors
/// The distance is above the tolerance.
pub fn compare(what: &str, found: &[f32], expected: &[f64], floor: f64) -> Result<f64, String> {
    assert_eq!(found.len(), expected.len(), "{what}");
    let distance = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>().sqrt();
    let norm = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
    let error = distance / norm.max(floor);
    if error <= TOLERANCE {
        Ok(error)
    } else {
        Err(format!("{what}: relative error {error:.2e}, {TOLERANCE:.0e} is allowed"))
    }
}

/// Compares the gradient of every parameter. For tensors with a very small gradient the error is
/// relative to a thousandth of the largest norm.
///
/// # Errors
/// A tensor whose error is too large: its name and what was found.
pub fn compare_gradients(fixture: &Fixture, flat: &[f32], expected: &[Vec<f64>]) -> Result<f64, String> {
    let norm = |values: &Vec<f64>| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let largest = expected.iter().map(norm).fold(0.0, f64::max);
    let found = fixture.network.layout.unpack_params(fixture.graph(), flat);
    let mut worst: f64 = 0.0;
    for ((param, found), expected) in fixture.graph().params.iter().zip(&found).zip(expected) {
        worst = worst.max(compare(&param.name, found, expected, 1e-3 * largest)?);
    }
    Ok(worst)
}

/// Fails with `what` unless the condition holds.
///
/// # Errors
/// `what`.
pub fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
