//! Decodes a picture's file into a detector's input, and encodes pictures. Faces and frames of
//! videos are handled elsewhere.

mod jpeg;

use super::resize::{self, Filter};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};
use jpeg::Layout;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The longest side accepted, in pixels.
pub const MAX_SIDE: u32 = 32_768;
/// The most memory that one decoded picture may take, in bytes: 89 megapixels of
/// 8-bit RGB. What a header declares is checked before anything is allocated.
pub const MAX_DECODED_BYTES: u64 = 256 << 20;
/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// The formats that are read, in words.
pub const KINDS: &str = "JPEG, PNG, BMP, WebP, GIF or TIFF";

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or is no picture that can be decoded.
    #[error("{}: not a readable picture: {reason}; re-export it as PNG or JPEG, or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The decoder's message.
        reason: String,
    },
    /// The file does not exist, is a folder, or may not be read.
    #[error("{}: cannot be opened: {reason}; check the path and its permissions", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file or the picture declared in its header is too large to decode safely.
    #[error("{}: refused: {size} is over the limit of {limit}; scale the picture down or crop it first", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in words.
        size: String,
        /// The limit in words.
        limit: String,
    },
    /// The requested resolution is 0.
    #[error("{}: cannot be resized to resolution 0; choose a resolution of 32 or more", path.display())]
    NoResolution {
        /// The file.
        path: PathBuf,
    },
}

/// Decodes `path`, takes the central square and resizes it to `res` x `res`
/// 8-bit RGB. This is the one preprocessing of training, evaluation, attacks
/// and the bench.
///
/// # Errors
/// Those of [`decode`]; the file cannot be opened, or `res` is 0.
pub fn load(path: &Path, res: usize) -> Result<RgbImage, PictureError> {
    Ok(Prepared::load(path, res)?.picture)
}

/// A picture as a detector's input, and its original size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// `res` x `res` 8-bit RGB.
    pub picture: RgbImage,
    /// Width of the file's picture in pixels.
    pub width: u32,
    /// Height of the file's picture in pixels.
    pub height: u32,
}

impl Prepared {
    /// Those of [`load`].
    ///
    /// # Errors
    /// Those of [`load`].
    pub fn load(path: &Path, res: usize) -> Result<Self, PictureError> {
        if res == 0 {
            return Err(PictureError::NoResolution { path: path.to_owned() });
        }
        let whole = open(path)?;
        let (width, height) = whole.dimensions();
        Ok(Self { picture: prepare(&whole, res), width, height })
    }
}

/// Decodes the file `path` at its own size.
///
/// # Errors
/// Those of [`decode`], or the file cannot be opened.
pub fn open(path: &Path) -> Result<RgbImage, PictureError> {
    decode(&read(path)?, path)
}

