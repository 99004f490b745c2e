//! Mean and biased variance of every channel over rows (`moments.wgsl`).

use super::{Chunks, quads, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("moments.wgsl");

crate::parameters! {
    struct Params { groups: u32, rows: u32, quads: u32, rows_per_chunk: u32, chunks: u32 }
}

static CHUNK: Kernel = Kernel::new::<Params>(&SHADER, "chunk_moments", &[read("x"), write("partial")]);
static JOIN: Kernel = Kernel::new::<Params>(&SHADER, "join_moments", &[read("parts"), write("moments")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&CHUNK, &JOIN];

/// x [G, rows, C] -> [G, 2, C]: mean, biased variance. C is a multiple of 4.
pub fn forward(recording: &mut Recording, x: Tensor, groups: usize, rows: usize, channels: usize) -> Tensor {
    let chunks = Chunks::of(rows, 256, 32);
    let params = Params {
        groups: u(groups),
        rows: u(rows),
        quads: quads(channels),
        rows_per_chunk: u(chunks.rows),
        chunks: u(chunks.count),
    };
    let len = groups * 2 * channels;
    let parts = recording.produce(&CHUNK, &params, &[x], chunks.count * len, chunks.count * len / 8);
    recording.produce(&JOIN, &params, &[parts], len, len / 8)
}
