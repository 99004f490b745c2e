//! FGSM (Goodfellow et al. 2015) and PGD (Madry et al. 2018) on the GPU, where the pictures stay from
//! the first step to the last.
//!
//! The steps use the gradient of the margin. For one logit the cross-entropy's
//! gradient is a positive multiple of it, so sign and direction are the same, but
//! the margin's does not vanish in f32 on a confident logit.

use crate::attack::gpu_oracle::{channels_first, channels_last, label_values};
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Executable};
use crate::gpu::recording::Recording;
use crate::ops::perturbation::{self, Shape};
use crate::plan::resident::Resident;
use crate::plan::{evaluation, input_gradient, names};
use dfrt_runtime::attack::gates;
use dfrt_runtime::attack::gradient::steps::StepSettings;
use dfrt_runtime::attack::query::{Answers, Query, together};
use dfrt_runtime::attack::{Attack, Proposal, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, OracleError};
use dfrt_runtime::random;
use dfrt_runtime::results::attack::Gate;
use dfrt_runtime::results::attack::GradientCount;
use dfrt_runtime::threat::{Norm, Threat};
use rand::RngExt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// FGSM or PGD against a network on the GPU.
#[derive(Debug)]
pub struct Pgd {
    name: &'static str,
    network: Resident,
    batch: usize,
    settings: StepSettings,
    named: HashMap<String, Buffer>,
    buffers: Mutex<Buffers>,
    /// The step for the threat of the last call.
    step: Mutex<Option<(Threat, Arc<Executable>)>>,
    score: Executable,
}

#[derive(Debug)]
struct Buffers {
    clean: Buffer,
    adversarial: Buffer,
    labels: Buffer,
    logits: Buffer,
    norms: Buffer,
}

const CLEAN: &str = "clean";
const NORMS: &str = "gradient_norms";

/// The result of one start.
struct Outcome {
    pictures: Batch,
    margins: Vec<f32>,
    gradients: Vec<GradientCount>,
    /// The logits before the first and the last step, \[2\] per picture (with one step \[1\]).
    before: Vec<Vec<f32>>,
}

impl Pgd {
    /// Plans an attack on `network` with its current weights, `batch` pictures at a time. `name` is
    /// "fgsm" or "pgd".
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(
        name: &'static str,
        network: &Resident,
        batch: usize,
        settings: StepSettings,
    ) -> Result<Self, GpuError> {
        let network = network.folded()?;
        let engine = &network.engine;
        let pixels = network.graph.res * network.graph.res;
        let buffers = Buffers {
            clean: engine.buffer(CLEAN, 4 * batch * pixels)?,
            adversarial: engine.buffer(names::PIXELS, 4 * batch * pixels)?,
            labels: engine.buffer(names::LABELS, 2 * batch)?,
            logits: engine.buffer(names::LOGITS, batch)?,
            norms: engine.buffer(NORMS, batch)?,
        };
        let mut named = network.buffers();
        named.insert(CLEAN.to_owned(), buffers.clean.clone());
        named.insert(names::PIXELS.to_owned(), buffers.adversarial.clone());
        named.insert(names::LABELS.to_owned(), buffers.labels.clone());
        named.insert(names::LOGITS.to_owned(), buffers.logits.clone());
        named.insert(names::LOSSES.to_owned(), engine.buffer(names::LOSSES, batch)?);
        named.insert(NORMS.to_owned(), buffers.norms.clone());
        let score =
            engine.compile(&evaluation::record_floats(&network.graph, &network.layout, batch), &named)?;
        let (buffers, step) = (Mutex::new(buffers), Mutex::default());
        Ok(Self { name, network, batch, settings, named, buffers, step, score })
    }

    /// The logits of the pictures that the attack ends with, of the start that ends with the lowest margin.
    ///
    /// # Errors
    /// A device that fails.
    pub fn logits(&self, targets: &[Target], threat: Threat) -> Result<Vec<f32>, GpuError> {
        let mut logits = Vec::with_capacity(targets.len());
        for targets in targets.chunks(self.batch) {
            let mut lowest = vec![f32::INFINITY; targets.len()];
            for restart in 0..self.settings.restarts.max(1) {
                let margins = self.start(targets, threat, restart, self.settings.steps)?.margins;
                lowest.iter_mut().zip(margins).for_each(|(lowest, margin)| *lowest = lowest.min(margin));
            }
            logits.extend(targets.iter().zip(lowest).map(|(target, margin)| target.label.sign() * margin));
        }
        Ok(logits)
    }

