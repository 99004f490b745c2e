//! The mild changes that make source and target of a self-blended image differ: colour, and
//! either downscaling or sharpening.

use super::self_blend::SelfBlendSettings;
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One drawn change.
#[derive(Clone, Debug)]
pub(super) struct Retouch {
    /// Added to each channel, in 8-bit levels.
    shift: [f32; 3],
    /// Added to hue (in 2°), saturation and value, in whole levels.
    hue_saturation_value: [f32; 3],
    /// Factor and offset of each value.
    contrast: [f32; 2],
    sharpness: Sharpness,
}

#[derive(Clone, Copy, Debug)]
enum Sharpness {
    /// Shrunk by this factor and enlarged again.
    Downscaled(u32),
    /// The share and the brightness of the sharpened picture.
    Sharpened(f32, f32),
}

impl Retouch {
    pub fn draw(settings: &SelfBlendSettings, random: &mut ChaCha8Rng) -> Self {
        let mut around = |limit: f32| random.random_range(-limit..=limit);
        let shift = [(); 3].map(|()| around(settings.shift).round());
        let hue_saturation_value = [(); 3].map(|()| around(settings.hue_saturation_value).floor());
        let contrast = [1.0 + around(settings.contrast), 255.0 * around(settings.brightness)];
        let shifted = random.random_bool(settings.shift_chance);
        let mut between = |[low, high]: [f32; 2]| random.random_range(low..=high);
        let (sharpness, lightness) = (between(settings.sharpness), between(settings.lightness));
        let factor = settings.downscale[random.random_range(0..2)];
        let sharpness = if random.random_bool(0.5) {
            Sharpness::Downscaled(factor)
        } else {
            Sharpness::Sharpened(sharpness, lightness)
        };
        Self { shift: if shifted { shift } else { [0.0; 3] }, hue_saturation_value, contrast, sharpness }
    }

    /// The changed picture.
    pub fn apply(&self, picture: &RgbImage) -> RgbImage {
        let coloured = self.coloured(picture);
        match self.sharpness {
            Sharpness::Downscaled(factor) => downscaled(&coloured, factor),
            Sharpness::Sharpened(share, lightness) => sharpened(&coloured, share, lightness),
        }
    }

    fn coloured(&self, picture: &RgbImage) -> RgbImage {
        let mut out = picture.clone();
        let table = |value: &dyn Fn(f32) -> f32| -> [u8; 256] {
            std::array::from_fn(|level| value(level as f32).clamp(0.0, 255.0) as u8)
        };
        let shifts = self.shift.map(|shift| table(&|level| level + shift));
        let [gain, offset] = self.contrast;
        let contrast = table(&|level| gain * level + offset);
        let (pixels, _) = out.as_chunks_mut::<3>();
        if self.hue_saturation_value == [0.0; 3] {
            let tables = shifts.map(|shift| shift.map(|level| contrast[usize::from(level)]));
            for pixel in pixels {
                *pixel = std::array::from_fn(|c| tables[c][usize::from(pixel[c])]);
            }
            return out;
        }
        for pixel in pixels {
            let shifted: [u8; 3] = std::array::from_fn(|c| shifts[c][usize::from(pixel[c])]);
            let turned = turned(shifted, self.hue_saturation_value);
            *pixel = turned.map(|level| contrast[usize::from(level)]);
        }
        out
    }
}

