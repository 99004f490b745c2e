//! Light and colour: one key light, a sky and a floor, in linear RGB.

use crate::forgery::noise::mix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Linear red, green, blue.
pub(super) type Colour = [f32; 3];

/// The light on one shot. x to the right, y down, z towards the camera.
#[derive(Clone, Debug)]
pub(super) struct Light {
    /// Unit vector towards the key light.
    pub towards: [f32; 3],
    /// The key light's colour and strength.
    pub key: Colour,
    /// Light from above and in front.
    pub sky: Colour,
    /// Light from below.
    pub floor: Colour,
}

impl Light {
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        let azimuth: f32 = random.random_range(-1.2..1.2);
        let elevation: f32 = random.random_range(0.05..0.95);
        let share = random.random_range(0.45..0.8);
        let warmth = random.random_range(-0.12..0.16);
        let cool = random.random_range(-0.06..0.06);
        let strength = 1.25 * share;
        let rest = 1.15 * (1.0 - share);
        Self {
            towards: [azimuth.sin() * elevation.cos(), -elevation.sin(), azimuth.cos() * elevation.cos()],
            key: [strength * (1.0 + warmth), strength, strength * (1.0 - warmth)],
            sky: [rest * (1.0 - cool), rest, rest * (1.0 + cool)],
            floor: [rest * 0.5, rest * 0.42, rest * 0.36],
        }
    }

    /// The light reflected by a matt surface of `albedo` with the unit normal `normal`.
    /// `softness` > 0 lets light reach beyond the terminator, red the furthest, as in skin; `lit`
    /// is the share of the key light that is not in shadow.
    pub fn matt(&self, albedo: Colour, normal: [f32; 3], softness: f32, lit: f32) -> Colour {
        let facing = dot(normal, self.towards);
        let up = 0.5 - 0.5 * normal[1];
        std::array::from_fn(|c| {
            let wrap = softness * [1.0, 0.62, 0.5][c];
            let key = ((facing + wrap) / (1.0 + wrap)).max(0.0) * lit;
            albedo[c] * (self.key[c] * key + mix(self.floor[c], self.sky[c], up))
        })
    }

    /// Strength of the highlight on a surface with this normal, seen from the
    /// camera (Blinn's half-vector), of a given sharpness.
    pub fn highlight(&self, normal: [f32; 3], sharpness: f32) -> f32 {
        let half = unit([self.towards[0], self.towards[1], self.towards[2] + 1.0]);
        dot(normal, half).max(0.0).powf(sharpness)
    }
}

/// The vector's direction.
pub(super) fn unit(vector: [f32; 3]) -> [f32; 3] {
    let length = dot(vector, vector).sqrt().max(1e-6);
    vector.map(|value| value / length)
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Covers `under` with `over` by `share`.
pub(super) fn cover(under: &mut Colour, over: Colour, share: f32) {
    for (under, over) in under.iter_mut().zip(over) {
        *under = mix(*under, over, share);
    }
}
