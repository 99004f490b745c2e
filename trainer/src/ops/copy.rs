//! A copy (`copy.wgsl`): of weights that have no batch-norm, of a pooled tensor that is to be read back, and
//! to measure the memory of a device.

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("copy.wgsl");

crate::parameters! { struct Params { quads: u32 } }

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", &[read("x"), write("y")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD];

/// x -> y, of equal lengths.
pub fn forward(recording: &mut Recording, x: Tensor, y: Tensor) {
    assert_eq!(x.len, y.len, "a copy between unequal tensors");
    let quads = x.len.div_ceil(4);
    recording.dispatch(&FORWARD, &Params { quads: u(quads) }, &[x, y], quads);
}
