//! Statistics of a picture's pixels: numbers that do not depend on what is shown, and so should
//! not separate real from fake.

use image::RgbImage;
use std::ops::Range;

/// Side of a JPEG's blocks in pixels.
const BLOCK: usize = 8;
/// The frame is the outer eighth of the shorter side, all around, in whole blocks.
const FRAME: usize = 8;
/// Of pictures higher than this, in pixels, only every second row of blocks is measured.
const HIGH: usize = 256;
/// How many lines from each edge are checked for a plain border.
const DEEPEST: usize = 32;
/// The most by which the pixels of a plain line differ, of 255.
const PLAIN: u8 = 6;

/// A picture's statistics at its own size; of pictures over 256 px high those of every second
/// row of 8 x 8 blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// All pixels.
    pub whole: Texture,
    /// The outer eighth, where there is rarely a face; `None` where the shorter side has fewer
    /// than 64 pixels.
    pub frame: Option<Texture>,
    /// Number of lines of one colour at the four edges.
    pub plain_border: f32,
    /// Mean difference between the outermost lines and the next ones, divided by that of all
    /// neighbours in the frame (in the whole picture where there is no frame).
    pub edge_step: f32,
}

/// Statistics of a region of a picture. Brightness is Rec. 601's luma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texture {
    /// Mean brightness in \[0, 1\].
    pub brightness: f32,
    /// Standard deviation of the brightness in \[0, 1\].
    pub contrast: f32,
    /// Mean of the largest minus the smallest channel in \[0, 1\].
    pub saturation: f32,
    /// Mean of red minus blue in \[-1, 1\].
    pub warmth: f32,
    /// Natural logarithm of 1 + the mean square of the Laplacian (four neighbours) in
    /// 1/255.
    pub sharpness: f32,
    /// Mean difference of neighbours across the borders of 8 x 8 blocks, divided by that inside
    /// them: about 1 without a trace of JPEG, more after strong compression, also where the file
    /// is a PNG today.
    pub blockiness: f32,
}

impl Statistics {
    /// The statistics of a picture with at least one pixel.
    pub fn of(picture: &RgbImage) -> Self {
        let plane = Plane::of(picture);
        let (width, height) = (plane.width, plane.height);
        let margin = width.min(height) / FRAME / BLOCK * BLOCK;
        // Complete blocks, so that each part keeps the grid.
        let (right, bottom) = ((width - margin) / BLOCK * BLOCK, (height - margin) / BLOCK * BLOCK);
        let mut frame = Sums::default();
        if margin > 0 {
            for (x, y) in [
                (0..width, 0..margin),
                (0..width, bottom..height),
                (0..margin, margin..bottom),
                (right..width, margin..bottom),
            ] {
                frame.add(&plane.sums(x, y));
            }
        }
        let mut whole = match margin {
            0 => plane.sums(0..width, 0..height),
            _ => plane.sums(margin..right, margin..bottom),
        };
        whole.add(&frame);
        Self {
            whole: whole.texture(),
            frame: (margin > 0).then(|| frame.texture()),
            plain_border: plane.plain_border() as f32,
            edge_step: plane.edge_step(if margin > 0 { &frame.steps } else { &whole.steps }),
        }
    }
}

/// Rec. 601's luma of every pixel in 1/255, in integers.
pub(super) fn luma(picture: &RgbImage) -> Vec<u8> {
    let (pixels, _) = picture.as_raw().as_chunks::<3>();
    // The weights sum up to 256, so 16 bits suffice.
    let weighed = |value: u8, weight: u16| u16::from(value).wrapping_mul(weight);
    let of = |&[red, green, blue]: &[u8; 3]| {
        let sum = weighed(red, 77).wrapping_add(weighed(green, 150)).wrapping_add(weighed(blue, 29));
        (sum >> 8) as u8
    };
    pixels.iter().map(of).collect()
}

/// A picture and the brightness of every pixel, row by row.
struct Plane<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
    luma: Vec<u8>,
}

impl<'a> Plane<'a> {
    fn of(picture: &'a RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { width, height, rgb: picture.as_raw(), luma: luma(picture) }
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.luma[y * self.width..(y + 1) * self.width]
    }

