//! A training step on the device: its buffers and plans. A batch that does not fit is split into
//! equal parts, whose gradients are averaged; batch-norm then uses the statistics of each part.

use super::balance::LossWeights;
use super::feed::FedBatch;
use super::settings::Settings;
use crate::arms::Method;
use crate::arms::step::{self, SLOTS};
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Executable};
use crate::gpu::memory;
use crate::gpu::recording::Recording;
use crate::ops::step as scalars;
use crate::plan::names;
use crate::plan::pass::Activations;
use crate::plan::resident::Resident;
use std::collections::HashMap;

/// Steps, of batches in one part, whose losses are read back together.
const STEPS_A_READ: usize = SLOTS / 4;

/// A step of a network, ready to run.
#[derive(Debug)]
pub struct Stepper<'a> {
    network: &'a Resident,
    buffers: HashMap<String, Buffer>,
    /// The complete step, or the gradients of a part.
    plan: Executable,
    /// The same with the same bits while the adversarial radius is 0, for arms with an adversary.
    clean: Option<Executable>,
    /// The update of the weights, if a batch has several parts.
    update: Option<Executable>,
    parts: usize,
    method: Method,
}

/// Mean losses of several steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// Losses of the unperturbed pass.
    pub plain: Vec<f32>,
    /// Losses of the second pass, for arms that have one.
    pub perturbed: Option<Vec<f32>>,
}

