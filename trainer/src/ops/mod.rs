//! One op a file, its stem that of its shader in `wgsl/` and of its f64 version
//! in `reference/`. A function appends dispatches to a recording and returns the
//! tensors they make. N: batch; H, W or S = H*W: space; C: channels, innermost.

pub mod activation;
pub mod batch_norm;
pub mod convolution;
pub mod copy;
pub mod cross_entropy;
pub mod depthwise;
pub mod drop_path;
pub mod dropout;
pub mod feature_statistics;
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
pub mod squeeze_excite;
pub mod step;

pub use kernels::kernels;

use crate::gpu::kernel::{Slot, read, write};

/// How rows are shared out among invocations that each sum a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Rows of a chunk; the last may have fewer, none is empty.
    pub rows: usize,
    /// Number of chunks.
    pub count: usize,
}

impl Chunks {
    /// For kernels that do not share rows out.
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

/// Quads of 4 values in so many channels.
pub(crate) fn quads(channels: usize) -> u32 {
    assert!(channels.is_multiple_of(4), "channels come in fours");
    u(channels / 4)
}

/// A size as the shaders take it.
pub(crate) fn u(size: usize) -> u32 {
    u32::try_from(size).expect("sizes fit 32 bits: the largest tensor is bound by the device")
}
