//! Features times one gate for each channel and picture (`squeeze_excite.wgsl`).

use super::{Chunks, quads, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("squeeze_excite.wgsl");

crate::parameters! { struct Params { n: u32, area: u32, quads: u32, rows_per_chunk: u32, chunks: u32 } }

static SCALE: Kernel = Kernel::new::<Params>(&SHADER, "scale", &[read("x"), read("gate"), write("y")]);
static BACKWARD_GATE: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_gate", &[read("x"), read("dy"), write("partial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&SCALE, &BACKWARD_GATE];

/// Features [N, S, C], C a multiple of 4.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// S = H*W.
    pub area: usize,
    /// C.
    pub channels: usize,
}

impl Shape {
    fn params(self, chunks: Chunks) -> Params {
        Params {
            n: u(self.n),
            area: u(self.area),
            quads: quads(self.channels),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
        }
    }
}

/// x [N, S, C], gate [N, C] -> y [N, S, C] = x * gate. The features' gradient is
/// the same function of dy.
pub fn scale(recording: &mut Recording, x: Tensor, gate: Tensor, shape: Shape) -> Tensor {
    recording.produce(&SCALE, &shape.params(Chunks::NONE), &[x, gate], x.len, x.len / 4)
}

/// x, dy [N, S, C] -> the gate's gradient [N, C].
pub fn backward_gate(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape) -> Tensor {
    let chunks = Chunks::of(shape.area, 64, 32);
    let len = shape.n * chunks.count * shape.channels;
    let partial = recording.produce(&BACKWARD_GATE, &shape.params(chunks), &[x, dy], len, len / 4);
    let rows = reduce::Rows { groups: shape.n, rows: chunks.count, length: shape.channels };
    reduce::sum(recording, partial, rows, 1.0, None)
}
