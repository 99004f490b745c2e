//! The threat model: which changes count, decided on whole bytes. A check such
//! as `|x' - x| <= eps` on n/255 in f32 is wrong for many levels, so distances
//! and projections of pictures are computed in integers; the float projection
//! serves attacks between their steps, never the judge's verdict.

use image::RgbImage;
use serde::{Deserialize, Serialize};

/// The norm that bounds a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Largest absolute change of a channel value.
    Linf,
    /// Euclidean length over all 3 * H * W values.
    L2,
}

/// A norm and a radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threat {
    /// The norm.
    pub norm: Norm,
    /// The radius in units of 1/255 (whole for Linf).
    pub eps_255: f64,
}

/// The radius is none.
#[derive(Debug, thiserror::Error)]
pub enum ThreatError {
    /// An Linf radius that 8-bit pictures do not have.
    #[error(
        "epsilon {0}/255 is not a whole number from 0 to 255; Linf is measured in whole steps of an 8-bit picture"
    )]
    Linf(f64),
    /// An L2 radius that is none.
    #[error("epsilon {0}/255 is no length; give a finite number of 0 or more")]
    L2(f64),
}

/// How far two 8-bit pictures are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Largest change of a value in 1/255.
    pub linf_255: u32,
    /// Sum of the squared changes, in (1/255)^2.
    pub squares_255: u64,
}

impl Distance {
    /// Between `clean` and `other`, which have the same size.
    pub fn between(clean: &RgbImage, other: &RgbImage) -> Self {
        assert_eq!(clean.dimensions(), other.dimensions(), "pictures of one size");
        let changes = clean.as_raw().iter().zip(other.as_raw()).map(|(a, b)| a.abs_diff(*b));
        changes.fold(Self { linf_255: 0, squares_255: 0 }, |distance, change| Self {
            linf_255: distance.linf_255.max(u32::from(change)),
            squares_255: distance.squares_255 + u64::from(change).pow(2),
        })
    }

    /// The Euclidean length, values in \[0, 1\].
    pub fn l2(self) -> f64 {
        (self.squares_255 as f64).sqrt() / 255.0
    }
}

impl Threat {
    /// A threat model with a radius that makes sense for its norm.
    ///
    /// # Errors
    /// An Linf radius that is no whole number of 1/255, an L2 radius below 0.
    pub fn new(norm: Norm, eps_255: f64) -> Result<Self, ThreatError> {
        let whole = eps_255.fract() == 0.0 && (0.0..=255.0).contains(&eps_255);
        match norm {
            Norm::Linf if !whole => Err(ThreatError::Linf(eps_255)),
            Norm::L2 if !(eps_255.is_finite() && eps_255 >= 0.0) => Err(ThreatError::L2(eps_255)),
            _ => Ok(Self { norm, eps_255 }),
        }
    }

    /// The radius with pixels in \[0, 1\].
    pub fn eps(&self) -> f32 {
        (self.eps_255 / 255.0) as f32
    }

    /// The Linf radius in levels of an 8-bit picture.
    pub fn levels(&self) -> u8 {
        self.eps_255.clamp(0.0, 255.0) as u8
    }

    /// Whether `distance` lies within the ball: exact, on integers.
    pub fn contains(&self, distance: Distance) -> bool {
        match self.norm {
            Norm::Linf => distance.linf_255 <= u32::from(self.levels()),
            Norm::L2 => distance.squares_255 as f64 <= self.eps_255 * self.eps_255,
        }
    }

    /// The 8-bit picture within the ball that stands for `values`
    /// (3 x res x res, meant in \[0, 1\]; a value that is no number means no change).
    ///
    /// Linf clamps each rounded byte. L2 shortens the change to the radius,
    /// rounds, and where rounding made it longer shortens it until it is within.
    pub fn round(&self, clean: &RgbImage, values: &[f32]) -> RgbImage {
        let changes = changes_255(clean, values);
        match self.norm {
            Norm::Linf => {
                let eps = f64::from(self.levels());
                scaled(clean, &changes, |change| change.round().clamp(-eps, eps))
            }
            Norm::L2 => self.round_l2(clean, &changes),
        }
    }

