//! Statistics of a tap and their perturbation (`feature_statistics.wgsl`).

use super::{Chunks, moments, quads, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("feature_statistics.wgsl");

crate::parameters! {
    struct Params {
        n: u32, area: u32, quads: u32, rows_per_chunk: u32, chunks: u32,
        deltas: u32, through_statistics: u32, eps: f32,
    }
}

static STATISTIC_GRADIENTS: Kernel = Kernel::new::<Params>(
    &SHADER,
    "statistic_gradients",
    &[read("f"), read("moments"), read("dy"), write("partial")],
);
static NORM: Kernel = Kernel::new::<Params>(&SHADER, "norm", &[read("gradient"), write("own")]);
static JOIN_NORM: Kernel =
    Kernel::new::<Params>(&SHADER, "join_norm", &[read("gradient"), read("before"), write("joint")]);
static PERTURBATION: Kernel = Kernel::new::<Params>(
    &SHADER,
    "perturbation",
    &[read("gradient"), read("total"), read("step"), write("scaled")],
);
static PERTURB: Kernel =
    Kernel::new::<Params>(&SHADER, "perturb", &[read("f"), read("moments"), read("delta"), write("y")]);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(
    &SHADER,
    "backward_input",
    &[read("f"), read("moments"), read("delta"), read("upstream"), read("sums"), write("df")],
);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] =
    &[&STATISTIC_GRADIENTS, &NORM, &JOIN_NORM, &PERTURBATION, &PERTURB, &BACKWARD_INPUT];

/// Added to the variance in sigma = sqrt(var + EPS) (Guan et al. 2024).
pub const EPS: f32 = 1e-5;

/// A tap's features [N, S, C], C a multiple of 4, and how they are perturbed.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// S = H*W.
    pub area: usize,
    /// C.
    pub channels: usize,
    /// One perturbation for each picture instead of one for the batch.
    pub per_image: bool,
    /// The gradient flows through mu and sigma.
    pub through_statistics: bool,
}

impl Shape {
    /// D: perturbations.
    pub fn deltas(self) -> usize {
        if self.per_image { self.n } else { 1 }
    }

    fn params(self, chunks: Chunks) -> Params {
        Params {
            n: u(self.n),
            area: u(self.area),
            quads: quads(self.channels),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            deltas: u(self.deltas()),
            through_statistics: u32::from(self.through_statistics),
            eps: EPS,
        }
    }

    fn undivided(self) -> Params {
        self.params(Chunks::NONE)
    }
}

/// f [N, S, C] -> [N, 2, C]: mean and biased variance of each picture.
pub fn moments_of(recording: &mut Recording, f: Tensor, shape: Shape) -> Tensor {
    moments::forward(recording, f, shape.n, shape.area, shape.channels)
}

/// Sums over the positions of G and of G * fhat for each picture: [N, 2, C].
pub fn image_gradients(
    recording: &mut Recording,
    f: Tensor,
    moments: Tensor,
    g: Tensor,
    shape: Shape,
) -> Tensor {
    let chunks = Chunks::of(shape.area, 64, 32);
    let length = 2 * shape.channels;
    let len = shape.n * chunks.count * length;
    let partial =
        recording.produce(&STATISTIC_GRADIENTS, &shape.params(chunks), &[f, moments, g], len, len / 8);
    let rows = reduce::Rows { groups: shape.n, rows: chunks.count, length };
    reduce::sum(recording, partial, rows, 1.0, None)
}

/// Gradients with respect to (dmu, dsigma): [D, 2, C], summed over the batch where
/// the perturbation is shared.
pub fn gradients(recording: &mut Recording, f: Tensor, moments: Tensor, g: Tensor, shape: Shape) -> Tensor {
    let by_image = image_gradients(recording, f, moments, g, shape);
    if shape.per_image {
        return by_image;
    }
    let rows = reduce::Rows { groups: 1, rows: shape.n, length: 2 * shape.channels };
    reduce::sum(recording, by_image, rows, 1.0, None)
}

/// The norm \[D\] of a gradient [D, 2, C]; with `before` \[D\], the norm of other taps, the joint norm.
pub fn norm(recording: &mut Recording, gradient: Tensor, before: Option<Tensor>, shape: Shape) -> Tensor {
    let (params, deltas) = (shape.undivided(), shape.deltas());
    match before {
        Some(before) => recording.produce(&JOIN_NORM, &params, &[gradient, before], deltas, deltas),
        None => recording.produce(&NORM, &params, &[gradient], deltas, deltas),
    }
}

/// (dmu, dsigma) = r * gradient / norm: [D, 2, C]; 0 for a zero gradient.
pub fn perturbation(
    recording: &mut Recording,
    gradient: Tensor,
    norm: Tensor,
    step: Tensor,
    shape: Shape,
) -> Tensor {
    let len = shape.deltas() * 2 * shape.channels;
    recording.produce(&PERTURBATION, &shape.undivided(), &[gradient, norm, step], len, len)
}

/// f' = f + dmu + dsigma * fhat: [N, S, C].
pub fn perturb(recording: &mut Recording, f: Tensor, moments: Tensor, delta: Tensor, shape: Shape) -> Tensor {
    recording.produce(&PERTURB, &shape.undivided(), &[f, moments, delta], f.len, f.len / 4)
}

/// G = dL/df' -> dL/df, [N, S, C].
pub fn backward_input(
    recording: &mut Recording,
    f: Tensor,
    moments: Tensor,
    delta: Tensor,
    g: Tensor,
    shape: Shape,
) -> Tensor {
    let sums = if shape.through_statistics {
        image_gradients(recording, f, moments, g, shape)
    } else {
        // Bound but not read.
        moments
    };
    recording.produce(&BACKWARD_INPUT, &shape.undivided(), &[f, moments, delta, g, sums], f.len, f.len / 4)
}
