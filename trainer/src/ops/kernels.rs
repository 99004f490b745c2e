//! Every kernel of every op.

use super::{
    activation, adversarial, batch_norm, convolution, copy, cross_entropy, depthwise, divergence, drop_path,
    dropout, feature_statistics, folding, input_slope, linear, mask, moments, optimizer, perturbation,
    pixels, pointwise, pool, reduce, residual, sharpness, squeeze_excite, statistic_noise,
};
use crate::gpu::kernel::Kernel;

/// Every kernel, for the checks and for compiling ahead.
pub fn kernels() -> Vec<&'static Kernel> {
    [
        activation::KERNELS,
        adversarial::KERNELS,
        batch_norm::KERNELS,
        convolution::KERNELS,
        copy::KERNELS,
        cross_entropy::KERNELS,
        depthwise::KERNELS,
        divergence::KERNELS,
        drop_path::KERNELS,
        dropout::KERNELS,
        feature_statistics::KERNELS,
        folding::KERNELS,
        input_slope::KERNELS,
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
        sharpness::KERNELS,
        squeeze_excite::KERNELS,
        statistic_noise::KERNELS,
    ]
    .concat()
}
