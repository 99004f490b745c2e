//! A case of the goldens with its network, and what the GPU makes of it. What one
//! run gives serves all tests of the case.

use super::file::Golden;
use super::formula::{self, Numbers};
use super::verdict::Found;
use crate::network::engine;
use dfrt_runtime::sample::Label;
use dfrt_trainer::arms::{Method, step};
use dfrt_trainer::gpu::engine::{Buffer, Executable};
use dfrt_trainer::gpu::recording::{Place, Recording};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use dfrt_trainer::ops::step::{NAME, Step};
use dfrt_trainer::plan::names;
use dfrt_trainer::plan::resident::{Resident, pack_bytes};
use dfrt_trainer::train::settings::Settings;
use image::RgbImage;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// What `tools/reference.py` says of a case.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The architecture's name.
    pub arch: String,
    /// Side of the pictures.
    pub res: usize,
    /// Pictures.
    pub batch: usize,
    /// Number of the first.
    pub first_picture: usize,
    /// Steps of training.
    pub steps: usize,
    /// How, by name.
    pub optimizers: Optimizers,
}

/// The optimisers' settings.
#[derive(Debug, Deserialize)]
pub struct Optimizers {
    pub sgd: Sgd,
    pub adamw: Adamw,
}

/// SGD with momentum.
#[derive(Debug, Deserialize)]
pub struct Sgd {
    pub learning_rate: f32,
    pub momentum: f32,
    pub weight_decay: f32,
}

/// AdamW.
#[derive(Debug, Deserialize)]
pub struct Adamw {
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
}

/// Every named buffer after a run.
pub type Buffers = HashMap<String, Vec<f32>>;

/// A case with its network on the device.
pub struct Scene {
    pub golden: Golden,
    pub case: Case,
    pub graph: Graph,
    pub numbers: Numbers,
    pub weights: Weights,
    pub pictures: Vec<RgbImage>,
    network: Mutex<Option<Arc<Resident>>>,
    training: OnceLock<Result<Buffers, String>>,
}

impl Scene {
    /// The case of that name, made once.
    pub fn of(name: &'static str) -> Result<Arc<Self>, String> {
        static SCENES: Mutex<Option<HashMap<&'static str, Arc<Scene>>>> = Mutex::new(None);
        let mut scenes = SCENES.lock().map_err(|error| error.to_string())?;
        let scenes = scenes.get_or_insert_default();
        if let Some(scene) = scenes.get(name) {
            return Ok(Arc::clone(scene));
        }
        let scene = Arc::new(Self::load(name)?);
        scenes.insert(name, Arc::clone(&scene));
        Ok(scene)
    }

    fn load(name: &str) -> Result<Self, String> {
        let golden = Golden::load(name)?;
        let case: Case = golden.about()?;
        let architecture = Architecture::named(&case.arch).map_err(|error| error.to_string())?;
        let graph = Graph::new(architecture, case.res).map_err(|error| error.to_string())?;
        let weights = formula::weights(&graph, &golden);
        let picture = |index| formula::picture(case.first_picture + index, case.res);
        Ok(Self {
            pictures: (0..case.batch).map(picture).collect(),
            numbers: Numbers::of(&graph),
            golden,
            case,
            graph,
            weights,
            network: Mutex::default(),
            training: OnceLock::new(),
        })
    }

    /// The network on the device, with the formula's weights.
    pub fn network(&self) -> Result<Arc<Resident>, String> {
        let mut network = self.network.lock().map_err(|error| error.to_string())?;
        if let Some(network) = &*network {
            network.load(&self.weights);
            return Ok(Arc::clone(network));
        }
        let made = Resident::new(engine()?, self.graph.clone(), &self.weights);
        let made = Arc::new(made.map_err(|error| error.to_string())?);
        *network = Some(Arc::clone(&made));
        Ok(made)
    }

    /// The pictures' classes.
    pub fn labels(&self) -> Vec<Label> {
        let label = |index| if formula::label(index).0 == 1.0 { Label::Fake } else { Label::Real };
        (0..self.case.batch).map(label).collect()
    }

    /// What one plain pass of training leaves.
    pub fn training(&self) -> Result<&Buffers, String> {
        let run = || {
            let pass = Pass::new(self, &settings(Method::Baseline), |_| {})?;
            pass.run(Step { alpha: 1.0, ..Step::default() })?;
            pass.read()
        };
        self.training.get_or_init(run).as_ref().map_err(Clone::clone)
    }

    /// Learned tensors, or what has their layout, by name and number.
    pub fn tensors<T: Into<f64>>(&self, params: Vec<Vec<T>>) -> Vec<Found> {
        let found = |(index, values): (usize, Vec<T>)| Found {
            name: self.graph.params[index].name.clone(),
            number: self.numbers.params[index],
            values: wide(values),
        };
        params.into_iter().enumerate().map(found).collect()
    }

    /// Running means and variances by name and number.
    pub fn statistics<T: Into<f64>>(&self, means: Vec<Vec<T>>, variances: Vec<Vec<T>>) -> [Vec<Found>; 2] {
        let found = |field: &str, offset: usize, all: Vec<Vec<T>>| {
            let one = |(index, values): (usize, Vec<T>)| Found {
                name: format!("{}.{field}", self.graph.statistics[index].name),
                number: self.numbers.means[index] + offset,
                values: wide(values),
            };
            all.into_iter().enumerate().map(one).collect()
        };
        // The state lists a variance right after its mean.
        [found("running_mean", 0, means), found("running_var", 1, variances)]
    }

