//! Self-blended images (Shiohara and Yamasaki, "Detecting deepfakes with self-blended images",
//! CVPR 2022): source and target are the same photograph, one of them slightly retouched, so that
//! only the traces of blending can be detected.

use super::plane::Between;
use super::retouch::Retouch;
use super::soft_mask::{MaskDraw, Motion, SoftMask};
use super::{FaceInPicture, ForgeError};
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;

/// How strongly a photograph is changed before it is blended with itself. The defaults are those
/// of the authors' public code (`mapooon/SelfBlendedImages`, `src/utils/sbi.py` and `blend.py`);
/// of these the paper gives only the ratios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfBlendSettings {
    /// The largest shift of a channel, in 8-bit levels: 20.
    pub shift: f32,
    /// The probability that the channels are shifted: 0.3.
    pub shift_chance: f64,
    /// The largest shift of hue (in 2°), saturation and value (in 8-bit levels): 0.3 each. They
    /// are rounded down to integers, as in the public code's tables of 8-bit values, so the shift
    /// is one level down or none.
    pub hue_saturation_value: f32,
    /// The largest change of brightness, as a share of white: 0.1.
    pub brightness: f32,
    /// The largest relative change of contrast, about black: 0.1.
    pub contrast: f32,
    /// The factor by which the picture is shrunk before it is enlarged again, with equal
    /// probability: 2 or 4. In the other half of the cases it is sharpened.
    pub downscale: [u32; 2],
    /// The share of the sharpened picture: 0.2 to 0.5.
    pub sharpness: [f32; 2],
    /// The brightness of the sharpened picture: 0.5 to 1.
    pub lightness: [f32; 2],
    /// The probability that the target is retouched instead of the source: 0.5. Everything around
    /// the face is then changed, so the network must be trained on [`SelfBlend::real`] as its
    /// real counterpart.
    pub on_target: f64,
    /// The largest shift of the source, in widths and heights of the face: 0.06 and 0.036. The
    /// published values are 3 % and 1.5 % of a crop that is 2 faces wide and 2.4 high.
    pub motion: [f32; 2],
    /// The smallest scale of the source along either axis, and the inverse of the largest:
    /// 0.95.
    pub scale: f32,
    /// How far the mask is deformed: 50 times a noise of deviation 7 cells, 1.2 cells on average
    /// (a crop has 192 to 256).
    pub bend: f32,
    /// The shares of the source that may be blended in, with equal probability: 0.25, 0.5, 0.75
    /// and three times 1.
    pub ratios: [f32; 6],
}

impl Default for SelfBlendSettings {
    fn default() -> Self {
        Self {
            shift: 20.0,
            shift_chance: 0.3,
            hue_saturation_value: 0.3,
            brightness: 0.1,
            contrast: 0.1,
            downscale: [2, 4],
            sharpness: [0.2, 0.5],
            lightness: [0.5, 1.0],
            on_target: 0.5,
            motion: [0.06, 0.036],
            scale: 0.95,
            bend: 50.0,
            ratios: [0.25, 0.5, 0.75, 1.0, 1.0, 1.0],
        }
    }
}

impl SelfBlendSettings {
    /// The defaults, but only the source is retouched: for data sets whose real photographs are
    /// not changed.
    pub fn source_only() -> Self {
        Self { on_target: 0.0, ..Self::default() }
    }
}

/// All random choices for one self-blended image. They do not depend on pixels and are the same
/// for the fake and its real counterpart.
#[derive(Clone, Debug)]
pub struct SelfBlend {
    retouch: Retouch,
    on_target: bool,
    mask: MaskDraw,
}

impl SelfBlend {
    /// Draws the random choices.
    pub fn draw(settings: &SelfBlendSettings, random: &mut ChaCha8Rng) -> Self {
        Self {
            on_target: random.random_bool(settings.on_target),
            retouch: Retouch::draw(settings, random),
            mask: MaskDraw::draw(settings, random),
        }
    }

    /// The share of the source where the mask is 1.
    pub fn ratio(&self) -> f32 {
        self.mask.ratio
    }

