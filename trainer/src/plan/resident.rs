//! A network whose weights are on a device.

use super::layout::Layout;
use super::names;
use crate::gpu::device::GpuError;
use crate::gpu::engine::{Buffer, Engine};
use crate::model::graph::Graph;
use crate::model::weights::Weights;
use image::RgbImage;
use std::collections::HashMap;
use std::sync::Arc;

/// Weights and running statistics on a device, shared by the plans that use them.
#[derive(Clone, Debug)]
pub struct Resident {
    /// The device.
    pub engine: Arc<Engine>,
    /// The network.
    pub graph: Arc<Graph>,
    /// The layout of its weights.
    pub layout: Arc<Layout>,
    params: Buffer,
    running: Buffer,
    /// Whether its batch-norms are folded into its convolutions.
    folded: bool,
}

impl Resident {
    /// Uploads `weights` to the device.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(engine: Arc<Engine>, graph: Graph, weights: &Weights) -> Result<Self, GpuError> {
        let layout = Layout::new(&graph);
        let params = engine.upload(names::PARAMS, &layout.pack(&graph, weights))?;
        let running = engine.upload(names::RUNNING, &layout.pack_running(weights))?;
        let (graph, layout) = (Arc::new(graph), Arc::new(layout));
        Ok(Self { engine, graph, layout, params, running, folded: false })
    }

    /// Uploads `weights` with the batch-norms folded into the convolutions, for plans that use running
    /// statistics only.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn deployed(engine: Arc<Engine>, graph: Graph, weights: &Weights) -> Result<Self, GpuError> {
        let folded = weights.folded(&graph);
        Ok(Self { folded: true, ..Self::new(engine, graph, &folded)? })
    }

    /// The network with its batch-norms folded into its convolutions, for plans that use running
    /// statistics: itself if they are folded already, or else a copy.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn folded(&self) -> Result<Self, GpuError> {
        if self.folded {
            return Ok(self.clone());
        }
        Self::deployed(Arc::clone(&self.engine), Graph::clone(&self.graph), &self.weights(0)?)
    }

    /// Replaces the weights on the device.
    pub fn load(&self, weights: &Weights) {
        self.engine.write(&self.params, 0, &self.layout.pack(&self.graph, weights));
        self.engine.write(&self.running, 0, &self.layout.pack_running(weights));
    }

    /// Reads the weights back.
    ///
    /// # Errors
    /// A device that fails.
    pub fn weights(&self, batches_tracked: u64) -> Result<Weights, GpuError> {
        let params = self.engine.read(&self.params, 0, self.layout.len)?;
        let running = self.engine.read(&self.running, 0, self.layout.running_len)?;
        Ok(self.layout.unpack(&self.graph, &params, &running, batches_tracked))
    }

    /// The buffers that every plan names.
    pub fn buffers(&self) -> HashMap<String, Buffer> {
        HashMap::from([
            (names::PARAMS.to_owned(), self.params.clone()),
            (names::RUNNING.to_owned(), self.running.clone()),
        ])
    }

    /// Bytes of the weights and running statistics.
    pub fn bytes(&self) -> u64 {
        4 * (self.layout.len + self.layout.running_len) as u64
    }
}

/// 8-bit pictures in the form of the upload kernel: one u32 per pixel, red in the lowest byte.
pub fn pack_bytes<'a>(pictures: impl IntoIterator<Item = &'a RgbImage>) -> Vec<u32> {
    let pixel = |rgb: &[u8]| u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]);
    pictures.into_iter().flat_map(|picture| picture.as_raw().chunks_exact(3).map(pixel)).collect()
}
