//! A picture to attack, and its values and margin as every search takes them.

use crate::data::batch::Batch;
use crate::sample::Label;
use image::RgbImage;

/// A picture to attack.
#[derive(Clone, Debug)]
pub struct Target {
    /// Keys the random draws: the picture's place in the manifest's split.
    pub id: u64,
    /// Its true label.
    pub label: Label,
    /// The clean picture, res x res.
    pub picture: RgbImage,
}

/// The values of `picture` as an oracle sees them, 3 x res x res.
pub(super) fn planes(picture: &RgbImage) -> Vec<f32> {
    Batch::of(picture.width() as usize, [picture]).values
}

/// How far a logit lies on the right side of the threshold: the loss that
/// score-based attacks lower. Negative once the picture has crossed.
pub(super) fn margin(logit: f32, label: Label, threshold: f32) -> f32 {
    label.sign() * (logit - threshold)
}