    /// The target: the real counterpart of [`SelfBlend::fake`], equal to it outside the mask.
    pub fn real<'a>(&self, picture: &'a RgbImage) -> Cow<'a, RgbImage> {
        if self.on_target { Cow::Owned(self.retouch.apply(picture)) } else { Cow::Borrowed(picture) }
    }

    /// Source and target blended: the source moves and scales a little together with its mask,
    /// and the mask is the hull of the landmarks or of a part of them, deformed, soft at its
    /// border, of the drawn strength.
    ///
    /// # Errors
    /// The landmarks enclose no face inside the picture.
    pub fn fake(&self, face: FaceInPicture<'_>) -> Result<RgbImage, ForgeError> {
        face.check()?;
        let mask = SoftMask::of(face.landmarks, &self.mask);
        let mut out = self.real(face.picture).into_owned();
        let Some(window) = mask.window(face.picture.dimensions()) else { return Ok(out) };
        // The source is needed under the mask, and around it as far as it moves.
        let reach = self.mask.motion.reach(face.landmarks) + 2;
        let source = if self.on_target {
            Patch::of(face.picture, window.grown(reach, face.picture.dimensions()))
        } else {
            // Aligned to blocks of the coarsest downscaling.
            let place = window.grown(reach + 8, face.picture.dimensions()).aligned(4);
            let cut = Patch::of(face.picture, place);
            Patch { pixels: self.retouch.apply(&cut.pixels), ..cut }
        };
        let motion = self.mask.motion.about(face.landmarks);
        let columns = mask.columns(window.left, window.right);
        let under = source.columns(&motion, window.left, window.right);
        let (mut shares, stride) = (Vec::new(), out.width() as usize);
        let (pixels, _) = out.as_chunks_mut::<3>();
        for y in window.top..window.bottom {
            mask.row(y, &mut shares);
            let rows = source.rows(&motion, y);
            let row = &mut pixels[y as usize * stride..][window.left as usize..window.right as usize];
            for ((pixel, column), under) in row.iter_mut().zip(&columns).zip(&under) {
                let share = column.read(&shares);
                if share > 0.0 {
                    let over = rows.read(*under);
                    *pixel = std::array::from_fn(|c| {
                        let value = f32::from(pixel[c]);
                        (value + share * (over[c] - value) + 0.5) as u8
                    });
                }
            }
        }
        Ok(out)
    }
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelWindow {
    pub left: u32,
    pub top: u32,
    pub right: u32,
    pub bottom: u32,
}

impl PixelWindow {
    fn grown(self, by: u32, (width, height): (u32, u32)) -> Self {
        Self {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(width),
            bottom: (self.bottom + by).min(height),
        }
    }

    fn aligned(self, to: u32) -> Self {
        Self { left: self.left / to * to, top: self.top / to * to, ..self }
    }
}

/// A part of a picture.
struct Patch {
    pixels: RgbImage,
    left: f32,
    top: f32,
}

impl Patch {
    fn of(picture: &RgbImage, window: PixelWindow) -> Self {
        let (width, height) = (window.right - window.left, window.bottom - window.top);
        let pixels = image::imageops::crop_imm(picture, window.left, window.top, width, height).to_image();
        Self { pixels, left: window.left as f32, top: window.top as f32 }
    }

    /// The source positions of the pixels from `left` to `right` in a row.
    fn columns(&self, motion: &Motion, left: u32, right: u32) -> Vec<Between> {
        let count = self.pixels.width() as usize;
        let place = |x: u32| motion.inverse([x as f32 + 0.5, 0.0])[0] - self.left;
        (left..right).map(|x| Between::of(place(x), count)).collect()
    }

    /// The two source rows of row `y`.
    fn rows(&self, motion: &Motion, y: u32) -> Rows<'_> {
        let place = motion.inverse([0.0, y as f32 + 0.5])[1] - self.top;
        let between = Between::of(place, self.pixels.height() as usize);
        let (pixels, _) = self.pixels.as_raw().as_chunks::<3>();
        let width = self.pixels.width() as usize;
        let row = |index: usize| &pixels[index * width..][..width];
        Rows { above: row(between.first), below: row(between.second), share: between.share }
    }
}

/// Two rows of pixels.
struct Rows<'a> {
    above: &'a [[u8; 3]],
    below: &'a [[u8; 3]],
    share: f32,
}

impl Rows<'_> {
    /// The colour between the rows, bilinear.
    fn read(&self, at: Between) -> [f32; 3] {
        let mixed = |row: &[[u8; 3]], c: usize| {
            let (from, to) = (f32::from(row[at.first][c]), f32::from(row[at.second][c]));
            from + at.share * (to - from)
        };
        std::array::from_fn(|c| {
            let (above, below) = (mixed(self.above, c), mixed(self.below, c));
            above + self.share * (below - above)
        })
    }
}
