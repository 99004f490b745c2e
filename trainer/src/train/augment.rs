//! What is done to training pictures, each draw keyed by (seed, epoch, sample):
//! baseline and regularised runs see the same pictures.

use dfrt_runtime::data::picture;
use dfrt_runtime::random;
use image::{RgbImage, imageops};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which augmentations are on. The paper uses none; mirror images are the default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Augmentation {
    /// Left and right swapped in half of the cases.
    pub flip: bool,
    /// A random window out of a picture prepared 8/7 as large.
    pub crop: bool,
    /// Brightness, contrast and saturation changed by up to this share; 0 for none.
    pub colour: f32,
    /// JPEG-compressed with this probability, at a quality from 50 to 95; 0 for never.
    pub jpeg: f32,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { flip: true, crop: false, colour: 0.0, jpeg: 0.0 }
    }
}

impl Augmentation {
    /// The side at which pictures are prepared for a network of side `res`.
    pub fn prepared_side(&self, res: usize) -> usize {
        if self.crop { (res * 8).div_ceil(7) } else { res }
    }

    /// A picture of the prepared side -> the picture of side `res` that is trained on.
    pub fn apply(&self, prepared: &RgbImage, res: usize, seed: u64, epoch: usize, sample: usize) -> RgbImage {
        let name = ["augment".into(), (epoch as u64).into(), (sample as u64).into()];
        let mut draws = random::stream(seed, &name);
        let mut picture = if self.crop {
            let room = prepared.width() - res as u32;
            let (x, y) = (draws.random_range(0..=room), draws.random_range(0..=room));
            imageops::crop_imm(prepared, x, y, res as u32, res as u32).to_image()
        } else {
            prepared.clone()
        };
        if self.flip && draws.random() {
            imageops::flip_horizontal_in_place(&mut picture);
        }
        if self.colour > 0.0 {
            shift_colours(&mut picture, self.colour, &mut draws);
        }
        if self.jpeg > 0.0 && draws.random_range(0.0..1.0f32) < self.jpeg {
            let quality = draws.random_range(50..=95);
            let bytes = picture::encode_jpeg(&picture, quality);
            picture = picture::decode(&bytes, Path::new("augmented picture"))
                .expect("what was just encoded can be decoded");
        }
        picture
    }
}

/// Brightness, contrast about the mean, and saturation about the grey value, each
/// by a factor of 1 ± `share`.
fn shift_colours(picture: &mut RgbImage, share: f32, draws: &mut impl Rng) {
    let mut factor = || 1.0 + draws.random_range(-share..=share);
    let (brightness, contrast, saturation) = (factor(), factor(), factor());
    let luma = |rgb: [f32; 3]| 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    let total: f32 = picture.pixels().map(|pixel| luma(pixel.0.map(f32::from))).sum();
    let mean = total / (picture.width() * picture.height()) as f32;
    for pixel in picture.pixels_mut() {
        let rgb = pixel.0.map(f32::from);
        let grey = luma(rgb);
        pixel.0 = rgb.map(|value| {
            let saturated = grey + saturation * (value - grey);
            let contrasted = mean + contrast * (saturated - mean);
            (brightness * contrasted).round().clamp(0.0, 255.0) as u8
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(side: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 3) as u8, (y * 3) as u8, 90]))
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_sample_only() {
        let all = Augmentation { flip: true, crop: true, colour: 0.3, jpeg: 1.0 };
        let picture = ramp(all.prepared_side(56) as u32);
        let first = all.apply(&picture, 56, 1, 2, 3);
        assert_eq!(first.dimensions(), (56, 56));
        assert_eq!(first, all.apply(&picture, 56, 1, 2, 3));
        assert_ne!(first, all.apply(&picture, 56, 1, 2, 4));
        assert_ne!(first, all.apply(&picture, 56, 1, 3, 3));
    }

    #[test]
    fn none_changes_nothing() {
        let none = Augmentation { flip: false, ..Augmentation::default() };
        assert_eq!(none.apply(&ramp(32), 32, 0, 0, 0), ramp(32));
    }

    #[test]
    fn half_are_mirrored() {
        let flip = Augmentation::default();
        let picture = ramp(32);
        let mirrored = (0..400).filter(|&sample| flip.apply(&picture, 32, 0, 0, sample) != picture).count();
        assert!((160..240).contains(&mirrored), "{mirrored}");
    }
}
