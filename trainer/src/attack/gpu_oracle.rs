//! A network on the GPU as an oracle: logits of float pictures, and gradients of the loss with
//! respect to their pixels.

use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Executable};
use crate::plan::resident::Resident;
use crate::plan::{evaluation, input_gradient, names};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle, Oracle, OracleError};
use dfrt_runtime::sample::Label;
use std::sync::Mutex;

/// The forward plan and the input-gradient plans of both losses, with shared buffers.
#[derive(Debug)]
pub struct GpuOracle {
    network: Resident,
    batch: usize,
    buffers: Mutex<Buffers>,
    forward: Executable,
    cross_entropy: Executable,
    margin: Executable,
}

#[derive(Debug)]
struct Buffers {
    pixels: Buffer,
    gradient: Buffer,
    labels: Buffer,
    logits: Buffer,
    losses: Buffer,
}

/// Pixels [N, 3, H, W] in the layout of the kernels: [N, H, W, 4], the fourth lane 0.
pub(crate) fn channels_last(batch: &Batch) -> Vec<f32> {
    let area = batch.res * batch.res;
    let mut values = vec![0.0; 4 * area * batch.len()];
    for index in 0..batch.len() {
        let picture = batch.picture(index);
        for (pixel, lanes) in values[4 * area * index..].chunks_exact_mut(4).take(area).enumerate() {
            for channel in 0..3 {
                lanes[channel] = picture[channel * area + pixel];
            }
        }
    }
    values
}

/// The inverse of [`channels_last`], for the first `len` pictures.
pub(crate) fn channels_first(values: &[f32], res: usize, len: usize) -> Batch {
    let area = res * res;
    let mut batch = Batch::new(res);
    for picture in values.chunks_exact(4 * area).take(len) {
        for channel in 0..3 {
            batch.values.extend(picture[channel..].iter().step_by(4));
        }
    }
    batch
}

/// Target and weight 1 of each picture.
pub(crate) fn label_values(labels: &[Label]) -> Vec<f32> {
    labels.iter().flat_map(|label| [label.target(), 1.0]).collect()
}

impl GpuOracle {
    /// Plans gradients of `network` with its current weights, `batch` pictures at a time.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(network: &Resident, batch: usize) -> Result<Self, GpuError> {
        let network = network.folded()?;
        let engine = &network.engine;
        let len = 4 * batch * network.graph.res * network.graph.res;
        let buffers = Buffers {
            pixels: engine.buffer(names::PIXELS, len)?,
            gradient: engine.buffer(names::PIXEL_GRADIENT, len)?,
            labels: engine.buffer(names::LABELS, 2 * batch)?,
            logits: engine.buffer(names::LOGITS, batch)?,
            losses: engine.buffer(names::LOSSES, batch)?,
        };
        let mut named = network.buffers();
        for (name, buffer) in [
            (names::PIXELS, &buffers.pixels),
            (names::PIXEL_GRADIENT, &buffers.gradient),
            (names::LABELS, &buffers.labels),
            (names::LOGITS, &buffers.logits),
            (names::LOSSES, &buffers.losses),
        ] {
            named.insert(name.to_owned(), buffer.clone());
        }
        let plan = |loss| {
            let recording = input_gradient::record(&network.graph, &network.layout, batch, loss);
            engine.compile(&recording, &named)
        };
        Ok(Self {
            batch,
            forward: engine
                .compile(&evaluation::record_floats(&network.graph, &network.layout, batch), &named)?,
            cross_entropy: plan(AttackLoss::CrossEntropy)?,
            margin: plan(AttackLoss::Margin)?,
            buffers: Mutex::new(buffers),
            network,
        })
    }

    /// Pictures per batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Logits of at most `self.batch` pictures.
    fn score(&self, batch: &Batch) -> Result<Vec<f32>, GpuError> {
        let engine = &self.network.engine;
        let buffers = self.buffers.lock().expect("no holder panics");
        engine.write(&buffers.pixels, 0, &channels_last(batch));
        engine.run(&self.forward)?;
        engine.read(&buffers.logits, 0, batch.len())
    }

    /// Losses and gradients of at most `self.batch` pictures.
    fn differentiate(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), GpuError> {
        let engine = &self.network.engine;
        let buffers = self.buffers.lock().expect("no holder panics");
        engine.write(&buffers.pixels, 0, &channels_last(batch));
        engine.write(&buffers.labels, 0, &label_values(labels));
        engine.run(match loss {
            AttackLoss::CrossEntropy => &self.cross_entropy,
            AttackLoss::Margin => &self.margin,
        })?;
        let n = batch.len();
        let losses = engine.read(&buffers.losses, 0, n)?;
        let len = 4 * n * batch.res * batch.res;
        let mut gradient = channels_first(&engine.read(&buffers.gradient, 0, len)?, batch.res, n);
        if loss == AttackLoss::CrossEntropy {
            // The plan computes the gradient of the mean over the batch.
            gradient.values.iter_mut().for_each(|value| *value *= self.batch as f32);
        }
        Ok((losses, gradient))
    }

    fn chunks<'b>(&self, batch: &'b Batch) -> impl Iterator<Item = Batch> + use<'b> {
        let stride = batch.stride() * self.batch;
        batch.values.chunks(stride).map(|values| Batch { res: batch.res, values: values.to_vec() })
    }

    fn check(&self, batch: &Batch) -> Result<(), OracleError> {
        if batch.res == self.res() {
            return Ok(());
        }
        let (got, takes) = (batch.res, self.res());
        Err(OracleError(format!(
            "pictures of {got} px were given to a network for {takes} px; prepare them at {takes}"
        )))
    }
}

fn failed(error: GpuError) -> OracleError {
    OracleError(error.to_string())
}

impl Oracle for GpuOracle {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        self.check(batch)?;
        let mut logits = Vec::with_capacity(batch.len());
        for chunk in self.chunks(batch) {
            logits.extend(self.score(&chunk).map_err(failed)?);
        }
        Ok(logits)
    }

    fn res(&self) -> usize {
        self.network.graph.res
    }
}

impl GradientOracle for GpuOracle {
    fn loss_gradient(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), OracleError> {
        self.check(batch)?;
        let mut losses = Vec::with_capacity(batch.len());
        let mut gradient = Batch::new(batch.res);
        for (chunk, labels) in self.chunks(batch).zip(labels.chunks(self.batch)) {
            let (chunk_losses, chunk_gradient) = self.differentiate(&chunk, labels, loss).map_err(failed)?;
            losses.extend(chunk_losses);
            gradient.values.extend(chunk_gradient.values);
        }
        Ok((losses, gradient))
    }
}
