//! Depthwise convolution (`depthwise.wgsl`).

use super::activation::Folded;
use super::{CONVOLUTION, Chunks, FOLDED_CONVOLUTION, quads, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};
use crate::model::graph::Window;

static SHADER: Shader = shader!("depthwise.wgsl");

crate::parameters! {
    struct Params {
        n: u32, h: u32, w: u32, quads: u32, kernel: u32, stride: u32,
        pad_top: u32, pad_left: u32, oh: u32, ow: u32, rows_per_chunk: u32, chunks: u32, flip: u32,
        activation: u32,
    }
}

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", CONVOLUTION);
static BACKWARD_INPUT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_input", &[read("dy"), read("weight"), write("dx")]);
static BACKWARD_WEIGHT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_weight", &[read("x"), read("gradient"), write("partial")]);

static SLIDE_3: Kernel = Kernel::new::<Params>(&SHADER, "slide_3", CONVOLUTION);
static SLIDE_5: Kernel = Kernel::new::<Params>(&SHADER, "slide_5", CONVOLUTION);
static FORWARD_FOLDED: Kernel = Kernel::new::<Params>(&SHADER, "forward_folded", FOLDED_CONVOLUTION);
static SLIDE_3_FOLDED: Kernel = Kernel::new::<Params>(&SHADER, "slide_3_folded", FOLDED_CONVOLUTION);
static SLIDE_5_FOLDED: Kernel = Kernel::new::<Params>(&SHADER, "slide_5_folded", FOLDED_CONVOLUTION);
static SLIDE_WEIGHT_3: Kernel =
    Kernel::new::<Params>(&SHADER, "slide_weight_3", &[read("x"), read("gradient"), write("partial")]);
static SLIDE_WEIGHT_5: Kernel =
    Kernel::new::<Params>(&SHADER, "slide_weight_5", &[read("x"), read("gradient"), write("partial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[
    &FORWARD,
    &FORWARD_FOLDED,
    &BACKWARD_INPUT,
    &BACKWARD_WEIGHT,
    &SLIDE_3,
    &SLIDE_5,
    &SLIDE_3_FOLDED,
    &SLIDE_5_FOLDED,
    &SLIDE_WEIGHT_3,
    &SLIDE_WEIGHT_5,
];

/// Outputs of a row per invocation of [`SLIDE_3`] and [`SLIDE_5`].
const STRIP: usize = 5;

/// Sizes of a depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Geometry.
    pub window: Window,
    /// Channels, a multiple of 4.
    pub c: usize,
}

impl Shape {
    fn params(self, chunks: Chunks) -> Params {
        let window = self.window;
        Params {
            n: u(self.n),
            h: u(window.h),
            w: u(window.w),
            quads: quads(self.c),
            kernel: u(window.kernel),
            stride: u(window.stride),
            pad_top: u(window.pad_top),
            pad_left: u(window.pad_left),
            oh: u(window.oh),
            ow: u(window.ow),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            flip: 0,
            activation: 0,
        }
    }
}

/// The kernel that computes several outputs per invocation; none if there is none for the window.
fn sliding(window: Window) -> Option<&'static Kernel> {
    match (window.stride, window.kernel) {
        (1, 3) => Some(&SLIDE_3),
        (1, 5) => Some(&SLIDE_5),
        _ => None,
    }
}

/// x [N, H, W, C], weight [K, K, C] -> y [N, OH, OW, C].
pub fn forward(recording: &mut Recording, x: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let kernel = sliding(shape.window).unwrap_or(&FORWARD);
    convolve(recording, [x, weight], shape, None, kernel)
}

/// x [N, H, W, C], weight [K, K, C] -> y [N, OH, OW, C] = activation(convolution + shift).
pub fn forward_folded(
    recording: &mut Recording,
    x: Tensor,
    weight: Tensor,
    folded: Folded,
    shape: Shape,
) -> Tensor {
    let kernel = match (shape.window.stride, shape.window.kernel) {
        (1, 3) => &SLIDE_3_FOLDED,
        (1, 5) => &SLIDE_5_FOLDED,
        _ => &FORWARD_FOLDED,
    };
    convolve(recording, [x, weight], shape, Some(folded), kernel)
}

fn convolve(
    recording: &mut Recording,
    [x, weight]: [Tensor; 2],
    shape: Shape,
    folded: Option<Folded>,
    kernel: &'static Kernel,
) -> Tensor {
    let Window { oh, ow, .. } = shape.window;
    let y = recording.tensor(shape.n * oh * ow * shape.c);
    let tensors: Vec<Tensor> = [x, weight, y].into_iter().chain(folded.map(|folded| folded.affine)).collect();
    let params = Params { activation: folded.map_or(0, Folded::code), ..shape.params(Chunks::NONE) };
    let across = if sliding(shape.window).is_some() { ow.div_ceil(STRIP) } else { ow };
    recording.dispatch(kernel, &params, &tensors, shape.n * oh * across * shape.c / 4);
    y
}

/// dy [N, OH, OW, C], weight [K, K, C] -> dx [N, H, W, C].
pub fn backward_input(recording: &mut Recording, dy: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let len = shape.n * shape.window.h * shape.window.w * shape.c;
    if let Some(kernel) = sliding(shape.window) {
        let window = shape.window;
        // The gradient is a convolution with the rotated kernel.
        let turned = Window {
            h: window.oh,
            w: window.ow,
            pad_top: window.kernel - 1 - window.pad_top,
            pad_left: window.kernel - 1 - window.pad_left,
            oh: window.h,
            ow: window.w,
            ..window
        };
        let params = Params { flip: 1, ..Shape { window: turned, ..shape }.params(Chunks::NONE) };
        let strips = shape.n * window.h * window.w.div_ceil(STRIP);
        return recording.produce(kernel, &params, &[dy, weight], len, strips * shape.c / 4);
    }
    recording.produce(&BACKWARD_INPUT, &shape.params(Chunks::NONE), &[dy, weight], len, len / 4)
}

/// x [N, H, W, C], dy [N, OH, OW, C] -> the weight's gradient [K, K, C], into `gradient`.
pub fn backward_weight(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape, gradient: Tensor) {
    let chunks = Chunks::of(shape.n * shape.window.oh, 64, 4);
    let length = shape.window.kernel * shape.window.kernel * shape.c;
    assert_eq!(gradient.len, length, "the weight's gradient has its shape");
    let partial = reduce::parts_of(recording, gradient, chunks.count);
    let (kernel, taps) = match (shape.window.stride, shape.window.kernel) {
        (1, 3) => (&SLIDE_WEIGHT_3, 3),
        (1, 5) => (&SLIDE_WEIGHT_5, 5),
        _ => (&BACKWARD_WEIGHT, 1),
    };
    let invocations = chunks.count * length / 4 / taps;
    recording.dispatch(kernel, &shape.params(chunks), &[x, dy, partial], invocations);
    reduce::sum_parts(recording, partial, chunks.count, gradient);
}
