//! Dropout before the classifier: some features of an image are set to zero.

use super::mask;

/// One factor per feature, [N, C]: 0 or 1 / (1 - rate), drawn from the image's key and
/// the op's number, the element being the channel. There is one key per image.
pub fn factors(keys: &[u64], c: usize, op: u32, rate: f32) -> Vec<f64> {
    let mut factors = Vec::with_capacity(keys.len() * c);
    for &key in keys {
        for channel in 0..c {
            let element = u32::try_from(channel).expect("channels are counted in 32 bits");
            factors.push(mask::factor(key, op, element, rate));
        }
    }
    factors
}

/// x, factors [N, C] -> y [N, C].
pub fn forward(x: &[f64], factors: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), factors.len(), "x and factors are [N, C]");
    x.iter().zip(factors).map(|(x, f)| x * f).collect()
}

/// dy, factors [N, C] -> dx [N, C].
pub fn backward(dy: &[f64], factors: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), factors.len(), "dy and factors are [N, C]");
    dy.iter().zip(factors).map(|(dy, f)| dy * f).collect()
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn dropped_features_are_zero_and_others_grow() {
        let y = forward(&[1.0, 2.0, 3.0, 4.0], &[1.25, 0.0, 1.25, 0.0]);
        assert_close(&y, &[1.25, 0.0, 3.75, 0.0]);
    }

    #[test]
    fn a_mask_depends_on_image_op_and_channel_alone() {
        let both = factors(&[7, 8], 40, 2, 0.5);
        assert!(both.contains(&0.0) && both.contains(&2.0));
        assert_ne!(both[..40], both[40..]);
        assert_eq!(factors(&[8], 40, 2, 0.5), both[40..]);
        assert_ne!(factors(&[8], 40, 3, 0.5), both[40..]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        let factors = factors(&[1, 2, 3], 5, 0, 0.2);
        let (x, dy) = (values("x", 15), values("dy", 15));
        assert_gradient("dropout", &x, &backward(&dy, &factors), |x| dot(&forward(x, &factors), &dy));
    }
}
