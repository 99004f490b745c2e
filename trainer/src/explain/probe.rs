//! The plans behind an explanation, in evaluation mode: a network's logit and its gradients with
//! respect to pixels, to the statistics at the taps and to its last features, and the logit under
//! perturbed statistics.
//!
//! Gradients are those of the logit z. That of the cross-entropy L is dL/dz times it, a factor that
//! the host computes in f64, so that no confident logit makes it vanish.

use super::surface;
use crate::attack::gpu_oracle::{channels_first, channels_last};
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Engine, Executable};
use crate::gpu::recording::Recording;
use crate::model::graph::{Extent, Graph, ValueId};
use crate::ops::{copy, cross_entropy, feature_statistics};
use crate::plan::layout::Layout;
use crate::plan::pass::{Delta, Forward, Mode, Network, Perturbation, Trace, Wanted};
use crate::plan::resident::Resident;
use crate::plan::{evaluation, input_gradient, names};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, Oracle, OracleError};
use std::collections::HashMap;
use std::sync::Mutex;

/// A place where statistics are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Tap {
    /// The index i of `features.i`.
    pub index: usize,
    /// C.
    pub channels: usize,
    value: ValueId,
    area: usize,
}

/// Mean and deviation of each channel of each picture, and the gradients with respect to them.
#[derive(Clone, Debug, PartialEq)]
pub struct TapSlopes {
    /// mu and sigma, [N, 2, C].
    pub statistics: Vec<f32>,
    /// dz/dmu and dz/dsigma, [N, 2, C].
    pub slopes: Vec<f32>,
}

/// The logits of a batch and their gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Slopes {
    /// z, \[N\].
    pub logits: Vec<f32>,
    /// dz/dx, N x 3 x res x res.
    pub pixels: Batch,
    /// By tap.
    pub taps: Vec<TapSlopes>,
    /// The network's last features, [N, H, W, C].
    pub features: Vec<f32>,
    /// dz/dfeatures, [N, H, W, C].
    pub feature_slopes: Vec<f32>,
}

/// A network with its plans.
#[derive(Debug)]
pub struct Probe {
    network: Resident,
    batch: usize,
    /// The taps, in the order they were asked for.
    pub taps: Vec<Tap>,
    buffers: Mutex<Buffers>,
    /// Every gradient.
    whole: Executable,
    /// That of the pixels alone.
    pixels: Executable,
    /// The logits under perturbed statistics.
    perturbed: Executable,
    /// The logits of [`SCORED`] pictures.
    scored: Executable,
}

/// Pictures at once where logits alone are wanted: a row of a loss surface.
const SCORED: usize = surface::SIDE;

#[derive(Debug)]
struct Buffers {
    named: HashMap<String, Buffer>,
}

impl Buffers {
    fn write<T: bytemuck::Pod>(&self, engine: &Engine, name: &str, values: &[T]) {
        engine.write(&self.named[name], 0, values);
    }

    fn read(&self, engine: &Engine, name: &str, len: usize) -> Result<Vec<f32>, GpuError> {
        engine.read(&self.named[name], 0, len)
    }
}

const FEATURES: &str = "last_features";
const FEATURE_SLOPES: &str = "last_feature_slopes";

fn moments_name(tap: usize) -> String {
    format!("moments_{tap}")
}

fn slopes_name(tap: usize) -> String {
    format!("statistic_slopes_{tap}")
}

fn delta_name(tap: usize) -> String {
    format!("delta_{tap}")
}

