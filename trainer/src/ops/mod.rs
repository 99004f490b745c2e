//! The ops, one per file; its shader in `wgsl/` and its f64 version in `reference/` have the same
//! name. A function appends dispatches to a recording and returns the tensors that they compute.
//! Where a tensor is given for a result, the result is written there. N: batch; H, W or S = H*W: space; C: channels, innermost.

pub mod activation;
pub mod adversarial;
pub mod batch_norm;
pub mod convolution;
pub mod copy;
pub mod cross_entropy;
pub mod depthwise;
pub mod divergence;
pub mod drop_path;
pub mod dropout;
pub mod feature_statistics;
pub mod folding;
pub mod input_slope;
mod kernels;
pub mod linear;
pub mod mask;
pub mod moments;
pub mod optimizer;
pub mod perturbation;
pub mod pixels;
pub mod pointwise;
pub mod pool;
pub mod reduce;
pub mod residual;
pub mod sharpness;
pub mod squeeze_excite;
pub mod statistic_noise;
pub mod step;

pub use kernels::kernels;

use crate::gpu::kernel::{Slot, read, write};

/// How rows are divided into chunks, each of which one invocation sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Rows of a chunk; the last may have fewer, but no chunk is empty.
    pub rows: usize,
    /// Number of chunks.
    pub count: usize,
}

impl Chunks {
    /// A single chunk, for kernels that do not divide rows.
    pub const NONE: Self = Self { rows: 1, count: 1 };

    /// At most `most` chunks of at least `least` rows.
    pub fn of(rows: usize, most: usize, least: usize) -> Self {
        let size = rows.div_ceil(most).max(least).max(1);
        Self { rows: size, count: rows.div_ceil(size).max(1) }
    }
}

/// Bindings of a convolution …
pub(crate) const CONVOLUTION: &[Slot] = &[read("x"), read("weight"), write("y")];
/// … and of one that a batch-norm is folded into ([`activation::Folded`]).
pub(crate) const FOLDED_CONVOLUTION: &[Slot] = &[read("x"), read("weight"), write("y"), read("affine")];

/// The number of quads of 4 values in `channels`.
pub(crate) fn quads(channels: usize) -> u32 {
    assert!(channels.is_multiple_of(4), "channels come in fours");
    u(channels / 4)
}

/// A size as the shaders take it.
pub(crate) fn u(size: usize) -> u32 {
    u32::try_from(size).expect("sizes fit 32 bits: the largest tensor is bound by the device")
}
