//! Global average pool (`pool.wgsl`, forward through `reduce.wgsl`).

use super::{quads, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("pool.wgsl");

crate::parameters! { struct Params { n: u32, area: u32, quads: u32 } }

static BACKWARD: Kernel = Kernel::new::<Params>(&SHADER, "backward", &[read("dy"), write("dx")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&BACKWARD];

/// x [N, S, C] -> y [N, C], the mean over S = `area`.
pub fn forward(recording: &mut Recording, x: Tensor, n: usize, area: usize, channels: usize) -> Tensor {
    let rows = reduce::Rows { groups: n, rows: area, length: channels };
    reduce::sum(recording, x, rows, 1.0 / area as f32, None)
}

/// dy [N, C] -> dx [N, S, C] = dy / S. C is a multiple of 4.
pub fn backward(recording: &mut Recording, dy: Tensor, n: usize, area: usize, channels: usize) -> Tensor {
    let params = Params { n: u(n), area: u(area), quads: quads(channels) };
    let len = n * area * channels;
    recording.produce(&BACKWARD, &params, &[dy], len, len / 4)
}
