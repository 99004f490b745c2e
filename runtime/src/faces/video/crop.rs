//! Crops of faces.

use crate::faces::face::{FaceBox, Window};
use image::{RgbImage, imageops};

/// The square around the middle of `face`, `margin` times as wide as its longer side, cut out of
/// `picture`. Where it would cross the picture's border it is moved inside, and where the picture
/// is too small it is made smaller: a crop has no padding.
///
/// # Panics
/// The picture has no pixels.
pub fn square(picture: &RgbImage, face: &FaceBox, margin: f32) -> RgbImage {
    let Window { left, top, side } = face.window(margin, picture.width(), picture.height());
    imageops::crop_imm(picture, left, top, side, side).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn cut(face: [f32; 4], margin: f32) -> (u32, [u8; 3], [u8; 3]) {
        let picture = RgbImage::from_fn(100, 60, |x, y| Rgb([x as u8, y as u8, 0]));
        let [left, top, width, height] = face;
        let crop =
            square(&picture, &FaceBox { left, top, right: left + width, bottom: top + height }, margin);
        assert_eq!(crop.width(), crop.height());
        let last = crop.width() - 1;
        (crop.width(), crop.get_pixel(0, 0).0, crop.get_pixel(last, last).0)
    }

    #[test]
    fn the_square_is_centred_and_stays_inside() {
        assert_eq!(cut([40.0, 20.0, 20.0, 20.0], 1.3), (26, [37, 17, 0], [62, 42, 0]));
        assert_eq!(cut([40.0, 20.0, 10.0, 20.0], 1.0), (20, [35, 20, 0], [54, 39, 0]));
        assert_eq!(cut([-5.0, -5.0, 20.0, 20.0], 1.5), (30, [0, 0, 0], [29, 29, 0]));
        assert_eq!(cut([90.0, 50.0, 20.0, 20.0], 1.5), (30, [70, 30, 0], [99, 59, 0]));
        assert_eq!(cut([20.0, 0.0, 60.0, 60.0], 1.3), (60, [20, 0, 0], [79, 59, 0]));
        assert_eq!(cut([1e9, f32::MIN, 0.0, 0.0], 1.3).0, 1);
    }
}
