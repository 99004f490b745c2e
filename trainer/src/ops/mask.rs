//! Masks of dropout and drop-path, drawn on the device (`mask.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("mask.wgsl");

crate::parameters! { struct Params { n: u32, elements: u32, op: u32, rate: f32 } }

static DRAW: Kernel = Kernel::new::<Params>(&SHADER, "draw", &[read("keys"), write("mask")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&DRAW];

/// keys \[N\] of two u32 -> mask [N, `elements`]: 0 at the given rate, else 1 / (1 - rate).
/// `op` makes the draws of different nodes independent.
pub fn draw(
    recording: &mut Recording,
    keys: Tensor,
    n: usize,
    elements: usize,
    op: usize,
    rate: f32,
) -> Tensor {
    let params = Params { n: u(n), elements: u(elements), op: u(op), rate };
    recording.produce(&DRAW, &params, &[keys], n * elements, n * elements)
}
