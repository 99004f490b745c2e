//! The face swap: mesh warp, colour match, soft mask.

use super::raster::{self, Raster};
use super::{FaceInPicture, ForgeError, blend, colour, mask, mesh, poisson};
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::str::FromStr;

/// How the donor's face is blended into the target's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blend {
    /// Poisson blending: the donor's gradients inside, the target's colours at the border.
    Poisson,
    /// Feathering: a soft border.
    Feather,
}

impl FromStr for Blend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "poisson" => Ok(Self::Poisson),
            "feather" => Ok(Self::Feather),
            _ => Err(format!("blend {name:?} is unknown; choose poisson or feather")),
        }
    }
}

/// The settings of a swap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwapSettings {
    /// How far the donor's colours are fitted to the target's: 0 not at all, 1 until mean and
    /// deviation inside the outline are equal.
    pub colour_match: f32,
    /// The largest factor by which this changes the donor's contrast, so that a beard or a
    /// reflection is not exaggerated.
    pub gain: f32,
    /// The width of the soft border inside the outline, as a fraction of the face's shorter side.
    pub feather: f32,
    /// How the face is blended in.
    pub blend: Blend,
}

impl Default for SwapSettings {
    fn default() -> Self {
        Self { colour_match: 1.0, gain: 1.25, feather: 0.12, blend: Blend::Poisson }
    }
}

/// Where the soft mask is above this, the gradients are the donor's.
const REGION: f32 = 0.02;
/// The largest difference at the border that is treated as one of light, in 8-bit levels.
const LIMIT: f32 = 60.0;

impl SwapSettings {
    /// Settings of a crude swap: colours partly fitted, narrow seams. A small network learns to
    /// detect it within minutes.
    pub fn crude(random: &mut ChaCha8Rng) -> Self {
        Self {
            colour_match: random.random_range(0.0..0.5),
            gain: 2.0,
            feather: random.random_range(0.02..0.07),
            blend: Blend::Feather,
        }
    }
}

/// The target's picture with the donor's face in it: the donor is warped, triangle by triangle,
/// so that its landmarks are on the target's; its colours are fitted, and it is blended in inside
/// the target's outline.
///
/// # Errors
/// The two have different numbers of landmarks, or the target's enclose no face inside its
/// picture.
pub fn swap(
    target: FaceInPicture<'_>,
    donor: FaceInPicture<'_>,
    settings: &SwapSettings,
) -> Result<RgbImage, ForgeError> {
    let counts = [&target, &donor].map(|face| face.landmarks.points.len());
    if counts[0] != counts[1] {
        return Err(ForgeError::LandmarkCounts { target: counts[0], donor: counts[1] });
    }
    target.check()?;
    donor.check()?;
    let under = Raster::of(target.picture);
    let mut patch =
        mesh::warp(&under, &target.landmarks.points, &Raster::of(donor.picture), &donor.landmarks.points);
    let outline = target.landmarks.outline_points();
    let feather = settings.feather * mask::size(&outline);
    let bounds = target.landmarks.bounds();
    let mask: Vec<f32> = raster::centres(under.width, under.height)
        .map(|centre| if bounds.holds(centre) { mask::feathered(&outline, centre, feather) } else { 0.0 })
        .collect();
    colour::fit(&mut patch, &under, &mask, settings.colour_match, settings.gain);
    if settings.blend == Blend::Poisson {
        let region: Vec<bool> = mask.iter().map(|&share| share > REGION).collect();
        patch = poisson::blend(&under, &patch, &region, LIMIT);
    }
    Ok(blend::feather(&under, &patch, &mask).rounded())
}
