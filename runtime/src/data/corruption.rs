//! Corruptions of pictures without an adversary, in five levels, after ImageNet-C (Hendrycks and
//! Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
//! ICLR 2019), with its parameters where it has them.
//!
//! A corruption is applied to the detector's input, the res x res picture, so that a level means
//! the same for every photograph: a blur of 2 pixels is one of 2 input pixels.

use super::picture;
use super::resize::{Filter, resized};
use crate::random::{self, normal};
use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::str::FromStr;

/// A kind of corruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Corruption {
    /// JPEG of a low quality (libjpeg's scale, full chroma).
    Jpeg,
    /// Normal noise on every value; the parameter is its deviation, values in \[0, 1\].
    GaussianNoise,
    /// A Gaussian blur; the parameter is its deviation in pixels.
    GaussianBlur,
    /// Averaged down to the parameter's share of the side and enlarged again in blocks.
    Pixelate,
    /// Moved towards the mean colour; the parameter is the share of contrast that is left.
    Contrast,
    /// Shrunk to the parameter's share of the side and enlarged again, both bicubic. Not in
    /// ImageNet-C; the shares are dfrt's.
    Resize,
}

impl Corruption {
    /// All corruptions.
    pub const ALL: [Self; 6] =
        [Self::Jpeg, Self::GaussianNoise, Self::GaussianBlur, Self::Pixelate, Self::Contrast, Self::Resize];

    /// Levels of each corruption.
    pub const LEVELS: usize = 5;

    /// The name at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::GaussianNoise => "gaussian-noise",
            Self::GaussianBlur => "gaussian-blur",
            Self::Pixelate => "pixelate",
            Self::Contrast => "contrast",
            Self::Resize => "resize",
        }
    }

    /// The parameter of each level, the mildest first.
    pub fn parameters(self) -> [f64; Self::LEVELS] {
        match self {
            Self::Jpeg => [25.0, 18.0, 15.0, 10.0, 7.0],
            Self::GaussianNoise => [0.08, 0.12, 0.18, 0.26, 0.38],
            Self::GaussianBlur => [1.0, 2.0, 3.0, 4.0, 6.0],
            Self::Pixelate => [0.6, 0.5, 0.4, 0.3, 0.25],
            Self::Contrast => [0.4, 0.3, 0.2, 0.1, 0.05],
            Self::Resize => [0.75, 0.5, 0.35, 0.25, 0.15],
        }
    }

    /// `picture` at `level` (1 to 5). Noise is drawn from a stream keyed by `seed`, `id` and the
    /// level alone.
    ///
    /// # Panics
    /// The level is not 1 to 5, or the picture has no pixels.
    pub fn apply(self, picture: &RgbImage, level: usize, (seed, id): (u64, u64)) -> RgbImage {
        let parameter = self.parameters()[level - 1];
        match self {
            Self::Jpeg => jpeg(picture, parameter as u8),
            Self::GaussianNoise => {
                let key = [self.name().into(), id.into(), (level as u64).into()];
                let mut random = random::stream(seed, &key);
                changed(picture, |value, _| value + 255.0 * parameter * f64::from(normal(&mut random)))
            }
            Self::GaussianBlur => image::imageops::blur(picture, parameter as f32),
            Self::Pixelate => {
                let small = resized(picture, share(picture, parameter), Filter::Box);
                blocks(&small, picture.dimensions())
            }
            Self::Contrast => {
                let mean = mean_colour(picture);
                changed(picture, |value, channel| mean[channel] + parameter * (value - mean[channel]))
            }
            Self::Resize => {
                let filter = Filter::CatmullRom;
                let small = resized(picture, share(picture, parameter), filter);
                resized(&small, picture.dimensions(), filter)
            }
        }
    }
}

impl FromStr for Corruption {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|corruption| corruption.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("corruption {name:?} is unknown; choose one of {known}")
        })
    }
}

fn jpeg(picture: &RgbImage, quality: u8) -> RgbImage {
    let bytes = picture::encode_jpeg(picture, quality);
    picture::decode(&bytes, Path::new("JPEG of ours")).expect("what was just encoded can be decoded")
}