    /// Sums over the pixels of a region that begins with complete blocks; neighbours of a pixel
    /// may be outside the region.
    fn sums(&self, x: Range<usize>, y: Range<usize>) -> Sums {
        let mut sums = Sums::default();
        let every = if self.height > HIGH { 2 } else { 1 };
        // Pixels with all four neighbours.
        let inner = x.start.max(1)..x.end.min(self.width.saturating_sub(1));
        for y in y.filter(|y| (y / BLOCK).is_multiple_of(every)) {
            let here = self.row(y);
            sums.pixels += x.len() as u64;
            sums.add_brightness(&here[x.clone()]);
            sums.add_colours(&self.rgb[3 * (y * self.width + x.start)..3 * (y * self.width + x.end)]);
            let last = x.end.min(self.width - 1);
            if x.start < last {
                sums.steps.across(&here[x.start..last], &here[x.start + 1..=last]);
            }
            if y + 1 == self.height {
                continue;
            }
            let below = self.row(y + 1);
            sums.steps.add(y % BLOCK, differences(&here[x.clone()], &below[x.clone()]), x.len() as u64);
            if y > 0 && !inner.is_empty() {
                sums.add_laplacian(self.row(y - 1), here, below, inner.clone());
            }
        }
        sums
    }

    /// Number of plain lines from each edge.
    fn plain_border(&self) -> usize {
        let row = |y: usize| is_plain(self.row(y).iter().copied());
        let column = |x: usize| is_plain(self.luma[x..].iter().step_by(self.width).copied());
        let (rows, columns) = (self.height.min(DEEPEST), self.width.min(DEEPEST));
        (0..rows).take_while(|&y| row(y)).count()
            + (0..rows).take_while(|&y| row(self.height - 1 - y)).count()
            + (0..columns).take_while(|&x| column(x)).count()
            + (0..columns).take_while(|&x| column(self.width - 1 - x)).count()
    }

    fn edge_step(&self, steps: &Steps) -> f32 {
        let (width, height) = (self.width, self.height);
        if width < 4 || height < 4 {
            return 1.0;
        }
        let rows = |a: usize, b: usize| differences(self.row(a), self.row(b));
        let columns = |a: usize, b: usize| -> u64 {
            self.luma.chunks_exact(width).map(|row| u64::from(row[a].abs_diff(row[b]))).sum()
        };
        let sum = rows(0, 1) + rows(height - 1, height - 2) + columns(0, 1) + columns(width - 1, width - 2);
        ratio(sum as f64 / (2 * (width + height)) as f64, steps.mean(|_| true))
    }
}

/// Whether all values are about equal.
fn is_plain(mut values: impl Iterator<Item = u8>) -> bool {
    let (mut low, mut high) = (255, 0);
    values.all(|value| {
        (low, high) = (value.min(low), value.max(high));
        high - low <= PLAIN
    })
}

/// Pixels summed at a time: their sums and squares fit 32 bits, so that additions need no check
/// and are vectorised.
const RUN: usize = 4096;

/// The sum of at most [`RUN`] numbers, each at most 1020 squared.
fn total(values: impl Iterator<Item = u32>) -> u64 {
    u64::from(values.fold(0, u32::wrapping_add))
}

fn differences(a: &[u8], b: &[u8]) -> u64 {
    let runs = a.chunks(RUN).zip(b.chunks(RUN));
    runs.map(|(a, b)| total(a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))))).sum()
}

