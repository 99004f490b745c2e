//! Fits a patch's colours to its surroundings.

use super::raster::{Pixel, Raster};

/// Weighted mean and standard deviation of each channel.
#[derive(Debug)]
struct Statistics {
    mean: Pixel,
    deviation: Pixel,
}

impl Statistics {
    fn of(raster: &Raster, weights: &[f32]) -> Self {
        let total = weights.iter().map(|&weight| f64::from(weight)).sum::<f64>().max(1e-9);
        let average = |value: &dyn Fn(&Pixel) -> f64| {
            let pairs = raster.pixels.iter().zip(weights);
            pairs.map(|(pixel, &weight)| f64::from(weight) * value(pixel)).sum::<f64>() / total
        };
        let mean: [f64; 3] = std::array::from_fn(|c| average(&|pixel| pixel[c].into()));
        let deviation =
            std::array::from_fn(|c| average(&|pixel| (f64::from(pixel[c]) - mean[c]).powi(2)).sqrt() as f32);
        Self { mean: mean.map(|value| value as f32), deviation }
    }
}

/// Moves the mean and deviation of `patch`, weighted by `weights`, towards those of `target`:
/// fully at `strength` 1, not at all at 0. The deviation changes by at most the factor `gain`.
pub(super) fn fit(patch: &mut Raster, target: &Raster, weights: &[f32], strength: f32, gain: f32) {
    let (from, to) = (Statistics::of(patch, weights), Statistics::of(target, weights));
    for pixel in &mut patch.pixels {
        let fitted: Pixel = std::array::from_fn(|c| {
            let change = (to.deviation[c] / from.deviation[c].max(1e-3)).clamp(1.0 / gain, gain);
            (pixel[c] - from.mean[c]) * change + to.mean[c]
        });
        *pixel = std::array::from_fn(|c| pixel[c] + strength * (fitted[c] - pixel[c]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_colours_have_the_targets_statistics() {
        let raster = |scale: f32, offset: f32| Raster {
            width: 10,
            height: 10,
            pixels: (0..100).map(|i| [offset + scale * (i % 17) as f32; 3]).collect(),
        };
        let (mut patch, target) = (raster(3.0, 20.0), raster(4.0, 90.0));
        let weights: Vec<f32> = (0..100).map(|i| if i < 60 { 1.0 } else { 0.0 }).collect();
        fit(&mut patch, &target, &weights, 1.0, 2.0);
        let (got, wanted) = (Statistics::of(&patch, &weights), Statistics::of(&target, &weights));
        for c in 0..3 {
            assert!((got.mean[c] - wanted.mean[c]).abs() < 1e-3, "{got:?} {wanted:?}");
            assert!((got.deviation[c] - wanted.deviation[c]).abs() < 1e-3);
        }
    }
}
