//! Augmentation of training pictures. Every draw depends on (seed, epoch, sample) only, so that
//! baseline and regularised runs see the same pictures.

use dfrt_runtime::data::picture;
use dfrt_runtime::random;
use image::RgbImage;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;

/// Which augmentations are on. The paper uses none; mirror images are the default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Augmentation {
    /// Flip horizontally with probability 1/2.
    pub flip: bool,
    /// Crop a random window of a picture that is prepared 8/7 as large.
    pub crop: bool,
    /// Change brightness, contrast and saturation by up to this share; 0 for none.
    pub colour: f32,
    /// Compress as JPEG with this probability, at a quality from 50 to 95; 0 for never.
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

    /// Augments a picture of the prepared side to one of side `res`.
    pub fn apply<'a>(
        &self,
        prepared: &'a RgbImage,
        res: usize,
        seed: u64,
        epoch: usize,
        sample: usize,
    ) -> Augmented<'a> {
        let name = ["augment".into(), (epoch as u64).into(), (sample as u64).into()];
        let mut draws = random::stream(seed, &name);
        let mut augmented = Augmented::of(Cow::Borrowed(prepared));
        if self.crop {
            let margin = prepared.width() - res as u32;
            let (x, y) = (draws.random_range(0..=margin), draws.random_range(0..=margin));
            augmented = augmented.window(x as usize, y as usize, res);
        }
        augmented.mirrored = self.flip && draws.random();
        if self.colour > 0.0 {
            let mut picture = augmented.into_picture();
            shift_colours(&mut picture, self.colour, &mut draws);
            augmented = Augmented::of(Cow::Owned(picture));
        }
        if self.jpeg > 0.0 && draws.random_range(0.0..1.0f32) < self.jpeg {
            let quality = draws.random_range(50..=95);
            let bytes = picture::encode_jpeg(&augmented.into_picture(), quality);
            let picture = picture::decode(&bytes, Path::new("augmented picture"));
            augmented = Augmented::of(Cow::Owned(picture.expect("what was just encoded can be decoded")));
        }
        augmented
    }
}

/// An augmented picture: a window of a picture, flipped or not. Pixels are copied only when they
/// are packed into the batch.
#[derive(Clone, Debug)]
pub struct Augmented<'a> {
    picture: Cow<'a, RgbImage>,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    mirrored: bool,
}

impl<'a> Augmented<'a> {
    /// The complete picture, not flipped.
    pub fn of(picture: Cow<'a, RgbImage>) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { picture, left: 0, top: 0, width, height, mirrored: false }
    }

    fn window(self, left: usize, top: usize, side: usize) -> Self {
        Self { left, top, width: side, height: side, ..self }
    }

    /// The rows of the window from the top, three bytes per pixel, before flipping.
    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let stride = 3 * self.picture.width() as usize;
        let rows = self.picture.as_raw().chunks_exact(stride).skip(self.top).take(self.height);
        rows.map(|row| &row[3 * self.left..][..3 * self.width])
    }

    /// Writes the pixels in the form of the upload kernel, red in the lowest byte, to `pixels`
    /// [H, W].
    ///
    /// # Panics
    /// `pixels` has another length.
    pub fn pack_into(&self, pixels: &mut [u32]) {
        assert_eq!(pixels.len(), self.width * self.height, "a place for each pixel");
        for (row, packed) in self.rows().zip(pixels.chunks_exact_mut(self.width)) {
            pack(row, packed);
            if self.mirrored {
                packed.reverse();
            }
        }
    }

    /// Copies the pixels to a picture.
    pub fn into_picture(self) -> RgbImage {
        let mut bytes = self.rows().collect::<Vec<_>>().concat();
        if self.mirrored {
            let (pixels, _) = bytes.as_chunks_mut::<3>();
            pixels.chunks_exact_mut(self.width).for_each(<[_]>::reverse);
        }
        RgbImage::from_raw(self.width as u32, self.height as u32, bytes).expect("three bytes a pixel")
    }
}

