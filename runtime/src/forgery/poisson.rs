//! Gradient-domain blending (Pérez, Gangnet and Blake, "Poisson image editing", SIGGRAPH
//! 2003): inside a region the patch's gradients, on its border the target's colours.

use super::raster::{Pixel, Raster};

/// The residual, in 8-bit levels, at which the solver stops.
const TOLERANCE: f32 = 0.02;
/// Regions with fewer pixels are solved without a coarser grid first.
const COARSEST: usize = 64;

/// The target with `patch` blended into `region` so that the result has the patch's
/// gradients inside and equals the target outside: `patch` plus the membrane (a harmonic
/// function, Δh = 0) that takes the value target - patch around the region.
///
/// `limit` bounds the membrane's border values, in 8-bit levels: where hair or a wall is at the
/// border, the difference is not one of light and must not be spread over the face. Pixels at the
/// picture's edge have no neighbour outside.
pub(super) fn blend(target: &Raster, patch: &Raster, region: &[bool], limit: f32) -> Raster {
    let difference = target.pixels.iter().zip(&patch.pixels);
    let border = difference.map(|(to, from)| std::array::from_fn(|c| (to[c] - from[c]).clamp(-limit, limit)));
    let domain = Domain {
        width: target.width,
        height: target.height,
        free: region.to_vec(),
        values: border.collect(),
    };
    let membrane = domain.solved();
    let mut out = target.clone();
    for (index, pixel) in out.pixels.iter_mut().enumerate().filter(|(index, _)| region[*index]) {
        *pixel = std::array::from_fn(|c| (patch.pixels[index][c] + membrane[index][c]).clamp(0.0, 255.0));
    }
    out
}

/// Laplace's equation on the `free` pixels; the values of the others are fixed.
struct Domain {
    width: usize,
    height: usize,
    free: Vec<bool>,
    /// The fixed values; for free pixels, the start.
    values: Vec<Pixel>,
}

impl Domain {
    /// The solution. A grid of half the side is solved first and gives the start, so that
    /// conjugate gradients only have to correct high frequencies (cascadic multigrid, Bornemann
    /// and Deuflhard 1996).
    fn solved(self) -> Vec<Pixel> {
        let count = self.free.iter().filter(|free| **free).count();
        let given = self.values.iter().zip(&self.free);
        let mut start: Vec<Pixel> =
            given.map(|(value, free)| if *free { [0.0; 3] } else { *value }).collect();
        if count >= COARSEST {
            let coarse = self.coarser();
            let (width, height) = (coarse.width, coarse.height);
            let known = Raster { width, height, pixels: coarse.solved() };
            for (index, value) in start.iter_mut().enumerate().filter(|(index, _)| self.free[*index]) {
                let (x, y) = (index % self.width, index / self.width);
                *value = known.sample([0.5 * (x as f32 + 0.5), 0.5 * (y as f32 + 0.5)]);
            }
        }
        self.relaxed(start)
    }

    /// The domain with half as many pixels a side: free where all four pixels are, else the mean
    /// of the fixed ones.
    fn coarser(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut coarse = Self {
            width,
            height,
            free: Vec::with_capacity(width * height),
            values: Vec::with_capacity(width * height),
        };
        for index in 0..width * height {
            let (x, y) = (2 * (index % width), 2 * (index / width));
            let (mut sum, mut given, mut free) = ([0.0; 3], 0.0, true);
            for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                let fine = y * self.width + x;
                if x < self.width && y < self.height && !self.free[fine] {
                    sum = std::array::from_fn(|c| sum[c] + self.values[fine][c]);
                    (given, free) = (given + 1.0, false);
                }
            }
            coarse.free.push(free);
            coarse.values.push(if free { [0.0; 3] } else { sum.map(|sum| sum / given) });
        }
        coarse
    }

    /// The neighbours of pixel `index` inside the picture.
    fn neighbours(&self, index: usize) -> impl Iterator<Item = usize> {
        let (x, y) = (index % self.width, index / self.width);
        let left = (x > 0).then(|| index - 1);
        let right = (x + 1 < self.width).then_some(index + 1);
        let above = (y > 0).then(|| index - self.width);
        let below = (y + 1 < self.height).then_some(index + self.width);
        [left, right, above, below].into_iter().flatten()
    }

    /// Conjugate gradients from `start` until no residual is over [`TOLERANCE`], for all three
    /// channels together.
    fn relaxed(&self, start: Vec<Pixel>) -> Vec<Pixel> {
        const NONE: u32 = u32::MAX;
        let places: Vec<usize> = (0..self.free.len()).filter(|&index| self.free[index]).collect();
        let mut slot = vec![NONE; self.free.len()];
        for (number, &place) in places.iter().enumerate() {
            slot[place] = number as u32;
        }
        // The free neighbours of each, and how many there are of both kinds.
        let mut neighbours = Vec::with_capacity(places.len());
        let mut x: Vec<Pixel> = Vec::with_capacity(places.len());
        let mut residual: Vec<Pixel> = Vec::with_capacity(places.len());
        for &place in &places {
            let (mut free, mut degree, mut sum) = ([NONE; 4], 0, [0.0; 3]);
            for other in self.neighbours(place) {
                free[degree] = slot[other];
                degree += 1;
                let value = if self.free[other] { start[other] } else { self.values[other] };
                sum = std::array::from_fn(|c| sum[c] + value[c]);
            }
            neighbours.push((free, degree as f32));
            x.push(start[place]);
            residual.push(std::array::from_fn(|c| sum[c] - degree as f32 * start[place][c]));
        }
        let product = |vector: &[Pixel], number: usize| -> Pixel {
            let (free, degree) = neighbours[number];
            let mut sum = vector[number].map(|value| degree * value);
            for other in free.into_iter().filter(|&other| other != NONE) {
                sum = std::array::from_fn(|c| sum[c] - vector[other as usize][c]);
            }
            sum
        };
        let mut direction = residual.clone();
        let mut energy = dot(&residual, &residual);
        // Without rounding this many steps give the exact solution; a few dozen are enough.
        for _ in 0..places.len() {
            if residual.iter().flatten().all(|value| value.abs() < TOLERANCE) {
                break;
            }
            let image: Vec<Pixel> = (0..places.len()).map(|number| product(&direction, number)).collect();
            let curvature = dot(&direction, &image);
            let step: Pixel = std::array::from_fn(|c| ratio(energy[c], curvature[c]));
            for number in 0..places.len() {
                for c in 0..3 {
                    x[number][c] += step[c] * direction[number][c];
                    residual[number][c] -= step[c] * image[number][c];
                }
            }
            let next = dot(&residual, &residual);
            let keep: Pixel = std::array::from_fn(|c| ratio(next[c], energy[c]));
            for (direction, residual) in direction.iter_mut().zip(&residual) {
                *direction = std::array::from_fn(|c| residual[c] + keep[c] * direction[c]);
            }
            energy = next;
        }
        let mut out = self.values.clone();
        for (place, value) in places.into_iter().zip(x) {
            out[place] = value;
        }
        out
    }
}

/// The dot product, channel by channel.
fn dot(a: &[Pixel], b: &[Pixel]) -> [f64; 3] {
    a.iter()
        .zip(b)
        .fold([0.0; 3], |sum, (a, b)| std::array::from_fn(|c| sum[c] + f64::from(a[c]) * f64::from(b[c])))
}

/// 0 for a channel that is already solved.
fn ratio(over: f64, under: f64) -> f32 {
    if under > 1e-12 { (over / under) as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests;
