//! The threat model: which changes count, decided on whole bytes. A check such
//! as `|x' - x| <= eps` on n/255 in f32 is wrong for many levels, so distances
//! and projections of pictures are computed in integers; the float projection
//! serves attacks between their steps, never the judge's verdict.

use crate::names::named;
use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The norm that bounds a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Largest absolute change of a channel value.
    Linf,
    /// Euclidean length over all 3 * H * W values.
    L2,
}

named!(Norm, "norm", [Linf = "linf", L2 = "l2"]);

/// A norm and a radius.
///
/// ```
/// use dfrt_runtime::threat::{Norm, Threat};
///
/// let eight = Threat::new(Norm::Linf, 8.0)?;
/// assert_eq!(eight.both_ways(), "8/255 (0.0314)");
/// assert_eq!(Threat::l2(0.5)?.radius(), "0.5");
/// // No 8-bit picture lies half a level away.
/// assert!(Threat::new(Norm::Linf, 7.5).is_err());
/// assert_eq!("l2".parse(), Ok(Norm::L2));
/// # Ok::<(), dfrt_runtime::threat::ThreatError>(())
/// ```
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
        "epsilon {0}/255 is not a whole number from 0 to 255; Linf is measured in whole steps of an 8-bit picture: \
        give 8 or 8/255"
    )]
    Linf(f64),
    /// An L2 radius that is none.
    #[error("an L2 epsilon of {0} is no length; give a finite number of 0 or more, such as 0.5 or 128/255")]
    L2(f64),
    /// An L2 ball that holds one 8-bit picture.
    #[error(
        "an L2 epsilon of {0} is below 1/255 (0.00392), the smallest change of an 8-bit picture, so that its ball \
        holds the clean picture alone; give a length of [0, 1] pixels such as 0.5, or one in 1/255 such as 128/255"
    )]
    Empty(f64),
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

/// The L2 radius that is usual at [`USUAL_RES`], and the least one that is taken for a
/// smaller picture: what ImageNet and CIFAR-10 are attacked with.
const USUAL_L2: (f64, f64) = (3.0, 0.5);
/// The side of ImageNet's pictures.
const USUAL_RES: f64 = 224.0;

impl Threat {
    /// A threat model with a radius that makes sense for its norm, in 1/255.
    ///
    /// # Errors
    /// An Linf radius that is no whole number of 1/255; an L2 radius below 0, or one
    /// above 0 that is shorter than the smallest change of an 8-bit picture.
    pub fn new(norm: Norm, eps_255: f64) -> Result<Self, ThreatError> {
        let whole = eps_255.fract() == 0.0 && (0.0..=255.0).contains(&eps_255);
        let plain = eps_255 / 255.0;
        match norm {
            Norm::Linf if !whole => Err(ThreatError::Linf(eps_255)),
            Norm::L2 if !(eps_255.is_finite() && eps_255 >= 0.0) => Err(ThreatError::L2(plain)),
            Norm::L2 if eps_255 > 0.0 && eps_255 < 1.0 => Err(ThreatError::Empty(plain)),
            _ => Ok(Self { norm, eps_255 }),
        }
    }

    /// An L2 ball of the radius `eps`, a length of pixels in \[0, 1\].
    ///
    /// # Errors
    /// As [`Threat::new`].
    pub fn l2(eps: f64) -> Result<Self, ThreatError> {
        // 128/255 and 0.7 in f64 times 255 are not always 128 and 178.5.
        Self::new(Norm::L2, (eps * 255.0 * 1e9).round() / 1e9)
    }

    /// The radius that is attacked where none is named, for pictures of `res` px: 8/255 in
    /// Linf; in L2 3 at 224 px and in proportion to the side, in quarters, at least 0.5.
    pub fn usual(norm: Norm, res: usize) -> Self {
        let (at_usual, least) = USUAL_L2;
        let scaled = (4.0 * at_usual * res as f64 / USUAL_RES).round() / 4.0;
        match norm {
            Norm::Linf => Self { norm, eps_255: 8.0 },
            Norm::L2 => Self { norm, eps_255: 255.0 * scaled.max(least) },
        }
    }

