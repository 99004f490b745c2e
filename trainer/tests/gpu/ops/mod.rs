//! Every op of the GPU against its f64 reference, over ragged shapes: odd sides,
//! one row over and under a tile, a chunk and a workgroup, one picture, one pixel.

mod activation;
mod adversarial;
mod batch_norm;
mod convolution;
mod copy;
mod cross_entropy;
mod depthwise;
mod divergence;
mod drop_path;
mod dropout;
mod feature_statistics;
mod folding;
mod input_slope;
mod linear;
mod mask;
mod moments;
mod optimizer;
mod perturbation;
mod pixels;
mod pointwise;
mod pool;
mod reduce;
mod residual;
mod sharpness;
mod squeeze_excite;
mod statistic_noise;

use libtest_mimic::Trial;

/// The cases of all ops.
pub fn trials() -> Vec<Trial> {
    [
        activation::trials(),
        adversarial::trials(),
        batch_norm::trials(),
        convolution::trials(),
        copy::trials(),
        cross_entropy::trials(),
        depthwise::trials(),
        divergence::trials(),
        drop_path::trials(),
        dropout::trials(),
        feature_statistics::trials(),
        folding::trials(),
        input_slope::trials(),
        linear::trials(),
        mask::trials(),
        moments::trials(),
        optimizer::trials(),
        perturbation::trials(),
        pixels::trials(),
        pointwise::trials(),
        pool::trials(),
        reduce::trials(),
        residual::trials(),
        sharpness::trials(),
        squeeze_excite::trials(),
        statistic_noise::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
