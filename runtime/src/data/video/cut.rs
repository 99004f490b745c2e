//! Whether there is a cut between two frames of a video.

use fast_image_resize as resize;
use image::RgbImage;

/// Fields a side into which a frame is divided.
const FIELDS: u32 = 16;
/// A field has changed where its mean of red, green and blue together moved by more levels.
const LEVELS: u32 = 3 * 24;
/// There is a cut where more than one field in so many has changed: a face that moves fills
/// few, and a camera that swings or a lamp that goes on is taken for one, which costs a frame.
const ONE_IN: usize = 3;

/// What is compared of a frame: the mean colours of its fields.
#[derive(Clone, Debug)]
pub(super) struct Look(Vec<u8>);

impl Look {
    /// That of `frame`.
    ///
    /// # Panics
    /// Where it has no pixels.
    pub fn of(frame: &RgbImage) -> Self {
        let pixels = resize::PixelType::U8x3;
        let source = resize::images::ImageRef::new(frame.width(), frame.height(), frame.as_raw(), pixels)
            .expect("three bytes a pixel");
        let mut small = resize::images::Image::new(FIELDS, FIELDS, pixels);
        let options =
            resize::ResizeOptions::new().resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Box));
        resize::Resizer::new().resize(&source, &mut small, &options).expect("both are 8-bit RGB");
        Self(small.into_vec())
    }

    /// Whether `next`, which is shown later, belongs to another shot.
    pub fn cut_to(&self, next: &Self) -> bool {
        let fields = self.0.chunks_exact(3).zip(next.0.chunks_exact(3));
        let moved =
            |(a, b): (&[u8], &[u8])| -> u32 { a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum() };
        let changed = fields.filter(|&pair| moved(pair) > LEVELS).count();
        changed * ONE_IN > self.0.len() / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, imageops};

    fn scene(phase: u32) -> RgbImage {
        RgbImage::from_fn(320, 200, |x, y| {
            let wave = |size: u32| (((x + y * 2 + phase) / size % 2) * 150 + 50) as u8;
            Rgb([wave(60), wave(90), (y / 2) as u8])
        })
    }

    #[test]
    fn another_scene_is_a_cut_and_what_moves_in_it_is_none() {
        let look = Look::of(&scene(0));
        assert!(!look.cut_to(&look));
        let mut later = scene(0);
        imageops::overlay(&mut later, &RgbImage::from_pixel(90, 120, Rgb([230, 180, 150])), 100, 40);
        assert!(!look.cut_to(&Look::of(&later)), "something the size of a face appears");
        let brighter = RgbImage::from_fn(320, 200, |x, y| {
            Rgb(scene(0).get_pixel(x, y).0.map(|value| value.saturating_add(15)))
        });
        assert!(!look.cut_to(&Look::of(&brighter)));
        assert!(look.cut_to(&Look::of(&scene(45))));
        assert!(look.cut_to(&Look::of(&RgbImage::new(320, 200))));
        assert!(!Look::of(&RgbImage::new(1, 1)).cut_to(&Look::of(&RgbImage::new(3000, 2))));
    }
}