/// Packs three bytes per pixel into one word per pixel, four pixels at a time.
fn pack(row: &[u8], packed: &mut [u32]) {
    let (fours, rest) = row.as_chunks::<12>();
    let (packed_fours, packed_rest) = packed.as_chunks_mut::<4>();
    for (bytes, pixels) in fours.iter().zip(packed_fours) {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (first, second, third) = (word(0), word(4), word(8));
        let low = 0x00ff_ffff;
        *pixels =
            [first & low, (first >> 24 | second << 8) & low, (second >> 16 | third << 16) & low, third >> 8];
    }
    for (rgb, pixel) in rest.chunks_exact(3).zip(packed_rest) {
        *pixel = u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]);
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
    use image::imageops;

    fn ramp(side: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 3) as u8, (y * 3) as u8, 90]))
    }

    fn picture(
        augment: Augmentation,
        prepared: &RgbImage,
        res: usize,
        epoch: usize,
        sample: usize,
    ) -> RgbImage {
        augment.apply(prepared, res, 1, epoch, sample).into_picture()
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_sample_only() {
        let all = Augmentation { flip: true, crop: true, colour: 0.3, jpeg: 1.0 };
        let prepared = ramp(all.prepared_side(56) as u32);
        let first = picture(all, &prepared, 56, 2, 3);
        assert_eq!(first.dimensions(), (56, 56));
        assert_eq!(first, picture(all, &prepared, 56, 2, 3));
        assert_ne!(first, picture(all, &prepared, 56, 2, 4));
        assert_ne!(first, picture(all, &prepared, 56, 3, 3));
        assert_ne!(first, all.apply(&prepared, 56, 2, 2, 3).into_picture());
    }

    #[test]
    fn none_changes_nothing() {
        let none = Augmentation { flip: false, ..Augmentation::default() };
        assert_eq!(picture(none, &ramp(32), 32, 0, 0), ramp(32));
    }

    #[test]
    fn half_are_mirrored() {
        let flip = Augmentation::default();
        let prepared = ramp(32);
        let mirrored = (0..400).filter(|&sample| picture(flip, &prepared, 32, 0, sample) != prepared).count();
        assert!((160..240).contains(&mirrored), "{mirrored}");
    }

    /// The same augmentation, each step as a separate picture.
    fn slowly(augment: &Augmentation, prepared: &RgbImage, res: u32, sample: usize) -> RgbImage {
        let name = ["augment".into(), 5_u64.into(), (sample as u64).into()];
        let mut draws = random::stream(9, &name);
        let mut picture = prepared.clone();
        if augment.crop {
            let margin = prepared.width() - res;
            let (x, y) = (draws.random_range(0..=margin), draws.random_range(0..=margin));
            picture = imageops::crop_imm(prepared, x, y, res, res).to_image();
        }
        if augment.flip && draws.random() {
            picture = imageops::flip_horizontal(&picture);
        }
        if augment.colour > 0.0 {
            shift_colours(&mut picture, augment.colour, &mut draws);
        }
        if augment.jpeg > 0.0 && draws.random_range(0.0..1.0f32) < augment.jpeg {
            let quality = draws.random_range(50..=95);
            picture = picture::decode(&picture::encode_jpeg(&picture, quality), Path::new("x")).unwrap();
        }
        picture
    }

    #[test]
    fn packed_pixels_are_those_of_the_slow_way() {
        // 45 is no multiple of the four pixels that are packed together.
        for (flip, crop, colour, jpeg, res) in
            [(true, false, 0.0, 0.0, 45), (true, true, 0.0, 0.0, 45), (true, true, 0.2, 0.5, 32)]
        {
            let augment = Augmentation { flip, crop, colour, jpeg };
            let side = augment.prepared_side(res) as u32;
            let prepared =
                RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
            for sample in 0..12 {
                let expected = slowly(&augment, &prepared, res as u32, sample);
                let augmented = augment.apply(&prepared, res, 9, 5, sample);
                let mut packed = vec![u32::MAX; res * res];
                augmented.pack_into(&mut packed);
                let words = expected.pixels().map(|&image::Rgb([r, g, b])| u32::from_le_bytes([r, g, b, 0]));
                assert!(words.eq(packed), "{augment:?}, sample {sample}");
                assert_eq!(augmented.into_picture(), expected, "{augment:?}, sample {sample}");
            }
        }
    }
}
