//! Blends a patch into a picture.

use super::raster::Raster;
use crate::forgery::noise::mix;

/// `patch` where `mask` is 1, `target` where it is 0, linearly mixed between.
pub(super) fn feather(target: &Raster, patch: &Raster, mask: &[f32]) -> Raster {
    let pairs = target.pixels.iter().zip(&patch.pixels).zip(mask);
    let pixels =
        pairs.map(|((under, over), &share)| std::array::from_fn(|c| mix(under[c], over[c], share))).collect();
    Raster { pixels, ..*target }
}
