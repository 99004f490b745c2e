//! Self-blended images (Shiohara and Yamasaki, "Detecting deepfakes with self-blended images",
//! CVPR 2022): source and target are the same photograph, one of them slightly retouched, so that
//! only the traces of blending can be detected.

mod settings;

pub use settings::SelfBlendSettings;

use super::pixel_window::PixelWindow;
use super::plane::Between;
use super::retouch::Retouch;
use super::soft_mask::{MaskDraw, Motion, SoftMask};
use super::{FaceInPicture, ForgeError};
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;

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
