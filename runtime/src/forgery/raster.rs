//! A picture in 32-bit floats on the 8-bit scale, for computations without rounding.

use crate::faces::face::Point;
use image::RgbImage;

/// Red, green, blue, each 0 to 255.
pub(super) type Pixel = [f32; 3];

/// A picture of `width` x `height` float pixels, row by row.
#[derive(Clone, Debug)]
pub(super) struct Raster {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<Pixel>,
}

impl Raster {
    pub fn of(picture: &RgbImage) -> Self {
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            pixels: picture.pixels().map(|pixel| pixel.0.map(f32::from)).collect(),
        }
    }

    pub fn rounded(&self) -> RgbImage {
        let bytes = self.pixels.iter().flatten().map(|value| (value + 0.5) as u8);
        RgbImage::from_raw(self.width as u32, self.height as u32, bytes.collect())
            .expect("three bytes a pixel")
    }

    /// The colour at a position, bilinear between pixel centres; the border is repeated.
    pub fn sample(&self, [x, y]: Point) -> Pixel {
        let x = (x - 0.5).clamp(0.0, self.width as f32 - 1.0);
        let y = (y - 0.5).clamp(0.0, self.height as f32 - 1.0);
        let (left, top) = (x as usize, y as usize);
        let right = (left + 1).min(self.width - 1);
        let below = (top + 1).min(self.height - 1);
        let (u, v) = (x.fract(), y.fract());
        let at = |x: usize, y: usize| self.pixels[y * self.width + x];
        let corners = [at(left, top), at(right, top), at(left, below), at(right, below)];
        std::array::from_fn(|c| {
            let upper = corners[0][c] + u * (corners[1][c] - corners[0][c]);
            let lower = corners[2][c] + u * (corners[3][c] - corners[2][c]);
            upper + v * (lower - upper)
        })
    }

    /// The picture whose colour at each position is this one's at `source` of the position.
    pub fn warped(&self, source: impl Fn(Point) -> Point) -> Self {
        let pixels = centres(self.width, self.height).map(|centre| self.sample(source(centre))).collect();
        Self { pixels, ..*self }
    }

    /// Each pixel's mean over its 3 x 3 neighbourhood; the border is repeated.
    pub fn softened(&self) -> Self {
        let near = |place: usize, offset: usize, size: usize| (place + offset).clamp(1, size) - 1;
        let mean = |index: usize| {
            let (x, y) = (index % self.width, index / self.width);
            let mut sum = [0.0; 3];
            for offset in 0..9 {
                let row = near(y, offset / 3, self.height);
                let pixel = self.pixels[row * self.width + near(x, offset % 3, self.width)];
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            sum.map(|value| value / 9.0)
        };
        Self { pixels: (0..self.pixels.len()).map(mean).collect(), ..*self }
    }
}

/// The centres of all pixels of a picture, row by row.
pub(super) fn centres(width: usize, height: usize) -> impl Iterator<Item = Point> {
    (0..width * height).map(move |index| [(index % width) as f32 + 0.5, (index / width) as f32 + 0.5])
}
