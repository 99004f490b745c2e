//! How a person is photographed once: pose, expression, light, background, camera.

use super::light::{Colour, Light};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The conditions of one photograph.
#[derive(Clone, Debug)]
pub struct Shot {
    pub(super) pose: Pose,
    pub(super) expression: Expression,
    pub(super) light: Light,
    pub(super) backdrop: Backdrop,
    pub(super) camera: Camera,
}

#[derive(Clone, Debug)]
pub(super) struct Pose {
    /// Turn to the side, radians.
    pub yaw: f32,
    /// Nod, radians, positive downwards.
    pub pitch: f32,
    /// Tilt in the picture's plane, radians.
    pub roll: f32,
    /// Where the face's origin is, in picture sides.
    pub centre: [f32; 2],
    /// Half a face width, in picture sides.
    pub scale: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Expression {
    /// -0.3 is glum, 1 a broad smile.
    pub smile: f32,
    /// How far the lips are apart, in half face widths.
    pub open: f32,
    /// 1 is wide awake, 0.5 narrowed.
    pub eyes: f32,
    /// Lift of the brows.
    pub brows: f32,
    /// Shift of the irises.
    pub gaze: [f32; 2],
}

#[derive(Clone, Debug)]
pub(super) struct Backdrop {
    /// Linear RGB at the top and the bottom.
    pub colours: [Colour; 2],
    /// Strength of the blurred shapes in it.
    pub clutter: f32,
    /// Linear RGB of the clothes.
    pub clothes: Colour,
    /// Seeds its random fields.
    pub texture: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Camera {
    /// Gain on linear light, per channel: exposure and white balance.
    pub gain: Colour,
    /// Strength of the tone curve.
    pub contrast: f32,
    /// Darkening towards the corners.
    pub vignette: f32,
    /// Standard deviation of the lens blur in picture sides.
    pub blur: f32,
    /// Signal-independent noise, of the full 8-bit scale.
    pub read_noise: f32,
    /// Noise that grows with the root of the signal.
    pub shot_noise: f32,
}

impl Shot {
    /// A random shot.
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        Self {
            pose: Pose::draw(random),
            expression: Expression::draw(random),
            light: Light::draw(random),
            backdrop: Backdrop::draw(random),
            camera: Camera::draw(random),
        }
    }
}

impl Pose {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        Self {
            yaw: random.random_range(-0.32..0.32),
            pitch: random.random_range(-0.14..0.14),
            roll: random.random_range(-0.1..0.1),
            centre: [random.random_range(0.465..0.535), random.random_range(0.455..0.505)],
            scale: random.random_range(0.265..0.305),
        }
    }
}

impl Expression {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        let smile = if random.random_bool(0.5) {
            random.random_range(0.45..1.0)
        } else {
            random.random_range(-0.25..0.3)
        };
        let open = if random.random_bool(0.4) { random.random_range(0.03..0.12) } else { 0.0 };
        Self {
            smile,
            open,
            eyes: random.random_range(0.75..1.05) - 0.12 * f32::max(smile, 0.0),
            brows: random.random_range(-0.02..0.04),
            gaze: [random.random_range(-0.05..0.05), random.random_range(-0.015..0.015)],
        }
    }
}

impl Backdrop {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        let level = random.random_range(0.04..0.75);
        let mut tint = || -> Colour {
            let own = level * random.random_range(0.6..1.3);
            std::array::from_fn(|_| own * random.random_range(0.75..1.2))
        };
        let colours = [tint(), tint()];
        Self {
            colours,
            clutter: random.random_range(0.0..0.6),
            clothes: std::array::from_fn(|_| random.random_range(0.02..0.6)),
            texture: random.random(),
        }
    }
}

impl Camera {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        let exposure = random.random_range(0.85..1.25);
        let warmth = random.random_range(-0.15..0.15);
        let tint = random.random_range(-0.08..0.08);
        Self {
            gain: [exposure * (1.0 + warmth), exposure * (1.0 + tint), exposure * (1.0 - warmth)],
            contrast: random.random_range(0.0..0.35),
            vignette: random.random_range(0.0..0.3),
            blur: random.random_range(0.0025..0.008),
            read_noise: random.random_range(0.002..0.011),
            shot_noise: random.random_range(0.002..0.016),
        }
    }
}
