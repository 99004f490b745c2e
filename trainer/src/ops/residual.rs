//! Sum of two tensors (`residual.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("residual.wgsl");

crate::parameters! { struct Params { quads: u32 } }

static ADD: Kernel = Kernel::new::<Params>(&SHADER, "add", &[read("a"), read("b"), write("y")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&ADD];

/// y = a + b, of equal lengths. Each input's gradient is dy itself.
pub fn add(recording: &mut Recording, a: Tensor, b: Tensor) -> Tensor {
    assert_eq!(a.len, b.len, "a sum of unequal tensors");
    let quads = a.len.div_ceil(4);
    recording.produce(&ADD, &Params { quads: u(quads) }, &[a, b], a.len, quads)
}
