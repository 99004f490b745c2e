//! A batch of square pictures of one size, as networks take them.

use image::RgbImage;

/// N x 3 x H x W (H = W = `res`), f32 in \[0, 1\], channels red, green, blue.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The side of each picture in pixels.
    pub res: usize,
    /// N * 3 * res * res values.
    pub values: Vec<f32>,
}

impl Batch {
    /// An empty batch of pictures of side `res`.
    pub fn new(res: usize) -> Self {
        Self { res, values: Vec::new() }
    }

    /// The number of pictures, N.
    pub fn len(&self) -> usize {
        self.values.len() / self.stride()
    }

    /// Whether N is 0.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of values of one picture, 3 * res * res.
    pub fn stride(&self) -> usize {
        3 * self.res * self.res
    }

    /// The values of picture `index`, 3 x res x res.
    pub fn picture(&self, index: usize) -> &[f32] {
        &self.values[index * self.stride()..(index + 1) * self.stride()]
    }

    /// Adds an 8-bit picture, which must be `res` x `res`; values are n / 255.
    pub fn push(&mut self, picture: &RgbImage) {
        assert_eq!(picture.dimensions(), (self.res as u32, self.res as u32));
        let bytes = picture.as_raw();
        self.values.reserve(bytes.len());
        for channel in 0..3 {
            let values = bytes[channel..].iter().step_by(3);
            self.values.extend(values.map(|&byte| f32::from(byte) / 255.0));
        }
    }

    /// A batch of 8-bit pictures of side `res`.
    pub fn of<'a>(res: usize, pictures: impl IntoIterator<Item = &'a RgbImage>) -> Self {
        let mut batch = Self::new(res);
        pictures.into_iter().for_each(|picture| batch.push(picture));
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_apart() {
        let picture = RgbImage::from_raw(2, 2, vec![0, 51, 102, 1, 52, 103, 2, 53, 104, 3, 54, 105]);
        let batch = Batch::of(2, [&picture.unwrap()]);
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.picture(0)[4], 51.0 / 255.0);
        assert_eq!(batch.picture(0)[11], 105.0 / 255.0);
    }
}
