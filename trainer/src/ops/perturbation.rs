//! Steps of FGSM and PGD on pixels (`perturbation.wgsl`).

use super::{Chunks, reduce, u};
use crate::gpu::kernel::{Kernel, Shader, read, write};
use crate::gpu::recording::{Recording, Tensor};

static SHADER: Shader =
    Shader { name: "perturbation.wgsl", source: include_str!("../../../wgsl/perturbation.wgsl") };

crate::parameters! {
    struct Params { n: u32, pixels: u32, rows_per_chunk: u32, chunks: u32, eps: f32, size: f32 }
}

static LINF_STEP: Kernel =
    Kernel::new::<Params>(&SHADER, "linf_step", &[read("clean"), read("gradient"), write("adversarial")]);
static SQUARED_LENGTH: Kernel =
    Kernel::new::<Params>(&SHADER, "squared_length", &[read("values"), write("squares")]);
static SQUARED_DISTANCE: Kernel =
    Kernel::new::<Params>(&SHADER, "squared_distance", &[read("values"), read("moved"), write("distances")]);
static L2_STEP: Kernel =
    Kernel::new::<Params>(&SHADER, "l2_step", &[read("direction"), read("squared"), write("adversarial")]);
static L2_PROJECT: Kernel =
    Kernel::new::<Params>(&SHADER, "l2_project", &[read("origin"), read("squared"), write("adversarial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&LINF_STEP, &SQUARED_LENGTH, &SQUARED_DISTANCE, &L2_STEP, &L2_PROJECT];

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

    fn whole(self) -> Params {
        self.params(Chunks { rows: self.pixels, count: 1 })
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
    recording.dispatch(&LINF_STEP, &shape.whole(), &tensors, shape.invocations());
}

/// x [N, P, 4] -> the squared Euclidean length of each picture [N], into `y` where given.
pub fn squared_length(recording: &mut Recording, x: Tensor, shape: Shape, y: Option<Tensor>) -> Tensor {
    let chunks = chunks(shape);
    let partial = recording.tensor(shape.n * chunks.count);
    recording.dispatch(&SQUARED_LENGTH, &shape.params(chunks), &[x, partial], partial.len);
    reduce::sum(recording, partial, rows(shape), 1.0, y)
}

/// x, moved [N, P, 4] -> the squared Euclidean distance of each pair of pictures [N].
fn squared_distance(recording: &mut Recording, x: Tensor, moved: Tensor, shape: Shape) -> Tensor {
    let chunks = chunks(shape);
    let partial = recording.tensor(shape.n * chunks.count);
    recording.dispatch(&SQUARED_DISTANCE, &shape.params(chunks), &[x, moved, partial], partial.len);
    reduce::sum(recording, partial, rows(shape), 1.0, None)
}

fn chunks(shape: Shape) -> Chunks {
    Chunks::of(shape.pixels, 64, 64)
}

fn rows(shape: Shape) -> reduce::Rows {
    reduce::Rows { groups: shape.n, rows: chunks(shape).count, length: 1 }
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
    let squared = squared_length(recording, gradient, shape, None);
    recording.dispatch(&L2_STEP, &shape.whole(), &[gradient, squared, adversarial], shape.invocations());
    let squared = squared_distance(recording, clean, adversarial, shape);
    recording.dispatch(&L2_PROJECT, &shape.whole(), &[clean, squared, adversarial], shape.invocations());
}
