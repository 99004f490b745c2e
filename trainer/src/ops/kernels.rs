//! Every kernel of every op.

use super::{
    activation, batch_norm, convolution, copy, cross_entropy, depthwise, drop_path, dropout,
    feature_statistics, linear, mask, moments, optimizer, perturbation, pixels, pointwise, pool, reduce,
    residual, squeeze_excite,
};
use crate::gpu::kernel::Kernel;

/// Every kernel, for the checks and for compiling ahead.
pub fn kernels() -> Vec<&'static Kernel> {
    [
        activation::KERNELS,
        batch_norm::KERNELS,
        convolution::KERNELS,
        copy::KERNELS,
        cross_entropy::KERNELS,
        depthwise::KERNELS,
        drop_path::KERNELS,
        dropout::KERNELS,
        feature_statistics::KERNELS,
        linear::KERNELS,
        mask::KERNELS,
        moments::KERNELS,
        optimizer::KERNELS,
        perturbation::KERNELS,
        pixels::KERNELS,
        pointwise::KERNELS,
        pool::KERNELS,
        reduce::KERNELS,
        residual::KERNELS,
        squeeze_excite::KERNELS,
    ]
    .concat()
}