/// Applies `change` to every value and its channel, and rounds to a byte.
fn changed(picture: &RgbImage, mut change: impl FnMut(f64, usize) -> f64) -> RgbImage {
    let mut picture = picture.clone();
    for pixel in picture.pixels_mut() {
        for (channel, value) in pixel.0.iter_mut().enumerate() {
            *value = change(f64::from(*value), channel).round().clamp(0.0, 255.0) as u8;
        }
    }
    picture
}

fn mean_colour(picture: &RgbImage) -> [f64; 3] {
    let count = f64::from(picture.width()) * f64::from(picture.height());
    [0, 1, 2].map(|channel| picture.pixels().map(|pixel| f64::from(pixel[channel])).sum::<f64>() / count)
}

/// The picture's size times `share`, at least one pixel a side.
fn share(picture: &RgbImage, share: f64) -> (u32, u32) {
    let part = |side: u32| ((f64::from(side) * share).round() as u32).max(1);
    (part(picture.width()), part(picture.height()))
}

/// `small` enlarged to `width` x `height` by nearest neighbour.
fn blocks(small: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let over = |at: u32, small: u32, large: u32| (2 * at + 1) * small / (2 * large);
    RgbImage::from_fn(width, height, |x, y| {
        *small.get_pixel(over(x, small.width(), width), over(y, small.height(), height))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgery::synth::portrait::{Person, Shot, photograph};
    use crate::random::stream;

    fn picture() -> RgbImage {
        let who = Person::draw(&mut stream(2, &["person".into()]));
        let how = Shot::draw(&mut stream(2, &["shot".into()]));
        photograph(&who, &how, 48, &mut stream(2, &["noise".into()])).picture
    }

    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        let squares = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        (squares.sum::<f64>() / a.as_raw().len() as f64).sqrt()
    }

    #[test]
    fn levels_change_more_and_more_and_keep_the_size() {
        let picture = picture();
        for corruption in Corruption::ALL {
            let mut before = 1.0;
            for level in 1..=Corruption::LEVELS {
                let worse = corruption.apply(&picture, level, (0, 0));
                assert_eq!(worse.dimensions(), picture.dimensions());
                let changed = difference(&worse, &picture);
                // Edges that meet a block's can be hit better by the next larger one.
                assert!(changed > 0.9 * before, "{} {level}: {changed} after {before}", corruption.name());
                before = changed;
            }
            let mildest = difference(&corruption.apply(&picture, 1, (0, 0)), &picture);
            assert!(before > 1.2 * mildest, "{}: {mildest} to {before}", corruption.name());
        }
    }

    #[test]
    fn noise_has_its_deviation_and_its_own_draws() {
        let grey = RgbImage::from_pixel(64, 64, image::Rgb([128; 3]));
        let noisy = |id| Corruption::GaussianNoise.apply(&grey, 1, (0, id));
        assert!((difference(&noisy(0), &grey) / 255.0 - 0.08).abs() < 0.003);
        assert_eq!(noisy(0), noisy(0));
        assert_ne!(noisy(0), noisy(1));
        assert_ne!(noisy(0), Corruption::GaussianNoise.apply(&grey, 1, (1, 0)));
    }

    #[test]
    fn contrast_keeps_the_mean_and_pixels_come_in_blocks() {
        let picture = picture();
        let flat = Corruption::Contrast.apply(&picture, 5, (0, 0));
        for (a, b) in mean_colour(&picture).into_iter().zip(mean_colour(&flat)) {
            assert!((a - b).abs() < 0.5);
        }
        // At a quarter of 48 a block has 4 x 4 pixels, and their mean.
        let blocks = Corruption::Pixelate.apply(&picture, 5, (0, 0));
        let corner = |x, y| blocks.get_pixel(x / 4 * 4, y / 4 * 4);
        assert!((0..48).all(|x| (0..48).all(|y| blocks.get_pixel(x, y) == corner(x, y))));
        let green = (0..16).map(|at| f64::from(picture.get_pixel(20 + at % 4, 24 + at / 4)[1])).sum::<f64>();
        assert!((green / 16.0 - f64::from(corner(20, 24)[1])).abs() < 1.0);
    }

    #[test]
    fn every_name_is_understood() {
        assert!(Corruption::ALL.into_iter().all(|corruption| corruption.name().parse() == Ok(corruption)));
        assert!("fog".parse::<Corruption>().unwrap_err().contains("pixelate"));
    }
}
