//! Forgeries made from photographs and landmarks: [`swap()`] puts a donor's face into a target's
//! place, a [`SelfBlend`] blends a photograph with itself; [`set`] makes a data set of them, and
//! [`synth`] one of generated people. It does not find landmarks.

mod blend;
mod careless;
mod colour;
mod mask;
mod mesh;
mod noise;
pub mod photographs;
mod pixel_window;
mod plane;
mod poisson;
mod raster;
mod retouch;
mod self_blend;
pub mod set;
mod soft_mask;
mod swap;
pub mod synth;

pub(super) use careless::careless_self_blend;
pub use self_blend::{SelfBlend, SelfBlendSettings};
pub use swap::{Blend, SwapSettings, swap};

use crate::faces::face::Landmarks;
use image::RgbImage;

/// A picture with the landmarks of the face in it.
#[derive(Clone, Copy, Debug)]
pub struct FaceInPicture<'a> {
    /// The picture.
    pub picture: &'a RgbImage,
    /// The landmarks of its face.
    pub landmarks: &'a Landmarks,
}

/// Why a forgery cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ForgeError {
    /// Target and donor have different numbers of landmarks, so these come from different
    /// sources.
    #[error("the target has {target} landmarks and the donor {donor}; find both with the same detector")]
    LandmarkCounts {
        /// Number of the target's points.
        target: usize,
        /// Number of the donor's points.
        donor: usize,
    },
    /// The landmarks enclose no face inside the picture.
    #[error(
        "the landmarks enclose no area inside the picture ({reason}); find the face again or leave the picture out"
    )]
    NoFace {
        /// What is wrong with them.
        reason: &'static str,
    },
}

impl FaceInPicture<'_> {
    /// Checks whether a forgery can be made of it.
    ///
    /// # Errors
    /// The outline's bounding box has no area inside the picture.
    pub fn check(&self) -> Result<(), ForgeError> {
        let (width, height) = self.picture.dimensions();
        self.landmarks.check(width, height)
    }
}

impl Landmarks {
    /// Checks whether a forgery can be made of the face in a picture of `width` x `height`.
    ///
    /// # Errors
    /// The outline's bounding box has no area inside the picture.
    pub fn check(&self, width: u32, height: u32) -> Result<(), ForgeError> {
        let Self { points, outline } = self;
        if outline.len() < 3 || outline.iter().any(|&index| index >= points.len()) {
            return Err(ForgeError::NoFace { reason: "the outline needs three points or more" });
        }
        if points.iter().flatten().any(|value| !value.is_finite()) {
            return Err(ForgeError::NoFace { reason: "a point is not a number" });
        }
        let outline = self.outline_points();
        if mask::size(&outline) < 4.0 {
            return Err(ForgeError::NoFace { reason: "the face is under 4 pixels" });
        }
        let inside = |point: &[f32; 2]| {
            (0.0..width as f32).contains(&point[0]) && (0.0..height as f32).contains(&point[1])
        };
        if !outline.iter().any(inside) {
            return Err(ForgeError::NoFace { reason: "the outline is outside" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