/// The bytes of the file `path`, picture or not.
///
/// # Errors
/// It cannot be opened, is no regular file, or is larger than [`MAX_FILE_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
    let inaccessible = |reason: String| PictureError::Inaccessible { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| inaccessible(error.to_string()))?;
    if metadata.is_dir() {
        return Err(inaccessible("it is a folder, not a picture".to_owned()));
    }
    if !metadata.is_file() {
        return Err(inaccessible("it is not a regular file".to_owned()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(PictureError::TooLarge {
            path: path.to_owned(),
            size: format!("a file of {} MiB", metadata.len() >> 20),
            limit: format!("{} MiB", MAX_FILE_BYTES >> 20),
        });
    }
    std::fs::read(path).map_err(|error| inaccessible(error.to_string()))
}

/// Decodes the bytes of a JPEG, PNG, BMP, WebP, GIF or TIFF file, whatever its name says;
/// of several pictures in one file, the first.
///
/// 16-bit values are rounded to 8 bits, grey becomes three equal channels,
/// transparency is composited over black, CMYK and YCCK JPEGs with Adobe's marker
/// become RGB, and the EXIF orientation is applied. Colour profiles are ignored. A
/// JPEG's pixels are those of libjpeg within rounding, whatever its sampling and scans.
///
/// # Errors
/// The bytes are empty, truncated, damaged or of another format; a JPEG has arithmetic coding,
/// other than 8 bits, a sampling ratio that is no integer or colours that its markers do not
/// define; a TIFF has floating-point numbers; the header declares more than [`MAX_SIDE`] or
/// [`MAX_DECODED_BYTES`]. `what` is the name in the error. Never panics, whatever the bytes.
pub fn decode(bytes: &[u8], what: &Path) -> Result<RgbImage, PictureError> {
    // A decoder of another crate may panic on a damaged file: the file is then unreadable, and a
    // long run continues.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(bytes, what)))
        .unwrap_or_else(|_| Err(unreadable(what, "its decoder failed on damaged data")))
}

fn unreadable(what: &Path, reason: impl Into<String>) -> PictureError {
    PictureError::Unreadable { path: what.to_owned(), reason: reason.into() }
}

fn decode_unguarded(bytes: &[u8], what: &Path) -> Result<RgbImage, PictureError> {
    if bytes.is_empty() {
        return Err(unreadable(what, "the file is empty"));
    }
    if bytes.starts_with(&[0xff, 0xd8]) {
        let failed = |reason: String| unreadable(what, one_line(&reason));
        let layout = Layout::read(bytes).map_err(failed)?;
        let (width, height) = layout.dimensions();
        check_size(what, width, height, 3 * u64::from(width) * u64::from(height))?;
        return Ok(upright(layout.decode().map_err(failed)?.into(), layout.orientation()));
    }
    let failed = |error: image::ImageError| unreadable(what, one_line(&error.to_string()));
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| unreadable(what, error.to_string()))?;
    if reader.format().is_none() {
        return Err(unreadable(what, format!("its content is no {KINDS}")));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(2 * MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(what, width, height, decoder.total_bytes())?;
    // Their range is not defined.
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(unreadable(what, "its pixels are floating-point numbers"));
    }
    let orientation = decoder.orientation().map_err(failed)?;
    Ok(upright(DynamicImage::from_decoder(decoder).map_err(failed)?, orientation))
}

fn check_size(what: &Path, width: u32, height: u32, bytes: u64) -> Result<(), PictureError> {
    if width > MAX_SIDE || height > MAX_SIDE || bytes > MAX_DECODED_BYTES {
        return Err(PictureError::TooLarge {
            path: what.to_owned(),
            size: format!("a picture of {width} x {height}"),
            limit: format!("{MAX_SIDE} pixels a side and {} MiB", MAX_DECODED_BYTES >> 20),
        });
    }
    if width == 0 || height == 0 {
        return Err(unreadable(what, "it has no pixels"));
    }
    Ok(())
}

fn upright(mut picture: DynamicImage, orientation: Orientation) -> RgbImage {
    picture.apply_orientation(orientation);
    without_alpha(picture)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_alpha(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        let over_black = |value: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
        image::Rgb([over_black(red), over_black(green), over_black(blue)])
    })
}

/// The central square of `picture`, resized to `res` x `res` by Catmull-Rom (bicubic, a = -1/2),
/// widened when shrinking to avoid aliasing. A picture that is already `res` x `res` is returned
/// bit-identical.
///
/// # Panics
/// `res` is 0 or the picture has no pixels.
pub fn prepare(picture: &RgbImage, res: usize) -> RgbImage {
    let (width, height) = picture.dimensions();
    let res = u32::try_from(res).expect("a resolution fits 32 bits");
    assert!(res > 0 && width > 0 && height > 0, "a picture has at least one pixel");
    if (width, height) == (res, res) {
        return picture.clone();
    }
    let side = width.min(height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    resize::part_resized(picture, [left, top, side, side], (res, res), Filter::CatmullRom)
}

/// Encodes `picture` as a PNG, 8-bit RGB, without loss.
///
/// # Panics
/// The picture has no pixels.
pub fn encode_png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(image::codecs::png::PngEncoder::new(&mut bytes))
        .expect("a picture with pixels fits a PNG in memory");
    bytes
}

/// Encodes `picture` as a baseline JPEG without chroma subsampling; `quality` 1 to 100 on
/// libjpeg's scale.
///
/// # Panics
/// The picture has no pixels or a side over 65,535.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .expect("a picture with pixels fits a JPEG in memory");
    bytes
}

#[cfg(test)]
mod tests;
