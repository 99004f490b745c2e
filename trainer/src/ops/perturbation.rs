//! Steps of FGSM and PGD on pixels (`perturbation.wgsl`).

use super::{Chunks, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("perturbation.wgsl");

crate::parameters! {
    struct Params { n: u32, pixels: u32, rows_per_chunk: u32, chunks: u32, eps: f32, size: f32 }
}

static LINF_STEP: Kernel =
    Kernel::new::<Params>(&SHADER, "linf_step", &[read("clean"), read("gradient"), write("adversarial")]);
static CHUNK_LENGTH: Kernel =
    Kernel::new::<Params>(&SHADER, "chunk_length", &[read("values"), write("parts")]);
static JOIN_LENGTHS: Kernel =
    Kernel::new::<Params>(&SHADER, "join_lengths", &[read("partial"), write("lengths")]);
static SQUARED_DISTANCE: Kernel =
    Kernel::new::<Params>(&SHADER, "squared_distance", &[read("values"), read("moved"), write("distances")]);
static L2_STEP: Kernel =
    Kernel::new::<Params>(&SHADER, "l2_step", &[read("direction"), read("length"), write("adversarial")]);
static L2_PROJECT: Kernel =
    Kernel::new::<Params>(&SHADER, "l2_project", &[read("origin"), read("squared"), write("adversarial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] =
    &[&LINF_STEP, &CHUNK_LENGTH, &JOIN_LENGTHS, &SQUARED_DISTANCE, &L2_STEP, &L2_PROJECT];

/// A step on pictures [N, P, 4] in \[0, 1\].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Pixels a picture.
    pub pixels: usize,
    /// Radius of the ball, in units of the pixels.
    pub eps: f32,
    /// Length of the step.
    pub size: f32,
}

impl Shape {
    fn params(self, chunks: Chunks) -> Params {
        Params {
            n: u(self.n),
            pixels: u(self.pixels),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            eps: self.eps,
            size: self.size,
        }
    }

    fn undivided(self) -> Params {
        self.params(Chunks::NONE)
    }

    fn invocations(self) -> usize {
        self.n * self.pixels
    }
}

/// adversarial = clip(adversarial + size * sign(gradient)) to the box around `clean` and \[0, 1\].
pub fn linf_step(
    recording: &mut Recording,
    clean: Tensor,
    gradient: Tensor,
    adversarial: Tensor,
    shape: Shape,
) {
    let tensors = [clean, gradient, adversarial];
    recording.dispatch(&LINF_STEP, &shape.undivided(), &tensors, shape.invocations());
}

/// x [N, P, 4] -> the Euclidean length of each picture \[N\], into `y` where given.
/// Lengths beyond the range of their squares come out right.
pub fn length(recording: &mut Recording, x: Tensor, shape: Shape, y: Option<Tensor>) -> Tensor {
    let chunks = chunks(shape);
    let params = shape.params(chunks);
    let count = shape.n * chunks.count;
    let parts = recording.produce(&CHUNK_LENGTH, &params, &[x], 2 * count, count);
    let lengths = y.unwrap_or_else(|| recording.tensor(shape.n));
    recording.dispatch(&JOIN_LENGTHS, &params, &[parts, lengths], shape.n);
    lengths
}

fn chunks(shape: Shape) -> Chunks {
    Chunks::of(shape.pixels, 64, 64)
}

/// adversarial += size * gradient / |gradient|, projected on the ball around `clean`
/// and clipped to \[0, 1\]; a zero gradient moves nothing.
pub fn l2_step(
    recording: &mut Recording,
    clean: Tensor,
    gradient: Tensor,
    adversarial: Tensor,
    shape: Shape,
) {
    let lengths = length(recording, gradient, shape, None);
    recording.dispatch(&L2_STEP, &shape.undivided(), &[gradient, lengths, adversarial], shape.invocations());
    let chunks = chunks(shape);
    let rows = reduce::Rows { groups: shape.n, rows: chunks.count, length: 1 };
    let (params, count) = (shape.params(chunks), shape.n * chunks.count);
    let partial = recording.produce(&SQUARED_DISTANCE, &params, &[clean, adversarial], count, count);
    let squared = reduce::sum(recording, partial, rows, 1.0, None);
    recording.dispatch(&L2_PROJECT, &shape.undivided(), &[clean, squared, adversarial], shape.invocations());
}
