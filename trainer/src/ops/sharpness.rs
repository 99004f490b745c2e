//! The ascent of sharpness-aware minimisation (`sharpness.wgsl`).

use super::perturbation::{self, Shape};
use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{ALIGNMENT, Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("sharpness.wgsl");

crate::parameters! { struct Params { quads: u32 } }

static CLEAR: Kernel = Kernel::new::<Params>(&SHADER, "clear", &[write("cleared")]);
static ASCEND: Kernel = Kernel::new::<Params>(
    &SHADER,
    "ascend",
    &[read("weight"), read("gradient"), read("norm"), read("step"), write("moved")],
);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&CLEAR, &ASCEND];

/// Sets x to 0.
pub fn clear(recording: &mut Recording, x: Tensor) {
    let quads = x.len.div_ceil(4);
    recording.dispatch(&CLEAR, &Params { quads: u(quads) }, &[x], quads);
}

/// The Euclidean norm \[1\] of a flat tensor whose length is a multiple of [`ALIGNMENT`], in two steps
/// so that many invocations share the work.
pub fn norm(recording: &mut Recording, flat: Tensor) -> Tensor {
    assert!(flat.len.is_multiple_of(ALIGNMENT), "a flat tensor is padded");
    let rows = ALIGNMENT / 4;
    let of_rows = Shape { n: rows, pixels: flat.len / ALIGNMENT, eps: 0.0, size: 0.0 };
    let lengths = perturbation::length(recording, flat, of_rows, None);
    perturbation::length(recording, lengths, Shape { n: 1, pixels: rows / 4, ..of_rows }, None)
}

/// weight + radius * gradient / norm, the radius from `step`; `weight` for a zero gradient.
pub fn ascend(
    recording: &mut Recording,
    weight: Tensor,
    gradient: Tensor,
    norm: Tensor,
    step: Tensor,
) -> Tensor {
    let quads = weight.len.div_ceil(4);
    let inputs = [weight, gradient, norm, step];
    recording.produce(&ASCEND, &Params { quads: u(quads) }, &inputs, weight.len, quads)
}
