//! A grid of values on which masks are drawn and smoothed.

use crate::faces::face::Point;

/// A grid of `width` x `height` values, row by row.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; width * height] }
    }

    /// Sets the cells whose centres are in the polygon to 1; the polygon's points are in cells.
    pub fn fill(&mut self, polygon: &[Point]) {
        let mut crossings: Vec<f32> = Vec::new();
        for (y, row) in self.values.chunks_exact_mut(self.width).enumerate() {
            let level = y as f32 + 0.5;
            crossings.clear();
            for (index, a) in polygon.iter().enumerate() {
                let b = polygon[(index + 1) % polygon.len()];
                if (a[1] > level) != (b[1] > level) {
                    crossings.push(a[0] + (level - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
                }
            }
            crossings.sort_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                let cell = |edge: f32| ((edge - 0.5).ceil().max(0.0) as usize).min(row.len());
                let (from, to) = (cell(pair[0]), cell(pair[1]));
                row[from..to].fill(1.0);
            }
        }
    }

    /// The value at a position in cells, bilinear between their centres, 0 outside.
    pub fn sample(&self, [x, y]: Point) -> f32 {
        let (x, y) = (x - 0.5, y - 0.5);
        if !(x > -1.0 && y > -1.0 && x < self.width as f32 && y < self.height as f32) {
            return 0.0;
        }
        let (left, top) = (x.floor(), y.floor());
        let (u, v) = (x - left, y - top);
        let at = |x: f32, y: f32| {
            let inside = x >= 0.0 && y >= 0.0 && (x as usize) < self.width && (y as usize) < self.height;
            if inside { self.values[y as usize * self.width + x as usize] } else { 0.0 }
        };
        let upper = at(left, top) * (1.0 - u) + at(left + 1.0, top) * u;
        let lower = at(left, top + 1.0) * (1.0 - u) + at(left + 1.0, top + 1.0) * u;
        upper * (1.0 - v) + lower * v
    }

    /// Each value's mean over the square of `radius` cells around it, zeros beyond the
    /// border.
    pub fn boxed(&self, radius: usize) -> Self {
        let rows = |plane: &Self| {
            let mut out = Self::new(plane.height, plane.width);
            let scale = 1.0 / (2 * radius + 1) as f32;
            for (y, row) in plane.values.chunks_exact(plane.width).enumerate() {
                // Running sums in 64 bits: errors of rounding do not matter.
                let mut sum: f64 = row.iter().take(radius).map(|&value| f64::from(value)).sum();
                for x in 0..plane.width {
                    sum += row.get(x + radius).map_or(0.0, |&value| f64::from(value));
                    out.values[x * plane.height + y] = sum as f32 * scale;
                    sum -= x.checked_sub(radius).map_or(0.0, |before| f64::from(row[before]));
                }
            }
            out
        };
        rows(&rows(self))
    }

    /// 1 where all cells in the square of `radius` around a cell are 1, else 0.
    pub fn eroded(&self, radius: usize) -> Self {
        let mut out = self.boxed(radius);
        for value in &mut out.values {
            *value = if *value > 1.0 - 1e-4 { 1.0 } else { 0.0 };
        }
        out
    }

    /// Smoothed by a Gaussian of deviation `sigma`, truncated at `radius` cells.
    pub fn smoothed(&self, radius: usize, sigma: f32) -> Self {
        let tap = |offset: usize| (-0.5 * (offset as f32 / sigma).powi(2)).exp();
        let total = 1.0 + 2.0 * (1..=radius).map(tap).sum::<f32>();
        let taps: Vec<f32> = (0..=radius).map(|offset| tap(offset) / total).collect();
        let mut across = Self::new(self.width, self.height);
        let mut padded = vec![0.0; self.width + 2 * radius];
        let rows = self.values.chunks_exact(self.width).zip(across.values.chunks_exact_mut(self.width));
        for (row, out) in rows {
            padded[radius..radius + self.width].copy_from_slice(row);
            add_scaled(out, taps[0], row);
            for (offset, &tap) in taps.iter().enumerate().skip(1) {
                add_scaled(out, tap, &padded[radius - offset..]);
                add_scaled(out, tap, &padded[radius + offset..]);
            }
        }
        let mut down = Self::new(self.width, self.height);
        let row = |y: usize| &across.values[y * self.width..][..self.width];
        for (y, out) in down.values.chunks_exact_mut(self.width).enumerate() {
            add_scaled(out, taps[0], row(y));
            for (offset, &tap) in taps.iter().enumerate().skip(1) {
                if let Some(above) = y.checked_sub(offset) {
                    add_scaled(out, tap, row(above));
                }
                if y + offset < self.height {
                    add_scaled(out, tap, row(y + offset));
                }
            }
        }
        down
    }

    /// The row at `place` in cells, interpolated between two rows' centres; zeros outside.
    pub fn row_at(&self, place: f32, out: &mut [f32]) {
        out.fill(0.0);
        let place = place - 0.5;
        let above = place.floor();
        for (row, share) in [(above, 1.0 - (place - above)), (above + 1.0, place - above)] {
            if row >= 0.0 && (row as usize) < self.height {
                add_scaled(out, share, &self.values[row as usize * self.width..][..self.width]);
            }
        }
    }
}