impl Probe {
    /// Plans passes of `network` with its current weights, `batch` pictures at a time, with the
    /// statistics of `features.i` for each i of `taps`.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(network: &Resident, batch: usize, taps: &[usize]) -> Result<Self, GpuError> {
        let network = network.folded()?;
        let (engine, graph, layout) = (&network.engine, &*network.graph, &*network.layout);
        let tap = |&index: &usize| {
            let value = graph.features[index];
            let extent = graph.extent(value);
            Tap { index, channels: extent.c, value, area: extent.area() }
        };
        let taps: Vec<Tap> = taps.iter().map(tap).collect();
        let recordings = [
            record_whole(graph, layout, batch, &taps),
            input_gradient::record(graph, layout, batch, AttackLoss::Margin),
            record_perturbed(graph, layout, batch, &taps),
            evaluation::record_floats(graph, layout, SCORED),
        ];
        let mut named = network.buffers();
        let mut externals: Vec<_> = recordings.iter().flat_map(|recording| &recording.externals).collect();
        // Plans of several sizes share a buffer: the largest makes it.
        externals.sort_by_key(|external| std::cmp::Reverse(external.len));
        for external in externals {
            if !named.contains_key(&external.name) {
                named.insert(external.name.clone(), engine.buffer(&external.name, external.len)?);
            }
        }
        let [whole, pixels, perturbed, scored] = &recordings;
        let whole = engine.compile(whole, &named)?;
        let pixels = engine.compile_sharing(pixels, &named, &whole)?;
        let perturbed = engine.compile_sharing(perturbed, &named, &whole)?;
        let scored = engine.compile_sharing(scored, &named, &whole)?;
        let buffers = Buffers { named };
        // Of a real picture the loss -s z is z, so that all gradients are those of the logit.
        buffers.write(engine, names::LABELS, &[0.0_f32, 1.0].repeat(batch));
        Ok(Self { batch, taps, buffers: Mutex::new(buffers), whole, pixels, perturbed, scored, network })
    }

    /// Pictures per batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Extent of the last features.
    pub fn features(&self) -> Extent {
        let graph = &self.network.graph;
        graph.extent(*graph.features.last().expect("a network has features"))
    }

    /// The logits of at most [`Probe::batch`] pictures with all gradients.
    ///
    /// # Errors
    /// A device that fails.
    pub fn slopes(&self, batch: &Batch) -> Result<Slopes, GpuError> {
        let (engine, n) = (&self.network.engine, batch.len());
        let buffers = self.lock(batch);
        buffers.write(engine, names::PIXELS, &channels_last(batch));
        engine.run(&self.whole)?;
        let tap = |tap: &Tap| {
            let len = 2 * n * tap.channels;
            let mut statistics = buffers.read(engine, &moments_name(tap.index), len)?;
            for moments in statistics.chunks_mut(2 * tap.channels) {
                let variances = &mut moments[tap.channels..];
                variances
                    .iter_mut()
                    .for_each(|variance| *variance = (*variance + feature_statistics::EPS).sqrt());
            }
            Ok(TapSlopes { statistics, slopes: buffers.read(engine, &slopes_name(tap.index), len)? })
        };
        let features = n * self.features().len();
        Ok(Slopes {
            logits: buffers.read(engine, names::LOGITS, n)?,
            pixels: self.pixel_gradient(&buffers, batch)?,
            taps: self.taps.iter().map(tap).collect::<Result<_, GpuError>>()?,
            features: buffers.read(engine, FEATURES, features)?,
            feature_slopes: buffers.read(engine, FEATURE_SLOPES, features)?,
        })
    }

    /// The logits of at most [`Probe::batch`] pictures, and dz/dx.
    ///
    /// # Errors
    /// A device that fails.
    pub fn pixel_slopes(&self, batch: &Batch) -> Result<(Vec<f32>, Batch), GpuError> {
        let engine = &self.network.engine;
        let buffers = self.lock(batch);
        buffers.write(engine, names::PIXELS, &channels_last(batch));
        engine.run(&self.pixels)?;
        let logits = buffers.read(engine, names::LOGITS, batch.len())?;
        Ok((logits, self.pixel_gradient(&buffers, batch)?))
    }

    /// The logits of at most [`Probe::batch`] pictures whose statistics are moved: `deltas` has, for
    /// each tap, dmu and dsigma of each picture, [N, 2, C].
    ///
    /// # Errors
    /// A device that fails.
    pub fn perturbed(&self, batch: &Batch, deltas: &[Vec<f32>]) -> Result<Vec<f32>, GpuError> {
        assert_eq!(deltas.len(), self.taps.len(), "there are deltas for each tap");
        let engine = &self.network.engine;
        let buffers = self.lock(batch);
        buffers.write(engine, names::PIXELS, &channels_last(batch));
        for (tap, delta) in self.taps.iter().zip(deltas) {
            assert_eq!(delta.len(), 2 * batch.len() * tap.channels, "deltas are [N, 2, C]");
            buffers.write(engine, &delta_name(tap.index), delta);
        }
        engine.run(&self.perturbed)?;
        buffers.read(engine, names::LOGITS, batch.len())
    }

    /// Deltas of zero for `n` pictures.
    pub fn no_deltas(&self, n: usize) -> Vec<Vec<f32>> {
        self.taps.iter().map(|tap| vec![0.0; 2 * n * tap.channels]).collect()
    }

    fn lock(&self, batch: &Batch) -> std::sync::MutexGuard<'_, Buffers> {
        assert!(batch.len() <= self.batch && batch.res == self.network.graph.res, "the batch fits the plan");
        self.buffers.lock().expect("no holder panics")
    }

    fn pixel_gradient(&self, buffers: &Buffers, batch: &Batch) -> Result<Batch, GpuError> {
        let len = 4 * batch.len() * batch.res * batch.res;
        let gradient = buffers.read(&self.network.engine, names::PIXEL_GRADIENT, len)?;
        Ok(channels_first(&gradient, batch.res, batch.len()))
    }
}