    /// The radius with pixels in \[0, 1\].
    pub fn plain(&self) -> f64 {
        self.eps_255 / 255.0
    }

    /// The radius as its norm is written: "8/255", or "0.5" in L2.
    pub fn radius(&self) -> String {
        match self.norm {
            Norm::Linf => format!("{}/255", self.eps_255),
            Norm::L2 => decimal(self.plain(), 6),
        }
    }

    /// The radius both ways: "8/255 (0.0314)", or "0.5 (127.5/255)" in L2.
    pub fn both_ways(&self) -> String {
        match self.norm {
            Norm::Linf => format!("{} ({})", self.radius(), decimal(self.plain(), 4)),
            Norm::L2 => format!("{} ({}/255)", self.radius(), decimal(self.eps_255, 2)),
        }
    }

    /// The radius in a file's name: "8", or "0.5" in L2.
    pub fn in_names(&self) -> String {
        match self.norm {
            Norm::Linf => self.eps_255.to_string(),
            Norm::L2 => self.radius(),
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

/// `value` with at most `digits` digits after the point, and none that are zero at the end.
fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
    fn epsilons_that_are_none_are_refused() {
        for eps in [-1.0, 0.5, 256.0, f64::NAN] {
            assert!(Threat::new(Norm::Linf, eps).is_err(), "{eps}");
        }
        for eps in [-1.0, f64::INFINITY, f64::NAN] {
            assert!(Threat::new(Norm::L2, eps).is_err(), "{eps}");
        }
        assert!(Threat::new(Norm::L2, 127.5).is_ok());
    }

    #[test]
    fn an_l2_ball_that_holds_the_clean_picture_alone_is_refused() {
        for eps_255 in [1e-9, 0.5, 0.999] {
            let text = Threat::new(Norm::L2, eps_255).unwrap_err().to_string();
            assert!(text.contains("below 1/255"), "{text}");
        }
        assert!(Threat::l2(0.0039).is_err());
        for radius in [Threat::new(Norm::L2, 1.0), Threat::l2(1.0 / 255.0), Threat::l2(0.0)] {
            assert!(radius.is_ok());
        }
    }

    #[test]
    fn a_radius_in_pixels_is_one_in_levels() {
        assert_eq!(Threat::l2(0.5).unwrap().eps_255, 127.5);
        assert_eq!(Threat::l2(3.0).unwrap().eps_255, 765.0);
        for levels in 1..2000 {
            let threat = Threat::l2(f64::from(levels) / 255.0).unwrap();
            assert_eq!(threat.eps_255, f64::from(levels), "a picture that far away is inside");
        }
        for tenths in 1..100 {
            let eps = f64::from(tenths) / 10.0;
            assert_eq!(Threat::l2(eps).unwrap().plain(), eps);
        }
    }

    #[test]
    fn radii_are_written_as_their_norm_is() {
        let linf = Threat::new(Norm::Linf, 8.0).unwrap();
        assert_eq!(
            (linf.radius(), linf.both_ways(), linf.in_names()),
            ("8/255".into(), "8/255 (0.0314)".into(), "8".into())
        );
        let l2 = |eps_255| Threat::new(Norm::L2, eps_255).unwrap();
        assert_eq!((l2(127.5).radius(), l2(127.5).both_ways()), ("0.5".into(), "0.5 (127.5/255)".into()));
        assert_eq!(
            (l2(128.0).in_names(), l2(128.0).both_ways()),
            ("0.501961".into(), "0.501961 (128/255)".into())
        );
        assert_eq!(l2(2550.0).radius(), "10");
    }

    #[test]
    fn usual_radii_grow_with_the_side_in_l2_alone() {
        assert!([32, 224].iter().all(|&res| Threat::usual(Norm::Linf, res).eps_255 == 8.0));
        let usual = [16, 32, 64, 112, 224, 299].map(|res| Threat::usual(Norm::L2, res).plain());
        assert_eq!(usual, [0.5, 0.5, 0.75, 1.5, 3.0, 4.0]);
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

    }
}
