//! The small linear layers: squeeze-excite's and the classifier (`linear.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("linear.wgsl");

crate::parameters! { struct Params { n: u32, k: u32, m: u32 } }

static FORWARD: Kernel =
    Kernel::new::<Params>(&SHADER, "forward", &[read("x"), read("weight"), read("bias"), write("y")]);
static BACKWARD_INPUT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_input", &[read("dy"), read("weight"), write("dx")]);
static BACKWARD_WEIGHT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_weight", &[read("x"), read("gradient"), write("dweight")]);
static BACKWARD_BIAS: Kernel = Kernel::new::<Params>(&SHADER, "backward_bias", &[read("dy"), write("dbias")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_INPUT, &BACKWARD_WEIGHT, &BACKWARD_BIAS];

/// Sizes of a linear layer.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Inputs.
    pub k: usize,
    /// Outputs.
    pub m: usize,
}

impl Shape {
    fn params(self) -> Params {
        Params { n: u(self.n), k: u(self.k), m: u(self.m) }
    }
}

/// x [N, K], weight [M, K], bias \[M\] -> y [N, M], into `y` where given.
pub fn forward(
    recording: &mut Recording,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    shape: Shape,
    y: Option<Tensor>,
) -> Tensor {
    let y = y.unwrap_or_else(|| recording.tensor(shape.n * shape.m));
    recording.dispatch(&FORWARD, &shape.params(), &[x, weight, bias, y], shape.n * shape.m);
    y
}

/// dy [N, M], weight [M, K] -> dx [N, K].
pub fn backward_input(recording: &mut Recording, dy: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let len = shape.n * shape.k;
    recording.produce(&BACKWARD_INPUT, &shape.params(), &[dy, weight], len, len)
}

/// x [N, K], dy [N, M] -> the weight's gradient [M, K], into `gradient`.
pub fn backward_weight(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape, gradient: Tensor) {
    recording.dispatch(&BACKWARD_WEIGHT, &shape.params(), &[x, dy, gradient], shape.m * shape.k);
}

/// dy [N, M] -> the bias's gradient \[M\], into `gradient`.
pub fn backward_bias(recording: &mut Recording, dy: Tensor, shape: Shape, gradient: Tensor) {
    recording.dispatch(&BACKWARD_BIAS, &shape.params(), &[dy, gradient], shape.m);
}