impl<'a> Stepper<'a> {
    /// Plans steps of `parts` times `part` pictures.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn plan(
        settings: &Settings,
        network: &'a Resident,
        part: usize,
        parts: usize,
    ) -> Result<Self, GpuError> {
        assert!((1..=SLOTS).contains(&parts), "there is a slot for the loss of every part");
        let plan_of = |method: &Method| {
            recording(
                &step::Settings { method: method.clone(), ..settings.step() },
                settings.memory_mb,
                network,
                part,
                parts,
            )
        };
        let recording = plan_of(&settings.method);
        let update = (parts > 1).then(|| step::update(&network.layout, &settings.step()));
        let mut buffers = network.buffers();
        for external in recording.externals.iter().chain(update.iter().flat_map(|update| &update.externals)) {
            if !buffers.contains_key(&external.name) {
                let buffer = network.engine.buffer(&external.name, external.len)?;
                buffers.insert(external.name.clone(), buffer);
            }
        }
        let plan = network.engine.compile(&recording, &buffers)?;
        let update = update.map(|update| network.engine.compile(&update, &buffers)).transpose()?;
        let clean = settings.method.clean();
        let clean = clean.map(|method| network.engine.compile_sharing(&plan_of(&method), &buffers, &plan));
        let method = settings.method.clone();
        Ok(Self { network, buffers, plan, clean: clean.transpose()?, update, parts, method })
    }

    /// The plan, whose memory other plans may use between steps.
    pub fn executable(&self) -> &Executable {
        &self.plan
    }

    /// Bytes on the device, including the network.
    pub fn bytes(&self) -> u64 {
        self.plan.pool_bytes + self.buffers.values().map(|buffer| 4 * buffer.len as u64).sum::<u64>()
    }

    /// Steps whose losses can be read back together.
    pub fn steps_a_read(&self) -> usize {
        (STEPS_A_READ / self.parts).max(1)
    }

    /// Submits a step; `scalars.slot` counts steps since the losses were read.
    ///
    /// # Errors
    /// A device that fails.
    pub fn run(
        &self,
        batch: &FedBatch,
        weights: &LossWeights,
        scalars: scalars::Step,
    ) -> Result<(), GpuError> {
        let engine = &self.network.engine;
        // The shader writes to the slot without a check.
        assert!(
            (scalars.slot as usize + 1) * self.parts <= SLOTS,
            "the losses are read before their slots end"
        );
        let pairs = batch.labels.iter().zip(&batch.places);
        let labels: Vec<f32> =
            pairs.flat_map(|(&label, &place)| [label.target(), weights.weight(label, place)]).collect();
        let part = |values: usize, part: usize| part * values / self.parts..(part + 1) * values / self.parts;
        for index in 0..self.parts {
            let scalars = scalars::Step {
                slot: scalars.slot * self.parts as u32 + index as u32,
                kept: if index == 0 { 0.0 } else { 1.0 },
                share: 1.0 / self.parts as f32,
                ..scalars
            };
            engine.write(&self.buffers[names::BYTES], 0, &batch.bytes[part(batch.bytes.len(), index)]);
            engine.write(&self.buffers[names::LABELS], 0, &labels[part(labels.len(), index)]);
            if let Some(keys) = self.buffers.get(names::KEYS) {
                engine.write(keys, 0, &batch.keys[part(batch.keys.len(), index)]);
            }
            if let Some(draws) = self.buffers.get(names::DRAWS) {
                let keys = &batch.keys[part(batch.keys.len(), index)];
                let keys: Vec<u64> = keys.as_chunks().0.iter().map(|&[low, high]| whole(low, high)).collect();
                engine.write(draws, 0, &self.method.arm().draws(&self.network.graph, &keys));
            }
            engine.write(&self.buffers[scalars::NAME], 0, &[scalars]);
            match self.clean.as_ref().filter(|_| scalars.eps == 0.0) {
                Some(clean) => {
                    if let Some(history) = self.buffers.get(step::PERTURBED_HISTORY) {
                        // Pictures that do not differ have no divergence.
                        engine.write(history, scalars.slot as usize, &[0.0f32]);
                    }
                    engine.run(clean)?;
                }
                None => engine.run(&self.plan)?,
            }
        }
        match &self.update {
            Some(update) => engine.run(update),
            None => Ok(()),
        }
    }

    /// The losses of the last `steps` steps, in order.
    ///
    /// # Errors
    /// A device that fails.
    pub fn losses(&self, steps: usize) -> Result<Losses, GpuError> {
        let read = |name: &str| -> Result<Vec<f32>, GpuError> {
            let values = self.network.engine.read(&self.buffers[name], 0, steps * self.parts)?;
            let mean = |parts: &[f32]| parts.iter().sum::<f32>() / parts.len() as f32;
            Ok(values.chunks(self.parts).map(mean).collect())
        };
        let perturbed =
            self.method.arm().has_second_loss().then(|| read(step::PERTURBED_HISTORY)).transpose()?;
        Ok(Losses { plain: read(step::HISTORY)?, perturbed })
    }

    /// Velocity or first moment, and second moment, flat in the device's layout.
    ///
    /// # Errors
    /// A device that fails.
    pub fn moments(&self) -> Result<[Vec<f32>; 2], GpuError> {
        let read = |name: &str| self.network.engine.read(&self.buffers[name], 0, self.network.layout.len);
        Ok([read(step::FIRST)?, read(step::SECOND)?])
    }

    /// Sets the moments to those of a checkpoint.
    pub fn restore(&self, first: &[f32], second: &[f32]) {
        self.network.engine.write(&self.buffers[step::FIRST], 0, first);
        self.network.engine.write(&self.buffers[step::SECOND], 0, second);
    }
}

/// Memory of intermediate results, in MB, up to which activations are kept by default.
pub const KEPT_MB: usize = 2048;

/// The halves of a picture's key.
fn whole(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The plan that keeps its activations if they fit `memory_mb`, else the one that recomputes them. The
/// results have the same bits.
fn recording(
    settings: &step::Settings,
    memory_mb: Option<usize>,
    network: &Resident,
    part: usize,
    parts: usize,
) -> Recording {
    let record = |activations| {
        let settings = step::Settings { activations, ..settings.clone() };
        let (graph, layout) = (&network.graph, &network.layout);
        if parts > 1 {
            step::accumulate(graph, layout, part, &settings)
        } else {
            step::record(graph, layout, part, &settings)
        }
    };
    let kept = record(Activations::Kept);
    let allowed = (memory_mb.unwrap_or(KEPT_MB) as u64) << 20;
    if memory::Pool::plan(&kept).bytes() <= allowed { kept } else { record(Activations::Recomputed) }
}