    /// The kernels of a step within `threat`.
    fn step(&self, threat: Threat) -> Result<Arc<Executable>, GpuError> {
        let mut step = self.step.lock().expect("no holder panics");
        if let Some((_, step)) = step.as_ref().filter(|(known, _)| *known == threat) {
            return Ok(Arc::clone(step));
        }
        let network = &self.network;
        let size = (self.settings.step_255(threat) / 255.0) as f32;
        let pixels = network.graph.res * network.graph.res;
        let shape = Shape { n: self.batch, pixels, eps: threat.eps(), size };
        let recording = record_step(network, self.batch, threat.norm, shape);
        let made = Arc::new(network.engine.compile(&recording, &self.named)?);
        *step = Some((threat, Arc::clone(&made)));
        Ok(made)
    }

    /// Runs one start of `steps` steps for at most `self.batch` targets.
    fn start(
        &self,
        targets: &[Target],
        threat: Threat,
        restart: usize,
        steps: usize,
    ) -> Result<Outcome, GpuError> {
        let (engine, kernels) = (&self.network.engine, self.step(threat)?);
        let res = self.network.graph.res;
        let buffers = self.buffers.lock().expect("no holder panics");
        let clean = Batch::of(res, targets.iter().map(|target| &target.picture));
        let labels: Vec<_> = targets.iter().map(|target| target.label).collect();
        engine.write(&buffers.clean, 0, &channels_last(&clean));
        engine.write(
            &buffers.adversarial,
            0,
            &channels_last(&self.first_point(&clean, targets, threat, restart)),
        );
        engine.write(&buffers.labels, 0, &label_values(&labels));
        let mut gradients = vec![GradientCount::default(); targets.len()];
        let mut before = vec![Vec::new(); targets.len()];
        for step in 0..steps {
            engine.run(&kernels)?;
            // Only the first and the last gradient and logit are read back.
            if step == 0 || step + 1 == steps {
                let norms = engine.read(&buffers.norms, 0, targets.len())?;
                gradients.iter_mut().zip(norms).for_each(|(count, norm)| tally(count, norm));
                let logits = engine.read(&buffers.logits, 0, targets.len())?;
                before.iter_mut().zip(logits).for_each(|(before, logit)| before.push(logit));
            }
        }
        engine.run(&self.score)?;
        let logits = engine.read(&buffers.logits, 0, targets.len())?;
        let margins = labels.iter().zip(logits).map(|(label, logit)| label.sign() * logit).collect();
        let values = engine.read(&buffers.adversarial, 0, 4 * targets.len() * res * res)?;
        let pictures = channels_first(&values, res, targets.len());
        Ok(Outcome { pictures, margins, gradients, before })
    }

    /// The start of the steps: the pictures, or a random point in the ball around each.
    fn first_point(&self, clean: &Batch, targets: &[Target], threat: Threat, restart: usize) -> Batch {
        let mut start = clean.clone();
        if !self.settings.random_start {
            return start;
        }
        let stride = clean.stride();
        for (index, target) in targets.iter().enumerate() {
            let name = [self.name.into(), target.id.into(), (restart as u64).into()];
            let mut draws = random::stream(self.settings.seed, &name);
            let mut offsets: Vec<f32> = (0..stride).map(|_| draws.random_range(-1.0..=1.0f32)).collect();
            let scale = match threat.norm {
                Norm::Linf => threat.eps(),
                Norm::L2 => {
                    let length = offsets.iter().map(|offset| offset * offset).sum::<f32>().sqrt();
                    threat.eps() * draws.random_range(0.0..=1.0f32) / length.max(1e-12)
                }
            };
            offsets.iter_mut().for_each(|offset| *offset *= scale);
            let values = &mut start.values[index * stride..(index + 1) * stride];
            values.iter_mut().zip(&offsets).for_each(|(value, offset)| *value += offset);
            threat.clip(clean.picture(index), values);
        }
        start
    }
}