    /// The gradients that a pass left.
    pub fn gradients(&self, buffers: &Buffers) -> Result<Vec<Found>, String> {
        let layout = &self.network()?.layout;
        Ok(self.tensors(layout.unpack_params(&self.graph, &buffers[names::GRADIENTS])))
    }

    /// Running means and variances that a pass left.
    pub fn running(&self, buffers: &Buffers) -> Result<[Vec<Found>; 2], String> {
        let layout = &self.network()?.layout;
        let (params, running) = (&buffers[names::PARAMS], &buffers[names::RUNNING]);
        let after = layout.unpack(&self.graph, params, running, 0).running;
        let (means, variances) = after.into_iter().map(|running| (running.mean, running.var)).unzip();
        Ok(self.statistics(means, variances))
    }
}

/// Numbers in f64.
pub fn wide<T: Into<f64>>(values: Vec<T>) -> Vec<f64> {
    values.into_iter().map(Into::into).collect()
}

/// Training settings without masks.
pub fn settings(method: Method) -> Settings {
    Settings { method, masks: false, ..Settings::default() }
}

/// The gradients of a step, or the whole step, ready to run on a case's batch.
pub struct Pass {
    network: Arc<Resident>,
    plan: Executable,
    buffers: HashMap<String, Buffer>,
}

impl Pass {
    /// The gradients of a step. `change` may alter the recording: see [`expose`].
    pub fn new(
        scene: &Scene,
        settings: &Settings,
        change: impl FnOnce(&mut Recording),
    ) -> Result<Self, String> {
        let network = scene.network()?;
        let mut recording =
            step::gradients(&scene.graph, &network.layout, scene.case.batch, &settings.step());
        change(&mut recording);
        Self::of(scene, network, &recording)
    }

    /// The whole step.
    pub fn step(scene: &Scene, settings: &Settings) -> Result<Self, String> {
        let network = scene.network()?;
        let recording = step::record(&scene.graph, &network.layout, scene.case.batch, &settings.step());
        Self::of(scene, network, &recording)
    }

    fn of(scene: &Scene, network: Arc<Resident>, recording: &Recording) -> Result<Self, String> {
        let engine = &network.engine;
        let fail = |error: dfrt_trainer::gpu::device::GpuError| error.to_string();
        let mut buffers = network.buffers();
        for external in &recording.externals {
            if !buffers.contains_key(&external.name) {
                let buffer = engine.buffer(&external.name, external.len).map_err(fail)?;
                buffers.insert(external.name.clone(), buffer);
            }
        }
        let plan = engine.compile(recording, &buffers).map_err(fail)?;
        engine.poison(&plan);
        engine.write(&buffers[names::BYTES], 0, &pack_bytes(&scene.pictures));
        let label = |index| <[f64; 2]>::from(formula::label(index)).map(|value| value as f32);
        let labels: Vec<f32> = (0..scene.case.batch).flat_map(label).collect();
        engine.write(&buffers[names::LABELS], 0, &labels);
        Ok(Self { network, plan, buffers })
    }

    /// Writes the buffer of that name.
    pub fn write<T: bytemuck::Pod>(&self, name: &str, values: &[T]) {
        self.network.engine.write(&self.buffers[name], 0, values);
    }

    /// Runs it with these scalars.
    pub fn run(&self, scalars: Step) -> Result<(), String> {
        self.network.engine.write(&self.buffers[NAME], 0, &[scalars]);
        self.network.engine.run(&self.plan).map_err(|error| error.to_string())
    }

    /// Every named buffer.
    pub fn read(&self) -> Result<Buffers, String> {
        let read = |(name, buffer): (&String, &Buffer)| {
            let values =
                self.network.engine.read(buffer, 0, buffer.len).map_err(|error| error.to_string())?;
            Ok((name.clone(), values))
        };
        self.buffers.iter().map(read).collect()
    }
}

/// Gives what the dispatches of `kernel` bind at `slot` buffers of their own, named
/// "slot 0", "slot 1", … in their order, so that they can be read; returns how many
/// different ones there are.
pub fn expose(recording: &mut Recording, kernel: &str, slot: &str) -> usize {
    let mut places = Vec::new();
    for dispatch in recording.dispatches.iter().filter(|dispatch| dispatch.kernel.name() == kernel) {
        let at = dispatch.kernel.slots.iter().position(|known| known.0 == slot);
        let place = dispatch.tensors[at.unwrap_or_else(|| panic!("{kernel} binds no `{slot}`"))].place;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for (index, place) in places.iter().enumerate() {
        let name = format!("{slot} {index}");
        let Place::Pooled(pooled) = *place else { panic!("`{slot}` of {kernel} has a name already") };
        let whole = recording.pooled[pooled];
        let outside = recording.external(&name, whole).place;
        let bound = recording.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.tensors);
        bound.filter(|tensor| tensor.place == *place).for_each(|tensor| tensor.place = outside);
    }
    places.len()
}
