//! Reads and decodes one picture, and measures all that the checks need of it.

use super::fingerprint::Fingerprint;
use super::header::{self, Header};
use super::statistics::Statistics;
use crate::data::picture::{self, PictureError};
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// The measurements of a picture: about 1.3 KiB, whatever its size.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The file's header; `None` for formats whose headers are not read.
    pub header: Option<Header>,
    /// Pixels across, as decoded.
    pub width: u32,
    /// Pixels down, as decoded.
    pub height: u32,
    /// Bytes of the file.
    pub bytes: usize,
    /// [`pixels_sha256`], if another picture has the same [`Inspection::pixel_key`].
    pub pixels: Option<[u8; 32]>,
    /// The statistics at the picture's own size.
    pub statistics: Statistics,
    /// The perceptual fingerprint.
    pub fingerprint: Fingerprint,
}

/// Reads, decodes and measures the picture `path`.
///
/// # Errors
/// Those of [`picture::open`].
pub fn inspect(path: &Path) -> Result<Inspection, PictureError> {
    let bytes = picture::read(path)?;
    let decoded = picture::decode(&bytes, path)?;
    Ok(Inspection {
        header: header::read(&bytes),
        width: decoded.width(),
        height: decoded.height(),
        bytes: bytes.len(),
        pixels: None,
        statistics: Statistics::of(&decoded),
        fingerprint: Fingerprint::of(&decoded),
    })
}

/// SHA-256 over width, height and the decoded 8-bit RGB values of the picture `path`.
///
/// # Errors
/// Those of [`picture::open`].
pub fn pixels_sha256(path: &Path) -> Result<[u8; 32], PictureError> {
    let decoded = picture::open(path)?;
    let mut pixels = Sha256::new();
    pixels.update(decoded.width().to_le_bytes());
    pixels.update(decoded.height().to_le_bytes());
    pixels.update(decoded.as_raw());
    Ok(pixels.finalize().into())
}

impl Inspection {
    /// A number that is equal for equal pixels, and rarely for different ones.
    pub fn pixel_key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.width, self.height).hash(&mut hasher);
        self.fingerprint.hash(&mut hasher);
        let Statistics { whole, frame, .. } = &self.statistics;
        for part in frame.iter().chain([whole]) {
            let of = [
                part.brightness,
                part.contrast,
                part.saturation,
                part.warmth,
                part.sharpness,
                part.blockiness,
            ];
            of.map(f32::to_bits).hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    #[test]
    fn equal_pixels_are_equal_whatever_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            (inspect(&path).unwrap(), pixels_sha256(&path).unwrap())
        };
        let picture = RgbImage::from_fn(20, 10, |x, y| Rgb([(x * 12) as u8, (y * 20) as u8, 9]));
        let (png, png_pixels) = save("a.png", &picture::encode_png(&picture));
        let mut bmp = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bmp, image::ImageFormat::Bmp).unwrap();
        let (bmp, bmp_pixels) = save("a.bmp", bmp.get_ref());
        assert_eq!((png.pixel_key(), png_pixels), (bmp.pixel_key(), bmp_pixels));
        assert_ne!(png.header.unwrap().format, bmp.header.unwrap().format);
        let turned = RgbImage::from_raw(10, 20, picture.into_raw()).unwrap();
        let (turned, turned_pixels) = save("b.png", &picture::encode_png(&turned));
        assert_ne!(png_pixels, turned_pixels, "the same values in another shape are another picture");
        assert_ne!(png.pixel_key(), turned.pixel_key());
        assert_eq!((turned.width, turned.height), (10, 20));
        assert!(inspect(&folder.path().join("absent.png")).is_err());
    }
}