/// `pixel` with shifted hue (in 2°), saturation and value (in 8-bit levels).
fn turned(pixel: [u8; 3], [hue, saturation, value]: [f32; 3]) -> [u8; 3] {
    let [red, green, blue] = pixel.map(f32::from);
    let most = red.max(green).max(blue);
    let span = most - red.min(green).min(blue);
    let share = if most == 0.0 { 0.0 } else { (span / most + saturation / 255.0).clamp(0.0, 1.0) };
    let bright = (most + value).clamp(0.0, 255.0);
    if hue == 0.0 {
        // Each channel keeps its relative position between the largest and the smallest.
        let stretch = if span == 0.0 { 0.0 } else { bright * share / span };
        return [red, green, blue].map(|channel| (bright - stretch * (most - channel) + 0.5) as u8);
    }
    let sector = if span == 0.0 {
        0.0
    } else if most == red {
        (green - blue) / span
    } else if most == green {
        2.0 + (blue - red) / span
    } else {
        4.0 + (red - green) / span
    };
    // 60° of hue are one sector, and 30 levels in OpenCV.
    let sector = sector + hue / 30.0;
    let sector = if sector < 0.0 {
        sector + 6.0
    } else if sector >= 6.0 {
        sector - 6.0
    } else {
        sector
    };
    let channel = |offset: f32| {
        let place = offset + sector;
        let place = if place >= 6.0 { place - 6.0 } else { place };
        let weight = place.min(4.0 - place).clamp(0.0, 1.0);
        (bright - bright * share * weight + 0.5) as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// Keeps every `factor`-th pixel and enlarges the result bilinearly.
fn downscaled(picture: &RgbImage, factor: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (few, rows) = ((width / factor).max(1), (height / factor).max(1));
    let (source, _) = picture.as_raw().as_chunks::<3>();
    let nearest = |at: u32, small: u32, large: u32| (at * large / small) as usize;
    let mut kept = Vec::with_capacity((few * rows) as usize);
    for y in 0..rows {
        let row = &source[nearest(y, rows, height) * width as usize..];
        kept.extend((0..few).map(|x| row[nearest(x, few, width)].map(f32::from)));
    }
    // The position of each pixel between two of the kept ones.
    let between = |large: u32, small: u32| -> Vec<(usize, usize, f32)> {
        let place = |at: u32| {
            let at = (at as f32 + 0.5) * small as f32 / large as f32 - 0.5;
            let at = at.clamp(0.0, (small - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(small as usize - 1), at - low as f32)
        };
        (0..large).map(place).collect()
    };
    let columns = between(width, few);
    let mut bytes = Vec::with_capacity(source.len() * 3);
    let mut line = vec![[0.0_f32; 3]; few as usize];
    for (above, below, share) in between(height, rows) {
        let (above, below) = (&kept[above * few as usize..], &kept[below * few as usize..]);
        for (x, value) in line.iter_mut().enumerate() {
            *value = std::array::from_fn(|c| above[x][c] + share * (below[x][c] - above[x][c]));
        }
        for &(left, right, share) in &columns {
            bytes.extend::<[u8; 3]>(std::array::from_fn(|c| {
                (line[left][c] + share * (line[right][c] - line[left][c]) + 0.5) as u8
            }));
        }
    }
    RgbImage::from_raw(width, height, bytes).expect("three bytes a pixel")
}

/// Mixes the picture with its convolution by the 3 x 3 kernel of -1 around 8 + `lightness`; the
/// border is repeated.
fn sharpened(picture: &RgbImage, share: f32, lightness: f32) -> RgbImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let stride = 3 * width;
    let raw = picture.as_raw();
    let mut bytes = vec![0; raw.len()];
    // The weight of the centre; the sum over the 3 x 3 neighbourhood subtracts one of it.
    let own = 1.0 - share + share * (9.0 + lightness);
    let mut sums = vec![0_u16; stride];
    for (y, row) in bytes.chunks_exact_mut(stride).enumerate() {
        let line = |y: usize| &raw[y * stride..][..stride];
        let [above, here, below] = [line(y.saturating_sub(1)), line(y), line((y + 1).min(height - 1))];
        for (sum, ((a, b), c)) in sums.iter_mut().zip(above.iter().zip(here).zip(below)) {
            *sum = u16::from(*a) + u16::from(*b) + u16::from(*c);
        }
        for (at, value) in row.iter_mut().enumerate() {
            let left = if at < 3 { at } else { at - 3 };
            let right = if at + 3 < stride { at + 3 } else { at };
            let around = f32::from(sums[left] + sums[at] + sums[right]);
            *value = (own * f32::from(here[at]) - share * around + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
    RgbImage::from_raw(picture.width(), picture.height(), bytes).expect("three bytes a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(4 * x) as u8, (3 * y) as u8, (x + y) as u8]))
    }

    #[test]
    fn flat_pictures_stay_flat_and_sizes_stay() {
        for (width, height) in [(1, 1), (2, 5), (17, 9), (64, 64)] {
            let flat = RgbImage::from_pixel(width, height, image::Rgb([90, 120, 60]));
            assert_eq!(downscaled(&flat, 4), flat);
            assert_eq!(sharpened(&flat, 0.4, 1.0), flat, "lightness 1 keeps the mean");
            let dark = sharpened(&flat, 0.5, 0.5);
            // 0.5 * 120 + 0.5 * 0.5 * 120.
            assert!(dark.pixels().all(|pixel| pixel[1] == 90), "{:?}", dark.get_pixel(0, 0));
        }
    }

    #[test]
    fn downscaling_blurs_and_sharpening_sharpens() {
        let rough = |picture: &RgbImage| -> i64 {
            let (pixels, width) = (picture.as_raw(), 3 * picture.width() as usize);
            let steps = pixels.iter().zip(&pixels[width..]).map(|(a, b)| i64::from(a.abs_diff(*b)));
            steps.sum()
        };
        let checks =
            RgbImage::from_fn(40, 40, |x, y| image::Rgb([100 + 40 * ((x / 3 + y / 3) % 2) as u8; 3]));
        let [two, four] = [2, 4].map(|factor| rough(&downscaled(&checks, factor)));
        assert!(rough(&checks) > two && two > 2 * four / 3, "{} {two} {four}", rough(&checks));
        assert!(rough(&sharpened(&checks, 0.5, 1.0)) > 3 * rough(&checks) / 2);
        let smooth = ramp(40, 40);
        assert!(rough(&downscaled(&smooth, 2)) > rough(&smooth) / 2);
    }

    #[test]
    fn half_a_picture_is_changed_like_the_entire_one() {
        let settings = SelfBlendSettings::default();
        let whole = ramp(60, 60);
        let part = image::imageops::crop_imm(&whole, 0, 0, 60, 40).to_image();
        for draw in 0..20 {
            let mut random = crate::random::stream(draw, &["retouch".into()]);
            let retouch = Retouch::draw(&settings, &mut random);
            let (whole, part) = (retouch.apply(&whole), retouch.apply(&part));
            for y in 0..34 {
                for x in 0..60 {
                    assert_eq!(whole.get_pixel(x, y), part.get_pixel(x, y), "{draw}: {x} {y}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_turn_changes_no_colour(red: u8, green: u8, blue: u8) {
            prop_assert_eq!(turned([red, green, blue], [0.0; 3]), [red, green, blue]);
            let whole = turned([red, green, blue], [180.0, 0.0, 0.0]);
            for (back, was) in whole.into_iter().zip([red, green, blue]) {
                prop_assert!(back.abs_diff(was) <= 1, "{:?}", whole);
            }
            // A third of the circle moves each channel to the next.
            let next = turned([red, green, blue], [60.0, 0.0, 0.0]);
            for (got, wanted) in next.into_iter().zip([blue, red, green]) {
                prop_assert!(got.abs_diff(wanted) <= 1, "{:?}", next);
            }
            let grey = turned([red, green, blue], [0.0, -255.0, 0.0]);
            prop_assert!(grey.iter().all(|value| *value == red.max(green).max(blue)));
        }
    }
}
