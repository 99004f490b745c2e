//! Value noise: smooth random fields that are a pure function of position and seed, so that any
//! pixel can be computed on any thread.

/// A random field over the plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    seed: u32,
}

impl Field {
    pub fn new(seed: u32) -> Self {
        Self { seed }
    }

    /// The value at a lattice point, in [-1, 1).
    fn corner(self, x: i32, y: i32) -> f32 {
        let mut bits = self.seed
            ^ x.cast_unsigned().wrapping_mul(0x9e37_79b1)
            ^ y.cast_unsigned().wrapping_mul(0x85eb_ca77);
        // Finaliser of a multiply-xorshift hash: every input bit reaches every output bit.
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
        bits = (bits ^ (bits >> 15)).wrapping_mul(0x846c_a68b);
        bits ^= bits >> 16;
        (bits >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Smooth noise in [-1, 1] with features of about unit size.
    pub fn smooth(self, x: f32, y: f32) -> f32 {
        let (left, top) = (floor(x), floor(y));
        let (u, v) = (fade(x - left as f32), fade(y - top as f32));
        let upper = mix(self.corner(left, top), self.corner(left.wrapping_add(1), top), u);
        let below = top.wrapping_add(1);
        let lower = mix(self.corner(left, below), self.corner(left.wrapping_add(1), below), u);
        mix(upper, lower, v)
    }

    /// `octaves` of [`Field::smooth`], each twice as fine and half as strong,
    /// scaled to about [-1, 1].
    pub fn cloud(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
        for octave in 0..octaves {
            let layer = Self { seed: self.seed.wrapping_add(octave.wrapping_mul(0x68e3_1da4)) };
            sum += weight * layer.smooth(x * scale, y * scale);
            total += weight;
            weight *= 0.5;
            scale *= 2.0;
        }
        sum / total
    }

    /// Round spots, at most one in each unit cell: 1 at a spot's centre, 0 outside. A `share` of
    /// the cells has one.
    pub fn spots(self, x: f32, y: f32, radius: f32, share: f32) -> f32 {
        let (column, row) = (floor(x), floor(y));
        let chance = Self { seed: self.seed ^ 0x51ed_270b }.corner(column, row);
        if chance > 2.0 * share - 1.0 {
            return 0.0;
        }
        let across = Self { seed: self.seed ^ 0x2545_f491 }.corner(column, row);
        let down = Self { seed: self.seed ^ 0x1b87_3593 }.corner(column, row);
        let room = 0.5 - radius;
        let dx = x - (column as f32 + 0.5 + room * across);
        let dy = y - (row as f32 + 0.5 + room * down);
        1.0 - step(0.5 * radius, radius, (dx * dx + dy * dy).sqrt())
    }
}

/// Rounds down; `f32::floor` is a function call on older instruction sets.
fn floor(value: f32) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from((towards_zero as f32) > value)
}

fn fade(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Linear interpolation: `from` at 0, `to` at 1.
pub(crate) fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(crate) fn step(low: f32, high: f32, value: f32) -> f32 {
    fade(((value - low) / (high - low)).clamp(0.0, 1.0))
}

/// A bump of height 1 around 0 whose standard deviation is 1.
pub(crate) fn bump(x: f32, y: f32) -> f32 {
    let square = x * x + y * y;
    // Below 1e-5 nothing is visible, and most bumps of a face are far from most of its points.
    if square > 23.0 { 0.0 } else { (-0.5 * square).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_bounded_centred_and_repeat() {
        let field = Field::new(7);
        let values: Vec<f32> =
            (0..10_000).map(|i| field.cloud((i % 100) as f32 * 0.37, (i / 100) as f32 * 0.41, 3)).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(values.iter().all(|value| value.abs() <= 1.0) && mean.abs() < 0.05, "{mean}");
        assert_eq!(field.smooth(-3.2, 8.9), Field::new(7).smooth(-3.2, 8.9));
        assert_ne!(field.smooth(-3.2, 8.9), Field::new(8).smooth(-3.2, 8.9));
    }

    #[test]
    fn spots_fill_their_share_of_cells() {
        let field = Field::new(3);
        let hit = |cell: usize| {
            let (column, row) = ((cell % 40) as f32, (cell / 40) as f32);
            (0..100).any(|i| {
                let (x, y) = (column + (i % 10) as f32 / 10.0, row + (i / 10) as f32 / 10.0);
                field.spots(x, y, 0.3, 0.4) > 0.5
            })
        };
        let share = (0..1600).filter(|&cell| hit(cell)).count() as f32 / 1600.0;
        assert!((share - 0.4).abs() < 0.05, "{share}");
    }
}
