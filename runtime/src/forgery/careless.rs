//! Crude self-blending, for the demo set alone: wrong colours, narrow seams, mostly unchanged
//! surroundings, so that a small network learns to detect it within minutes. For the published
//! settings see `self_blend`.

use super::raster::{self, Raster};
use super::{FaceInPicture, ForgeError, blend, mask};
use crate::data::picture;
use crate::faces::face::Point;
use crate::faces::hull::hull;
use crate::forgery::noise::Field;
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// The largest shift of a channel, in 8-bit levels.
const SHIFT: f32 = 34.0;
/// The largest change of brightness, in 8-bit levels.
const BRIGHTNESS: f32 = 30.0;
/// The largest relative change of saturation and contrast.
const SATURATION: f32 = 0.5;
/// The narrowest and the widest soft border, as shares of the mask's shorter side.
const FEATHER: [f32; 2] = [0.02, 0.08];
/// The chance that the target is changed instead of the source.
const ON_TARGET: f64 = 0.15;
/// The shares of the source that may be blended in, drawn with equal chance.
const RATIOS: [f32; 4] = [0.5, 0.75, 1.0, 1.0];

/// Blends the face with itself: colour, sharpness and JPEG change on one of source and target,
/// the source moves and scales a little together with its mask, and the mask is the hull of the
/// landmarks or of a part of them, elastically deformed, soft at its border, of a random
/// strength.
///
/// # Errors
/// The landmarks enclose no face inside the picture.
pub fn careless_self_blend(face: FaceInPicture<'_>, random: &mut ChaCha8Rng) -> Result<RgbImage, ForgeError> {
    face.check()?;
    let original = Raster::of(face.picture);
    let (mut source, mut target) = (original.clone(), original);
    let changed = if random.random_bool(ON_TARGET) { &mut target } else { &mut source };
    *changed = retouched(changed, random);
    let motion = Motion::draw(&face, random);
    let source = source.warped(|place| motion.inverse(place));
    let mask = soft_mask(&face, &motion, random);
    Ok(blend::feather(&target, &source, &mask).rounded())
}

/// Shifts the colours and changes saturation and contrast; then softens, sharpens or compresses
/// as JPEG.
fn retouched(raster: &Raster, random: &mut ChaCha8Rng) -> Raster {
    let shift: [f32; 3] = std::array::from_fn(|_| random.random_range(-SHIFT..=SHIFT));
    let saturation = 1.0 + random.random_range(-SATURATION..=SATURATION);
    let contrast = random.random_range(0.9..1.1);
    let brightness = random.random_range(-BRIGHTNESS..=BRIGHTNESS);
    let mut out = raster.clone();
    for pixel in &mut out.pixels {
        let grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
        *pixel = std::array::from_fn(|c| {
            let coloured = grey + saturation * (pixel[c] - grey) + shift[c];
            ((coloured - 128.0) * contrast + 128.0 + brightness).clamp(0.0, 255.0)
        });
    }
    if random.random_bool(0.4) {
        let quality = random.random_range(30..=80);
        let bytes = picture::encode_jpeg(&out.rounded(), quality);
        let decoded = picture::decode(&bytes, Path::new("self-blended picture"));
        return Raster::of(&decoded.expect("a JPEG just encoded is whole"));
    }
    let sharpness = random.random_range(-0.9..0.8);
    let soft = out.softened();
    for (pixel, soft) in out.pixels.iter_mut().zip(soft.pixels) {
        *pixel = std::array::from_fn(|c| (pixel[c] + sharpness * (pixel[c] - soft[c])).clamp(0.0, 255.0));
    }
    out
}

/// A small shift and scaling around the face's centre.
struct Motion {
    middle: Point,
    shift: Point,
    scale: f32,
}

impl Motion {
    fn draw(face: &FaceInPicture<'_>, random: &mut ChaCha8Rng) -> Self {
        let outline = face.landmarks.outline_points();
        let size = mask::size(&outline);
        let count = outline.len() as f32;
        Self {
            middle: [0, 1].map(|axis| outline.iter().map(|point| point[axis]).sum::<f32>() / count),
            shift: [size * random.random_range(-0.05..0.05), size * random.random_range(-0.03..0.03)],
            scale: random.random_range(0.95..1.0 / 0.95),
        }
    }

    fn inverse(&self, place: Point) -> Point {
        [0, 1]
            .map(|axis| (place[axis] - self.middle[axis] - self.shift[axis]) / self.scale + self.middle[axis])
    }
}

fn soft_mask(face: &FaceInPicture<'_>, motion: &Motion, random: &mut ChaCha8Rng) -> Vec<f32> {
    let hull = hull(&chosen_part(face, random));
    let size = mask::size(&hull).max(1.0);
    let feather = size * random.random_range(FEATHER[0]..=FEATHER[1]);
    let bend = size * random.random_range(0.0..0.07);
    let waves = 3.0 / size;
    let fields: [Field; 2] = std::array::from_fn(|_| Field::new(random.random()));
    let ratio = RATIOS[random.random_range(0..RATIOS.len())];
    let share = |centre: Point| {
        let place = motion.inverse(centre);
        let bent =
            [0, 1].map(|axis| place[axis] + bend * fields[axis].cloud(waves * place[0], waves * place[1], 2));
        ratio * mask::feathered(&hull, bent, feather)
    };
    raster::centres(face.picture.width() as usize, face.picture.height() as usize).map(share).collect()
}

/// The points whose hull is the mask: mostly the entire face, else its lower or its upper part.
fn chosen_part(face: &FaceInPicture<'_>, random: &mut ChaCha8Rng) -> Vec<Point> {
    let outline = face.landmarks.outline_points();
    let mut heights: Vec<f32> = outline.iter().map(|point| point[1]).collect();
    heights.sort_by(f32::total_cmp);
    let at = |share: f32| heights[(share * (heights.len() - 1) as f32) as usize];
    let (low, high) = match random.random_range(0..4) {
        0 => (at(0.35), f32::MAX),
        1 => (f32::MIN, at(0.75)),
        _ => (f32::MIN, f32::MAX),
    };
    let part: Vec<Point> = outline.iter().copied().filter(|point| (low..=high).contains(&point[1])).collect();
    if part.len() >= 3 && mask::size(&part) >= 4.0 { part } else { outline }
}
