//! The maps of an explanation's pictures: Grad-CAM (Selvaraju et al. 2017) of the last features, and the
//! size of the input gradient (Simonyan et al. 2014).

use crate::model::graph::Extent;
use dfrt_runtime::report::explanation::images::Heat;

/// The share of pixels whose gradient is not cut in its map.
const UNCUT: f64 = 0.99;

/// Grad-CAM: the features [H, W, C], weighted by the mean over space of the gradient [H, W, C], summed
/// over channels, and cut at zero. `sign` is 1 for what speaks for a fake, -1 for what speaks for a
/// real picture. The map is zero where nothing speaks for it.
pub fn cam(features: &[f32], slopes: &[f32], extent: Extent, sign: f32) -> Heat {
    let Extent { h, w, c } = extent;
    assert!(features.len() == extent.len() && slopes.len() == extent.len(), "features are [H, W, C]");
    assert_eq!(h, w, "a map is square");
    let mut weights = vec![0.0_f32; c];
    for position in slopes.chunks(c) {
        weights.iter_mut().zip(position).for_each(|(weight, slope)| *weight += sign * slope / (h * w) as f32);
    }
    let value = |position: &[f32]| {
        let sum: f32 = position.iter().zip(&weights).map(|(feature, weight)| feature * weight).sum();
        sum.max(0.0)
    };
    Heat::of(h, &features.chunks(c).map(value).collect::<Vec<_>>(), 1.0)
}

/// The size of an input gradient, 3 x res x res: the largest of the three channels, cut at its 99 %
/// quantile.
pub fn gradient(slopes: &[f32], res: usize) -> Heat {
    assert_eq!(slopes.len(), 3 * res * res, "a gradient is [3, H, W]");
    let area = res * res;
    let size = |at: usize| (0..3).map(|channel| slopes[channel * area + at].abs()).fold(0.0, f32::max);
    Heat::of(res, &(0..area).map(size).collect::<Vec<_>>(), UNCUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_shows_where_a_weighted_feature_is() {
        // Two channels over 2 x 2: the first speaks for a fake with 1, the second against it with 2.
        let features = [1.0, 0.0, 3.0, 1.0, 0.0, 0.0, 2.0, 5.0];
        let slopes = [4.0, -8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let extent = Extent { h: 2, w: 2, c: 2 };
        assert_eq!(cam(&features, &slopes, extent, 1.0).values, [1.0, 1.0, 0.0, 0.0]);
        // For a real picture the sums are -1, -1, 0, 8.
        assert_eq!(cam(&features, &slopes, extent, -1.0).values, [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(cam(&features, &[0.0; 8], extent, 1.0).values, [0.0; 4]);
    }

    #[test]
    fn a_gradient_s_size_is_that_of_its_largest_channel() {
        let slopes = [1.0, 0.0, 0.0, 0.0, -2.0, 0.0, 1.0, 0.0, 0.0, 0.0, -4.0, 0.0];
        assert_eq!(gradient(&slopes, 2).values, [0.5, 0.0, 1.0, 0.0]);
    }
}