fn record_step(network: &Resident, batch: usize, norm: Norm, shape: Shape) -> Recording {
    let mut recording = Recording::default();
    let clean = recording.external(CLEAN, 4 * batch * shape.pixels);
    let adversarial = recording.external(names::PIXELS, clean.len);
    let norms = recording.external(NORMS, batch);
    let gradient = recording.tensor(clean.len);
    let ends = (adversarial, gradient);
    input_gradient::append(&mut recording, &network.graph, &network.layout, AttackLoss::Margin, ends);
    perturbation::length(&mut recording, gradient, shape, Some(norms));
    match norm {
        Norm::Linf => perturbation::linf_step(&mut recording, clean, gradient, adversarial, shape),
        Norm::L2 => perturbation::l2_step(&mut recording, clean, gradient, adversarial, shape),
    }
    recording
}

fn tally(count: &mut GradientCount, norm: f32) {
    count.evaluated += 1;
    count.zero += u64::from(norm == 0.0);
    count.non_finite += u64::from(!norm.is_finite());
}

impl Attack for Pgd {
    fn name(&self) -> &str {
        self.name
    }

    fn parameters(&self, threat: Threat) -> Map<String, Value> {
        let settings = self.settings;
        let pairs = [
            ("steps", json!(settings.steps)),
            ("step_255", json!(settings.step_255(threat))),
            ("random_start", json!(settings.random_start)),
            ("restarts", json!(settings.restarts)),
            ("loss", json!("margin")),
            ("seed", json!(settings.seed)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn batch(&self) -> usize {
        self.batch
    }

    /// Compares the attack with one of a quarter of its steps from the same start, such as PGD-40 with
    /// PGD-10.
    fn checks(&self, targets: &[Target], threat: Threat) -> Result<Vec<Gate>, OracleError> {
        let targets = &targets[..targets.len().min(self.batch)];
        let quarter = self.settings.steps / 4;
        if quarter == 0 || targets.is_empty() {
            return Ok(Vec::new());
        }
        let mean = |steps| {
            let outcome =
                self.start(targets, threat, 0, steps).map_err(|error| OracleError(error.to_string()))?;
            let sum: f64 = outcome.margins.iter().copied().map(f64::from).sum();
            Ok(sum / targets.len() as f64)
        };
        let margins = [mean(0)?, mean(quarter)?, mean(self.settings.steps)?];
        Ok(vec![gates::steps_go_on(margins)])
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        let targets: Vec<Target> = queries.iter().map(|query| query.target().clone()).collect();
        let targets = &targets[..];
        let mut proposals = Vec::with_capacity(targets.len());
        for targets in targets.chunks(self.batch) {
            let mut best: Vec<(f32, Proposal)> = Vec::new();
            // Margins of one plan are compared only with each other, because two plans may round differently.
            let (mut before, mut after) =
                (vec![Answers::default(); targets.len()], vec![Answers::default(); targets.len()]);
            for restart in 0..self.settings.restarts.max(1) {
                let outcome = self.start(targets, threat, restart, self.settings.steps);
                let outcome = outcome.map_err(|error| OracleError(error.to_string()))?;
                for (index, &margin) in outcome.margins.iter().enumerate() {
                    outcome.before[index].iter().for_each(|logit| before[index].take(logit.to_bits().into()));
                    after[index].take(margin.to_bits().into());
                    let queries = self.settings.steps as u64 + 1;
                    let values = outcome.pictures.picture(index).to_vec();
                    let gradients = outcome.gradients[index];
                    let found = Proposal { values, queries, gradients, ..Proposal::default() };
                    match best.get_mut(index) {
                        None => best.push((margin, found)),
                        Some(kept) => merge(kept, (margin, found)),
                    }
                }
            }
            let seen = before.iter().zip(&after);
            proposals.extend(best.into_iter().zip(seen).map(|((_, proposal), (before, after))| {
                let never_differed = together(before.never_differed(), after.never_differed());
                Proposal { never_differed, ..proposal }
            }));
        }
        Ok(proposals)
    }
}

/// Keeps the proposal with the lower margin, and adds the costs of both.
fn merge(kept: &mut (f32, Proposal), (margin, found): (f32, Proposal)) {
    let queries = kept.1.queries + found.queries;
    let (before, after) = (kept.1.gradients, found.gradients);
    if margin < kept.0 {
        *kept = (margin, found);
    }
    kept.1.queries = queries;
    kept.1.gradients = GradientCount {
        evaluated: before.evaluated + after.evaluated,
        zero: before.zero + after.zero,
        non_finite: before.non_finite + after.non_finite,
    };
}
