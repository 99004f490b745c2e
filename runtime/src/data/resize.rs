//! Pictures in other sizes. Calls name the pixel's type: the crate would otherwise be compiled for all of its
//! types, which are half of the code of this one.

pub use fast_image_resize::FilterType as Filter;
use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::{GrayImage, RgbImage};

/// A rectangle: left, top, width, height in pixels.
pub type Rectangle = [u32; 4];

/// `picture` in `size`, by `filter`, which is widened when shrinking to avoid aliasing.
///
/// # Panics
/// The picture has no pixels.
pub fn resized(picture: &RgbImage, size: (u32, u32), filter: Filter) -> RgbImage {
    let (width, height) = picture.dimensions();
    part_resized(picture, [0, 0, width, height], size, filter)
}

/// The `part` of `picture` in `size`. The filter does not see beyond the part.
///
/// # Panics
/// The part has no pixels, or reaches beyond the picture.
pub fn part_resized(picture: &RgbImage, part: Rectangle, size: (u32, u32), filter: Filter) -> RgbImage {
    let pixels = typed::<U8x3>(picture.as_raw(), picture.dimensions(), part, size, filter);
    RgbImage::from_raw(size.0, size.1, pixels).expect("three bytes a pixel")
}

/// As [`resized`].
///
/// # Panics
/// The picture has no pixels.
pub fn grey_resized(picture: &GrayImage, size: (u32, u32), filter: Filter) -> GrayImage {
    let (width, height) = picture.dimensions();
    let pixels = typed::<U8>(picture.as_raw(), (width, height), [0, 0, width, height], size, filter);
    GrayImage::from_raw(size.0, size.1, pixels).expect("one byte a pixel")
}

fn typed<P: PixelTrait>(
    pixels: &[u8],
    (width, height): (u32, u32),
    [left, top, part_width, part_height]: Rectangle,
    size: (u32, u32),
    filter: Filter,
) -> Vec<u8> {
    let source =
        TypedImageRef::<P>::from_buffer(width, height, pixels).expect("as many bytes as pixels need");
    let source =
        TypedCroppedImage::new(source, left, top, part_width, part_height).expect("the part lies inside");
    let mut bytes = vec![0; size.0 as usize * size.1 as usize * P::size()];
    let mut target =
        TypedImage::<P>::from_buffer(size.0, size.1, &mut bytes).expect("as many bytes as pixels need");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&source, &mut target, &options).expect("both have pixels of one type");
    bytes
}
