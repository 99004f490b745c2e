//! Elements times their mask (`dropout.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("dropout.wgsl");

crate::parameters! { struct Params { count: u32 } }

static APPLY: Kernel = Kernel::new::<Params>(&SHADER, "apply", &[read("x"), read("mask"), write("y")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&APPLY];

/// x, mask [N, C] -> y [N, C] = x * mask; with dy for x, the gradient.
pub fn apply(recording: &mut Recording, x: Tensor, mask: Tensor) -> Tensor {
    recording.produce(&APPLY, &Params { count: u(x.len) }, &[x, mask], x.len, x.len)
}
