//! Logits of 8-bit pictures on the GPU, in batches of one size.

use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Executable};
use crate::plan::resident::{Resident, pack_bytes};
use crate::plan::{evaluation, names};
use image::RgbImage;

/// The evaluation plan of a network, ready to run.
#[derive(Debug)]
pub struct Evaluator {
    source: Resident,
    network: Resident,
    batch: usize,
    bytes: Buffer,
    logits: Buffer,
    plan: Executable,
}

impl Evaluator {
    /// Plans the evaluation of `network` with its current weights, in batches of `batch` pictures.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(network: &Resident, batch: usize) -> Result<Self, GpuError> {
        Self::plan(network, batch, None)
    }

    /// Plans the evaluation like [`Evaluator::new`], in the memory of the executable `lender`, which must
    /// not run at the same time.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn sharing_memory(network: &Resident, batch: usize, lender: &Executable) -> Result<Self, GpuError> {
        Self::plan(network, batch, Some(lender))
    }

    fn plan(source: &Resident, batch: usize, lender: Option<&Executable>) -> Result<Self, GpuError> {
        let network = source.folded()?;
        let engine = &network.engine;
        let area = network.graph.res * network.graph.res;
        let bytes = engine.buffer(names::BYTES, batch * area)?;
        let logits = engine.buffer(names::LOGITS, batch * network.graph.outputs())?;
        let mut buffers = network.buffers();
        buffers.insert(names::BYTES.to_owned(), bytes.clone());
        buffers.insert(names::LOGITS.to_owned(), logits.clone());
        let recording = evaluation::record(&network.graph, &network.layout, batch);
        let plan = match lender {
            Some(lender) => engine.compile_sharing(&recording, &buffers, lender)?,
            None => engine.compile(&recording, &buffers)?,
        };
        Ok(Self { source: source.clone(), network, batch, bytes, logits, plan })
    }

    /// Copies the current weights of the network, folded.
    ///
    /// # Errors
    /// A device that fails.
    pub fn refresh(&self) -> Result<(), GpuError> {
        self.network.load(&self.source.weights(0)?.folded(&self.source.graph));
        Ok(())
    }

    /// The network with folded batch-norms that is evaluated, for other plans.
    pub fn network(&self) -> &Resident {
        &self.network
    }

    /// Pictures per batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Bytes of the plan's own pool and of the folded weights.
    pub fn own_bytes(&self) -> u64 {
        self.plan.pool_bytes + self.network.bytes()
    }

    /// The outputs [N, outputs] of `pictures`, for a detector one logit per picture. Each picture must
    /// be res x res. A smaller last batch is filled up with its first picture, which does not change
    /// the other logits.
    ///
    /// # Errors
    /// A device that fails.
    pub fn logits(&self, pictures: &[RgbImage]) -> Result<Vec<f32>, GpuError> {
        let mut logits = Vec::with_capacity(pictures.len());
        for chunk in pictures.chunks(self.batch) {
            let fill = std::iter::repeat_n(&chunk[0], self.batch - chunk.len());
            let engine = &self.network.engine;
            engine.write(&self.bytes, 0, &pack_bytes(chunk.iter().chain(fill)));
            engine.run(&self.plan)?;
            logits.extend(engine.read(&self.logits, 0, chunk.len() * self.network.graph.outputs())?);
        }
        Ok(logits)
    }
}