/// Sums over a region of a picture, in integers, so that regions can be added exactly.
#[derive(Default)]
struct Sums {
    pixels: u64,
    luma: u64,
    luma_squares: u64,
    spread: u64,
    warmth: i64,
    laplacian_squares: u64,
    laplacians: u64,
    steps: Steps,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        self.luma += other.luma;
        self.luma_squares += other.luma_squares;
        self.spread += other.spread;
        self.warmth += other.warmth;
        self.laplacian_squares += other.laplacian_squares;
        self.laplacians += other.laplacians;
        for place in 0..BLOCK {
            self.steps.add(place, other.steps.sums[place], other.steps.counts[place]);
        }
    }

    fn add_brightness(&mut self, row: &[u8]) {
        for run in row.chunks(RUN) {
            self.luma += total(run.iter().map(|&value| u32::from(value)));
            self.luma_squares +=
                total(run.iter().map(|&value| u32::from(value).wrapping_mul(u32::from(value))));
        }
    }

    fn add_colours(&mut self, row: &[u8]) {
        for run in row.chunks(3 * RUN) {
            let (pixels, _) = run.as_chunks::<3>();
            let spread = |&[red, green, blue]: &[u8; 3]| {
                red.max(green).max(blue).wrapping_sub(red.min(green).min(blue))
            };
            self.spread += total(pixels.iter().map(|pixel| u32::from(spread(pixel))));
            let red = total(pixels.iter().map(|pixel| u32::from(pixel[0])));
            let blue = total(pixels.iter().map(|pixel| u32::from(pixel[2])));
            self.warmth += red as i64 - blue as i64;
        }
    }

    fn add_laplacian(&mut self, above: &[u8], here: &[u8], below: &[u8], x: Range<usize>) {
        for start in x.clone().step_by(RUN) {
            let run = start..x.end.min(start + RUN);
            let vertical = above[run.clone()].iter().zip(&below[run.clone()]);
            let horizontal = here[run.start - 1..run.end - 1].iter().zip(&here[run.start + 1..run.end + 1]);
            let all = vertical.zip(horizontal).zip(&here[run]);
            self.laplacian_squares += total(all.map(|(((&up, &down), (&left, &right)), &middle)| {
                let two = |a: u8, b: u8| i16::from(a).wrapping_add(i16::from(b));
                let around = two(up, down).wrapping_add(two(left, right));
                let laplacian = i32::from(around.wrapping_sub(i16::from(middle).wrapping_mul(4)));
                laplacian.wrapping_mul(laplacian) as u32
            }));
        }
        self.laplacians += x.len() as u64;
    }

    fn texture(&self) -> Texture {
        let pixels = self.pixels.max(1) as f64;
        let mean = self.luma as f64 / pixels;
        let variance = (self.luma_squares as f64 / pixels - mean * mean).max(0.0);
        let sharpness = self.laplacian_squares as f64 / self.laplacians.max(1) as f64;
        Texture {
            brightness: (mean / 255.0) as f32,
            contrast: (variance.sqrt() / 255.0) as f32,
            saturation: (self.spread as f64 / pixels / 255.0) as f32,
            warmth: (self.warmth as f64 / pixels / 255.0) as f32,
            sharpness: sharpness.ln_1p() as f32,
            blockiness: self.steps.blockiness(),
        }
    }
}

/// Sums and counts of neighbours' differences; index 7 is the border of a block.
#[derive(Default)]
struct Steps {
    sums: [u64; BLOCK],
    counts: [u64; BLOCK],
}

impl Steps {
    fn add(&mut self, place: usize, sum: u64, count: u64) {
        self.sums[place] += sum;
        self.counts[place] += count;
    }

    /// Adds pixels, the first of which begins a block, and their right neighbours.
    fn across(&mut self, left: &[u8], right: &[u8]) {
        let mut sums = [0_u32; BLOCK];
        let (whole_left, _) = left.as_chunks::<BLOCK>();
        let (whole_right, _) = right.as_chunks::<BLOCK>();
        for (left, right) in whole_left.iter().zip(whole_right) {
            // A row's 4096 blocks at most fit.
            sums = std::array::from_fn(|at| sums[at].wrapping_add(u32::from(left[at].abs_diff(right[at]))));
        }
        let blocks = left.len() / BLOCK;
        for (place, sum) in sums.into_iter().enumerate() {
            self.add(place, u64::from(sum), blocks as u64);
        }
        for (place, (&a, &b)) in left[blocks * BLOCK..].iter().zip(&right[blocks * BLOCK..]).enumerate() {
            self.add(place, u64::from(a.abs_diff(b)), 1);
        }
    }

    fn mean(&self, of: impl Fn(usize) -> bool) -> f64 {
        let chosen = (0..BLOCK).filter(|&place| of(place));
        let (sum, count) =
            chosen.fold((0, 0), |(sum, count), place| (sum + self.sums[place], count + self.counts[place]));
        sum as f64 / count.max(1) as f64
    }

    fn blockiness(&self) -> f32 {
        ratio(self.mean(|place| place == BLOCK - 1), self.mean(|place| place < BLOCK - 1))
    }
}

/// 1 for a picture of one colour, where nothing differs; never infinite.
fn ratio(above: f64, below: f64) -> f32 {
    const CRUMB: f64 = 1e-3;
    ((above + CRUMB) / (below + CRUMB)) as f32
}

#[cfg(test)]
mod tests;