impl Oracle for Probe {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let engine = &self.network.engine;
        let mut logits = Vec::with_capacity(batch.len());
        for values in batch.values.chunks(batch.stride() * SCORED) {
            let chunk = Batch { res: batch.res, values: values.to_vec() };
            let buffers = self.buffers.lock().expect("no holder panics");
            buffers.write(engine, names::PIXELS, &channels_last(&chunk));
            let found =
                engine.run(&self.scored).and_then(|()| buffers.read(engine, names::LOGITS, chunk.len()));
            logits.extend(found.map_err(|error| OracleError(error.to_string()))?);
        }
        Ok(logits)
    }

    fn res(&self) -> usize {
        self.network.graph.res
    }
}

fn shape(tap: &Tap, n: usize) -> feature_statistics::Shape {
    let &Tap { channels, area, .. } = tap;
    feature_statistics::Shape { n, area, channels, per_image: true, through_statistics: true }
}

/// PIXELS, LABELS -> LOGITS, PIXEL_GRADIENT, moments and gradients of the taps, last features.
fn record_whole(graph: &Graph, layout: &Layout, batch: usize, taps: &[Tap]) -> Recording {
    let mut recording = Recording::default();
    let len = 4 * batch * graph.res * graph.res;
    let pixels = recording.external(names::PIXELS, len);
    let gradient = recording.external(names::PIXEL_GRADIENT, len);
    let network = Network::new(&mut recording, graph, layout, batch);
    let logits = recording.external(names::LOGITS, batch);
    let labels = recording.external(names::LABELS, 2 * batch);
    let mut trace = Trace::of(graph, pixels);
    let how = Forward {
        mode: Mode::Folded { backward: true },
        keys: None,
        perturbations: &HashMap::new(),
        logits: Some(logits),
    };
    network.forward(&mut recording, &mut trace, 0, &how);
    let (_, dlogits) = cross_entropy::forward(&mut recording, AttackLoss::Margin, logits, labels, None);
    let last = *graph.features.last().expect("a network has features");
    let values: Vec<ValueId> = taps.iter().map(|tap| tap.value).chain([last]).collect();
    let wanted = Wanted { pixels: Some(gradient), ..Wanted::default() };
    let gradients = network.backward(&mut recording, &trace, dlogits, wanted, &values);
    for tap in taps {
        let (features, shape) = (trace.value(tap.value), shape(tap, batch));
        let moments = feature_statistics::moments_of(&mut recording, features, shape);
        let slopes = feature_statistics::image_gradients(
            &mut recording,
            features,
            moments,
            gradients[&tap.value],
            shape,
        );
        for (name, tensor) in [(moments_name(tap.index), moments), (slopes_name(tap.index), slopes)] {
            let kept = recording.external(&name, tensor.len);
            copy::forward(&mut recording, tensor, kept);
        }
    }
    for (name, tensor) in [(FEATURES, trace.value(last)), (FEATURE_SLOPES, gradients[&last])] {
        let kept = recording.external(name, tensor.len);
        copy::forward(&mut recording, tensor, kept);
    }
    recording
}

/// PIXELS, deltas of the taps -> LOGITS.
fn record_perturbed(graph: &Graph, layout: &Layout, batch: usize, taps: &[Tap]) -> Recording {
    let mut recording = Recording::default();
    let pixels = recording.external(names::PIXELS, 4 * batch * graph.res * graph.res);
    let network = Network::new(&mut recording, graph, layout, batch);
    let logits = recording.external(names::LOGITS, batch);
    let mut perturbation = |tap: &Tap| {
        let delta = recording.external(&delta_name(tap.index), 2 * batch * tap.channels);
        (tap.value, Perturbation { delta: Delta::Given(delta), shape: shape(tap, batch) })
    };
    let perturbations: HashMap<ValueId, Perturbation> = taps.iter().map(&mut perturbation).collect();
    let how = Forward {
        mode: Mode::Folded { backward: false },
        keys: None,
        perturbations: &perturbations,
        logits: Some(logits),
    };
    network.forward(&mut recording, &mut Trace::of(graph, pixels), 0, &how);
    recording
}
