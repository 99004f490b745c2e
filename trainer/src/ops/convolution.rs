//! Dense convolution, the stem's (`convolution.wgsl`).

use super::activation::Folded;
use super::{CONVOLUTION, Chunks, FOLDED_CONVOLUTION, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};
use crate::model::graph::Window;

static SHADER: Shader = shader!("convolution.wgsl");

crate::parameters! {
    struct Params {
        n: u32, h: u32, w: u32, ci: u32, cs: u32, co: u32, kernel: u32, stride: u32,
        pad_top: u32, pad_left: u32, oh: u32, ow: u32, rows_per_chunk: u32, chunks: u32, activation: u32,
    }
}

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", CONVOLUTION);
static FORWARD_FOLDED: Kernel = Kernel::new::<Params>(&SHADER, "forward_folded", FOLDED_CONVOLUTION);
static BACKWARD_INPUT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_input", &[read("dy"), read("weight"), write("dx")]);
static BACKWARD_WEIGHT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_weight", &[read("pixels"), read("gradient"), write("partial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &FORWARD_FOLDED, &BACKWARD_INPUT, &BACKWARD_WEIGHT];

/// Sizes of a dense convolution. Pixels of the input are `ci` rounded up to 4 values apart.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Geometry.
    pub window: Window,
    /// Input channels.
    pub ci: usize,
    /// Output channels, a multiple of 4.
    pub co: usize,
}

impl Shape {
    /// Distance between the input's pixels in values.
    pub fn channel_stride(self) -> usize {
        self.ci.next_multiple_of(4)
    }

    fn outputs(self) -> usize {
        self.n * self.window.oh * self.window.ow
    }

    fn params(self, chunks: Chunks) -> Params {
        assert!(self.co.is_multiple_of(4), "output channels come in fours");
        let window = self.window;
        Params {
            n: u(self.n),
            h: u(window.h),
            w: u(window.w),
            ci: u(self.ci),
            cs: u(self.channel_stride()),
            co: u(self.co),
            kernel: u(window.kernel),
            stride: u(window.stride),
            pad_top: u(window.pad_top),
            pad_left: u(window.pad_left),
            oh: u(window.oh),
            ow: u(window.ow),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            activation: 0,
        }
    }
}

/// x [N, H, W, CS], weight [K, K, CI, CO] -> y [N, OH, OW, CO].
pub fn forward(recording: &mut Recording, x: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let len = shape.outputs() * shape.co;
    recording.produce(&FORWARD, &shape.params(Chunks::NONE), &[x, weight], len, len / 4)
}

/// x [N, H, W, CS], weight [K, K, CI, CO] -> y [N, OH, OW, CO] = activation(convolution + shift).
pub fn forward_folded(
    recording: &mut Recording,
    x: Tensor,
    weight: Tensor,
    folded: Folded,
    shape: Shape,
) -> Tensor {
    let y = recording.tensor(shape.outputs() * shape.co);
    let params = Params { activation: folded.code(), ..shape.params(Chunks::NONE) };
    recording.dispatch(&FORWARD_FOLDED, &params, &[x, weight, y, folded.affine], y.len / 4);
    y
}

/// dy [N, OH, OW, CO], weight [K, K, CI, CO] -> dx [N, H, W, CS], 0 beyond CI.
pub fn backward_input(recording: &mut Recording, dy: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let len = shape.n * shape.window.h * shape.window.w * shape.channel_stride();
    recording.produce(&BACKWARD_INPUT, &shape.params(Chunks::NONE), &[dy, weight], len, len)
}

/// x [N, H, W, CS], dy [N, OH, OW, CO] -> the weight's gradient [K, K, CI, CO], into `gradient`.
pub fn backward_weight(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape, gradient: Tensor) {
    let chunks = Chunks::of(shape.n * shape.window.oh, 128, 4);
    let taps = shape.window.kernel * shape.window.kernel;
    let length = taps * shape.ci * shape.co;
    assert_eq!(gradient.len, length, "the weight's gradient has its shape");
    let partial = reduce::parts_of(recording, gradient, chunks.count);
    let invocations = chunks.count * taps * (shape.channel_stride() / 4) * (shape.co / 4);
    recording.dispatch(&BACKWARD_WEIGHT, &shape.params(chunks), &[x, dy, partial], invocations);
    reduce::sum_parts(recording, partial, chunks.count, gradient);
}