    fn round_l2(&self, clean: &RgbImage, changes: &[f64]) -> RgbImage {
        let length = changes.iter().map(|change| change * change).sum::<f64>().sqrt();
        let at = |scale: f64| scaled(clean, changes, |change| (scale * change).round());
        let within = |picture: &RgbImage| self.contains(Distance::between(clean, picture));
        let mut whole = if length > self.eps_255 { self.eps_255 / length } else { 1.0 };
        let picture = at(whole);
        if within(&picture) {
            return picture;
        }
        // Every rounded change grows with the scale, so the longest picture
        // within the ball is found by halving.
        let mut inside = (0.0, clean.clone());
        for _ in 0..24 {
            let middle = 0.5 * (inside.0 + whole);
            let picture = at(middle);
            if within(&picture) {
                inside = (middle, picture);
            } else {
                whole = middle;
            }
        }
        inside.1
    }

    /// Moves `values` (3 x res x res) into the ball around `clean` (the same
    /// shape, in \[0, 1\]) and into \[0, 1\], in floats: for use between an
    /// attack's steps and for the logit that rounding is compared with.
    pub fn clip(&self, clean: &[f32], values: &mut [f32]) {
        let eps = self.eps();
        match self.norm {
            Norm::Linf => {
                for (value, &centre) in values.iter_mut().zip(clean) {
                    *value = value.clamp((centre - eps).max(0.0), (centre + eps).min(1.0));
                }
            }
            Norm::L2 => {
                let length = length(clean, values);
                let scale = if length > f64::from(eps) { f64::from(eps) / length } else { 1.0 };
                for (value, &centre) in values.iter_mut().zip(clean) {
                    *value = (centre + (*value - centre) * scale as f32).clamp(0.0, 1.0);
                }
            }
        }
    }

    /// How far `values` lie outside the ball or outside \[0, 1\], in 1/255; 0
    /// inside, infinite where a value is no number.
    pub fn excess_255(&self, clean: &[f32], values: &[f32]) -> f64 {
        if values.iter().any(|value| !value.is_finite()) {
            return f64::INFINITY;
        }
        let outside = values.iter().map(|&value| f64::from((-value).max(value - 1.0)));
        let box_excess = outside.fold(0.0, f64::max) * 255.0;
        let distance = match self.norm {
            Norm::Linf => {
                let changes = values.iter().zip(clean);
                changes.map(|(&value, &centre)| f64::from((value - centre).abs())).fold(0.0, f64::max)
            }
            Norm::L2 => length(clean, values),
        };
        box_excess.max(distance * 255.0 - self.eps_255)
    }
}

/// The Euclidean distance of two tensors, summed in f64.
fn length(clean: &[f32], values: &[f32]) -> f64 {
    let squares = values.iter().zip(clean).map(|(&value, &centre)| f64::from(value - centre).powi(2));
    squares.sum::<f64>().sqrt()
}

/// The changes of `values` (planes) against `clean` (interleaved), in 1/255 and
/// in the order of `clean`'s bytes, after clamping to \[0, 255\].
fn changes_255(clean: &RgbImage, values: &[f32]) -> Vec<f64> {
    let bytes = clean.as_raw();
    assert_eq!(bytes.len(), values.len(), "a proposal has the picture's size");
    let plane = bytes.len() / 3;
    let change = |(index, &byte): (usize, &u8)| {
        let value = f64::from(values[index % 3 * plane + index / 3]) * 255.0;
        let value = if value.is_nan() { f64::from(byte) } else { value.clamp(0.0, 255.0) };
        value - f64::from(byte)
    };
    bytes.iter().enumerate().map(change).collect()
}

