//! Batch-norm with the activation after it (`batch_norm.wgsl`).

use super::{Chunks, activation, moments, quads, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};
use crate::model::arch::Activation;

static SHADER: Shader = shader!("batch_norm.wgsl");

crate::parameters! {
    struct Params {
        rows: u32, quads: u32, rows_per_chunk: u32, chunks: u32,
        activation: u32, eps: f32, momentum: f32, unbias: f32,
    }
}

static BY_BATCH: Kernel = Kernel::new::<Params>(
    &SHADER,
    "normalise_by_batch",
    &[read("moments"), write("running"), write("normaliser")],
);
static FORWARD: Kernel =
    Kernel::new::<Params>(&SHADER, "forward", &[read("x"), read("saved"), read("affine"), write("y")]);
static BACKWARD_AFFINE: Kernel = Kernel::new::<Params>(
    &SHADER,
    "backward_affine",
    &[read("x"), read("saved"), read("affine"), read("dy"), write("partial")],
);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(
    &SHADER,
    "backward_input",
    &[read("x"), read("saved"), read("affine"), read("dy"), read("sums"), write("dx")],
);
/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&BY_BATCH, &FORWARD, &BACKWARD_AFFINE, &BACKWARD_INPUT];

/// Rows per invocation of [`FORWARD`] and [`BACKWARD_INPUT`].
const ROWS: usize = 4;

/// PyTorch's default, for every architecture: running = 0.9 running + 0.1 batch.
/// torchvision's B5 to B7 have 0.01, with which a short fine-tuning would hardly change the
/// statistics.
pub const MOMENTUM: f32 = 0.1;

/// A batch-norm over x [R, C].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// R = N*H*W.
    pub rows: usize,
    /// C, a multiple of 4.
    pub channels: usize,
    /// The activation after it.
    pub activation: Activation,
    /// Epsilon, added to the variance.
    pub eps: f32,
}

impl Shape {
    fn params(self, chunks: Chunks, momentum: f32) -> Params {
        assert!(self.activation != Activation::Sigmoid, "no batch-norm here has a sigmoid");
        Params {
            rows: u(self.rows),
            quads: quads(self.channels),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            activation: activation::code(self.activation),
            eps: self.eps,
            momentum,
            unbias: self.rows as f32 / (self.rows.max(2) - 1) as f32,
        }
    }

    fn undivided(self) -> Params {
        self.params(Chunks::NONE, 0.0)
    }

    /// Invocations of the kernels with [`ROWS`] rows each.
    fn strips(self) -> usize {
        self.rows.div_ceil(ROWS) * self.channels / 4
    }
}

/// x [R, C] -> statistics of the batch [2, C]: mean, 1 / deviation. `momentum` is their weight in the
/// update of the running statistics [2, C] (with the unbiased variance); 0 for no update.
pub fn batch_statistics(
    recording: &mut Recording,
    x: Tensor,
    running: Tensor,
    shape: Shape,
    momentum: f32,
) -> Tensor {
    let moments = moments::forward(recording, x, 1, shape.rows, shape.channels);
    let params = shape.params(Chunks::NONE, momentum);
    recording.produce(&BY_BATCH, &params, &[moments, running], 2 * shape.channels, shape.channels / 4)
}

/// x [R, C], saved [2, C], affine [2, C] (gamma, beta) -> y [R, C] = activation(gamma * xhat + beta).
pub fn forward(recording: &mut Recording, x: Tensor, saved: Tensor, affine: Tensor, shape: Shape) -> Tensor {
    recording.produce(&FORWARD, &shape.undivided(), &[x, saved, affine], x.len, shape.strips())
}

/// What the backward pass reads.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// Its input [R, C].
    pub x: Tensor,
    /// Mean and 1 / deviation [2, C].
    pub statistics: Tensor,
    /// gamma and beta [2, C].
    pub affine: Tensor,
}

/// dy [R, C] -> the gradients of gamma and beta [2, C], into `gradient` where given.
pub fn backward_affine(
    recording: &mut Recording,
    saved: Saved,
    dy: Tensor,
    shape: Shape,
    gradient: Option<Tensor>,
) -> Tensor {
    let chunks = Chunks::of(shape.rows, 256, 32);
    let length = 2 * shape.channels;
    let partial = recording.produce(
        &BACKWARD_AFFINE,
        &shape.params(chunks, 0.0),
        &[saved.x, saved.statistics, saved.affine, dy],
        chunks.count * length,
        chunks.count * shape.channels / 4,
    );
    let rows = reduce::Rows { groups: 1, rows: chunks.count, length };
    reduce::sum(recording, partial, rows, 1.0, gradient)
}

/// dy [R, C] and the gradients of gamma and beta [2, C] -> dx [R, C], through the batch's statistics.
pub fn backward_input(
    recording: &mut Recording,
    saved: Saved,
    dy: Tensor,
    sums: Tensor,
    shape: Shape,
) -> Tensor {
    let inputs = [saved.x, saved.statistics, saved.affine, dy, sums];
    recording.produce(&BACKWARD_INPUT, &shape.undivided(), &inputs, dy.len, shape.strips())
}