/// Adds `share` times the first of `values`.
fn add_scaled(out: &mut [f32], share: f32, values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += share * value;
    }
}

/// A position between two neighbours of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    /// Index of the first.
    pub first: usize,
    /// Index of the second.
    pub second: usize,
    /// The second's share.
    pub share: f32,
}

impl Between {
    /// The position `place` among `count` cells, whose centres are at 0.5, 1.5, …; the outermost
    /// ones are repeated.
    pub fn of(place: f32, count: usize) -> Self {
        let place = (place - 0.5).clamp(0.0, count.saturating_sub(1) as f32);
        let first = place as usize;
        Self { first, second: (first + 1).min(count.saturating_sub(1)), share: place - first as f32 }
    }

    /// The interpolated value of `row`.
    pub fn read(self, row: &[f32]) -> f32 {
        row[self.first] + self.share * (row[self.second] - row[self.first])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_fills_the_cells_whose_centres_it_holds() {
        let mut plane = Plane::new(8, 6);
        plane.fill(&[[1.0, 1.0], [5.0, 1.0], [5.0, 4.6], [1.0, 4.6]]);
        for (index, value) in plane.values.iter().enumerate() {
            let (x, y) = (index % 8, index / 8);
            assert_eq!(*value == 1.0, (1..5).contains(&x) && (1..5).contains(&y), "{x} {y}");
        }
        assert_eq!(plane.sample([2.5, 2.5]), 1.0);
        assert_eq!(plane.sample([1.0, 2.5]), 0.5);
        assert_eq!((plane.sample([-3.0, 2.0]), plane.sample([f32::NAN, 2.0])), (0.0, 0.0));
    }

    #[test]
    fn erosion_takes_its_radius_from_every_side() {
        let mut plane = Plane::new(20, 16);
        plane.fill(&[[2.0, 2.0], [18.0, 2.0], [18.0, 14.0], [2.0, 14.0]]);
        let eroded = plane.eroded(3);
        for (index, value) in eroded.values.iter().enumerate() {
            let (x, y) = (index % 20, index / 20);
            assert_eq!(*value == 1.0, (5..15).contains(&x) && (5..11).contains(&y), "{x} {y}");
        }
    }

    #[test]
    fn smoothing_keeps_the_sum_and_has_its_deviation() {
        let mut plane = Plane::new(41, 41);
        plane.values[20 * 41 + 20] = 1.0;
        let smooth = plane.smoothed(12, 3.0);
        assert!((smooth.values.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        let spread = |plane: &Plane| -> f32 {
            let cells = plane.values.iter().enumerate();
            cells.map(|(index, value)| value * ((index % 41) as f32 - 20.0).powi(2)).sum()
        };
        assert!((spread(&smooth) - 9.0).abs() < 0.1, "{}", spread(&smooth));
        // A uniform window of 2 r + 1 cells has the variance ((2 r + 1)^2 - 1) / 12.
        assert!((spread(&plane.boxed(4)) - 80.0 / 12.0).abs() < 1e-3);
    }
}
