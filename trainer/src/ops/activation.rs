//! A separate activation, as in squeeze-excite (`activation.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};
use crate::model::arch::Activation;

static SHADER: Shader = shader!("activation.wgsl");

crate::parameters! { struct Params { quads: u32, activation: u32 } }

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", &[read("x"), write("y")]);
static BACKWARD: Kernel = Kernel::new::<Params>(&SHADER, "backward", &[read("x"), read("dy"), write("dx")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

/// The activation's number in the shaders.
pub(crate) fn code(activation: Activation) -> u32 {
    match activation {
        Activation::Identity => 0,
        Activation::Silu => 1,
        Activation::Relu6 => 2,
        Activation::Sigmoid => 3,
    }
}

/// The shift and activation of a batch-norm that was folded into the convolution before it
/// ([`crate::model::folding`]); the kernel of the convolution applies them.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    /// The folded batch-norm's gamma (all 1, not read) and beta [2, C].
    pub affine: Tensor,
    /// The activation; never a sigmoid.
    pub activation: Activation,
}

impl Folded {
    /// The activation's number in the convolutions' shaders.
    pub(super) fn code(self) -> u32 {
        assert!(self.activation != Activation::Sigmoid, "no batch-norm here has a sigmoid");
        code(self.activation)
    }
}

fn params(len: usize, activation: Activation) -> Params {
    assert!(activation != Activation::Identity, "an identity is no op");
    Params { quads: u(len.div_ceil(4)), activation: code(activation) }
}

/// y = activation(x), element by element.
pub fn forward(recording: &mut Recording, x: Tensor, activation: Activation) -> Tensor {
    recording.produce(&FORWARD, &params(x.len, activation), &[x], x.len, x.len.div_ceil(4))
}

/// dx = dy * activation'(x).
pub fn backward(recording: &mut Recording, x: Tensor, dy: Tensor, activation: Activation) -> Tensor {
    recording.produce(&BACKWARD, &params(x.len, activation), &[x, dy], x.len, x.len.div_ceil(4))
}