/// `clean` plus whole changes, kept within 0 to 255.
fn scaled(clean: &RgbImage, changes: &[f64], whole: impl Fn(f64) -> f64) -> RgbImage {
    let mut picture = clean.clone();
    for (byte, &change) in picture.iter_mut().zip(changes) {
        *byte = (f64::from(*byte) + whole(change)).clamp(0.0, 255.0) as u8;
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batch::Batch;
    use proptest::prelude::*;

    fn picture(bytes: Vec<u8>) -> RgbImage {
        let side = ((bytes.len() / 3) as f64).sqrt() as u32;
        RgbImage::from_raw(side, side, bytes).unwrap()
    }

    /// Pixels that move up and down by `eps` in f32, as an attack would.
    fn moved(clean: &RgbImage, eps: f32) -> Vec<f32> {
        let batch = Batch::of(clean.width() as usize, [clean]);
        let signs = [1.0, -1.0].into_iter().cycle();
        batch.values.iter().zip(signs).map(|(value, sign)| value + sign * eps).collect()
    }

    #[test]
    fn every_level_and_every_epsilon_stays_within_the_linf_ball() {
        // 16 x 16 pixels hold all 256 levels in each channel.
        let clean = picture((0..=255u8).flat_map(|level| [level; 3]).collect());
        for eps in 0..=255u8 {
            let threat = Threat::new(Norm::Linf, f64::from(eps)).unwrap();
            let rounded = threat.round(&clean, &moved(&clean, threat.eps()));
            let distance = Distance::between(&clean, &rounded);
            assert!(threat.contains(distance));
            assert_eq!(distance.linf_255, u32::from(eps), "the whole radius is used");
            let far = threat.round(&clean, &moved(&clean, 3.0));
            assert!(threat.contains(Distance::between(&clean, &far)));
        }
    }

    #[test]
    fn rounding_keeps_what_lies_on_the_grid() {
        let clean = picture((0..=255u8).flat_map(|level| [level; 3]).collect());
        let other = picture(clean.as_raw().iter().map(|byte| byte.saturating_add(8)).collect());
        let threat = Threat::new(Norm::Linf, 8.0).unwrap();
        assert_eq!(threat.round(&clean, &Batch::of(16, [&other]).values), other);
        let length = Distance::between(&clean, &other).l2() * 255.0;
        let threat = Threat::new(Norm::L2, length.ceil()).unwrap();
        assert_eq!(threat.round(&clean, &Batch::of(16, [&other]).values), other);
    }

    #[test]
    fn values_that_are_no_numbers_change_nothing() {
        let clean = picture(vec![7; 12]);
        let threat = Threat::new(Norm::Linf, 8.0).unwrap();
        assert_eq!(threat.round(&clean, &[f32::NAN; 12]), clean);
        assert_eq!(threat.excess_255(&[0.0], &[f32::NAN]), f64::INFINITY);
    }

    #[test]
    fn a_change_of_half_a_level_everywhere_cannot_double_by_rounding() {
        let clean = picture(vec![100; 3 * 64]);
        let threat = Threat::new(Norm::L2, 0.6 * (3.0f64 * 64.0).sqrt()).unwrap();
        let values = vec![100.6 / 255.0; 3 * 64];
        let rounded = threat.round(&clean, &values);
        assert!(threat.contains(Distance::between(&clean, &rounded)));
    }

    #[test]
    fn epsilons_that_are_none_are_refused() {
        for eps in [-1.0, 0.5, 256.0, f64::NAN] {
            assert!(Threat::new(Norm::Linf, eps).is_err(), "{eps}");
        }
        for eps in [-1.0, f64::INFINITY, f64::NAN] {
            assert!(Threat::new(Norm::L2, eps).is_err(), "{eps}");
        }
        assert!(Threat::new(Norm::L2, 127.5).is_ok());
    }

    proptest! {
        #[test]
        fn rounding_never_leaves_the_ball(
            bytes in prop::collection::vec(any::<u8>(), 3 * 16),
            values in prop::collection::vec(-1.0f32..2.0, 3 * 16),
            eps in 0u32..400,
        ) {
            let clean = picture(bytes);
            for norm in [Norm::Linf, Norm::L2] {
                let eps_255 = f64::from(if norm == Norm::Linf { eps.min(255) } else { eps });
                let threat = Threat::new(norm, eps_255).unwrap();
                let rounded = threat.round(&clean, &values);
                prop_assert!(threat.contains(Distance::between(&clean, &rounded)));
                let planes = Batch::of(4, [&clean]).values;
                let mut clipped = values.clone();
                threat.clip(&planes, &mut clipped);
                prop_assert!(threat.excess_255(&planes, &clipped) < 1e-3);
            }
        }

        #[test]
        fn l2_uses_the_radius_up_to_the_grid(
            values in prop::collection::vec(0.0f32..1.0, 3 * 64),
            eps in 100u32..300,
        ) {
            let clean = picture(vec![128; 3 * 64]);
            let threat = Threat::new(Norm::L2, f64::from(eps)).unwrap();
            let planes = Batch::of(8, [&clean]).values;
            prop_assume!(length(&planes, &values) * 255.0 > f64::from(eps));
            let distance = Distance::between(&clean, &threat.round(&clean, &values));
            let used = distance.l2() * 255.0;
            prop_assert!(used > f64::from(eps) - 0.5 * (3.0 * 64.0f64).sqrt());
        }
    }
}
