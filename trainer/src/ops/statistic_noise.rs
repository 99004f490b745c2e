//! Random perturbations of a tap's statistics (`statistic_noise.wgsl`).

use super::feature_statistics::{EPS, Shape};
use super::{quads, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("statistic_noise.wgsl");

crate::parameters! { struct Params { n: u32, quads: u32, eps: f32 } }

static UNCERTAIN: Kernel =
    Kernel::new::<Params>(&SHADER, "uncertain", &[read("moments"), read("draws"), write("delta")]);
static MIXED: Kernel =
    Kernel::new::<Params>(&SHADER, "mixed", &[read("moments"), read("partners"), write("delta")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&UNCERTAIN, &MIXED];

fn params(shape: Shape) -> Params {
    Params { n: u(shape.n), quads: quads(shape.channels), eps: EPS }
}

/// DSU (Li et al. 2022): draws [N, 2, C] times the deviation, over the batch, of each channel's mean and
/// of its deviation -> (dmu, dsigma) [N, 2, C].
pub fn uncertain(recording: &mut Recording, moments: Tensor, draws: Tensor, shape: Shape) -> Tensor {
    let count = 2 * shape.channels / 4;
    recording.produce(&UNCERTAIN, &params(shape), &[moments, draws], moments.len, count)
}

/// MixStyle (Zhou et al. 2021): partners [N, 2] (a picture of the batch, its share) -> the way to the
/// mixed statistics (dmu, dsigma) [N, 2, C].
pub fn mixed(recording: &mut Recording, moments: Tensor, partners: Tensor, shape: Shape) -> Tensor {
    recording.produce(&MIXED, &params(shape), &[moments, partners], moments.len, moments.len / 4)
}
