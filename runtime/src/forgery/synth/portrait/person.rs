//! Generated people: everything about a person that is the same in every shot. Lengths are in
//! half face widths, the nose's root at the origin, y down.

use super::light::Colour;
use crate::forgery::noise::mix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A person who does not exist.
#[derive(Clone, Debug)]
pub struct Person {
    pub(super) head: Head,
    pub(super) skin: Skin,
    pub(super) eyes: Eyes,
    pub(super) brows: Brows,
    pub(super) nose: Nose,
    pub(super) mouth: Mouth,
    pub(super) hair: Hair,
    /// Seeds the random fields of skin and hair.
    pub(super) texture: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Height of the bare skull above the origin.
    pub crown: f32,
    /// The chin's distance below the origin.
    pub chin: f32,
    /// How much the jaw narrows towards the chin, 0 to 0.4.
    pub taper: f32,
    /// Exponent of the jaw's superellipse: 2 is round, more is square.
    pub square: f32,
    /// Prominence of the cheekbones.
    pub cheeks: f32,
    /// Half the neck's width.
    pub neck: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Skin {
    /// Linear RGB.
    pub albedo: Colour,
    /// Red of cheeks, nose and ears.
    pub blush: f32,
    /// Strength of uneven pigment.
    pub blotches: f32,
    /// Strength of freckles, 0 for most.
    pub freckles: f32,
    /// Depth of folds, 0 to 1.
    pub age: f32,
    /// Strength of the highlight.
    pub gloss: f32,
    /// Darkness of the beard's shadow, 0 for none.
    pub beard: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Eyes {
    /// Distance of each from the middle.
    pub apart: f32,
    /// Their height, y.
    pub level: f32,
    /// Half their width.
    pub width: f32,
    /// Half their height when open.
    pub height: f32,
    /// Rise of the outer corner.
    pub tilt: f32,
    /// Radius of the iris.
    pub iris: f32,
    /// Linear RGB of the iris.
    pub colour: Colour,
}

#[derive(Clone, Debug)]
pub(super) struct Brows {
    /// Distance above the eye.
    pub lift: f32,
    /// Height of the arch.
    pub arch: f32,
    /// Half their thickness.
    pub thickness: f32,
    /// How dense they are, 0 to 1.
    pub density: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Nose {
    /// y of the tip.
    pub tip: f32,
    /// Half the width at the nostrils.
    pub width: f32,
    /// How far it protrudes.
    pub height: f32,
    /// Width of the bridge.
    pub bridge: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Mouth {
    /// y of the line between the lips.
    pub level: f32,
    /// Half its width at rest.
    pub width: f32,
    /// Thickness of the upper lip.
    pub upper: f32,
    /// Thickness of the lower lip.
    pub lower: f32,
    /// Linear RGB of the lips.
    pub colour: Colour,
}

#[derive(Clone, Debug)]
pub(super) struct Hair {
    /// Linear RGB.
    pub colour: Colour,
    /// Thickness above the skull; 0 is bald.
    pub volume: f32,
    /// y to which it falls beside the face.
    pub length: f32,
    /// y of the hairline in the middle of the forehead.
    pub line: f32,
    /// How much the hairline sinks towards the temples.
    pub sweep: f32,
    /// x of the parting.
    pub parting: f32,
    /// Waviness of the strands.
    pub curl: f32,
}

impl Person {
    /// A random person.
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        let skin = Skin::draw(random);
        let hair = Hair::draw(random);
        Self {
            head: Head::draw(random),
            eyes: Eyes::draw(random),
            brows: Brows::draw(random),
            nose: Nose::draw(random),
            mouth: Mouth::draw(random, &skin),
            skin,
            hair,
            texture: random.random(),
        }
    }
}

impl Head {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        Self {
            crown: random.random_range(1.18..1.36),
            chin: random.random_range(1.22..1.5),
            taper: random.random_range(0.05..0.32),
            square: random.random_range(1.9..2.7),
            cheeks: random.random_range(0.0..0.1),
            neck: random.random_range(0.5..0.7),
        }
    }
}

impl Skin {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        const TONES: [Colour; 5] = [
            [0.78, 0.53, 0.42],
            [0.66, 0.42, 0.30],
            [0.50, 0.29, 0.19],
            [0.30, 0.16, 0.10],
            [0.16, 0.085, 0.058],
        ];
        let tone = random.random_range(0.0..TONES.len() as f32 - 1.001);
        let (below, share) = (tone as usize, tone.fract());
        let warmth = random.random_range(-0.06..0.06);
        let mut albedo: Colour = std::array::from_fn(|c| mix(TONES[below][c], TONES[below + 1][c], share));
        albedo[0] *= 1.0 + warmth;
        albedo[2] *= 1.0 - warmth;
        let freckled = random.random_bool(0.2) && tone < 2.0;
        let bearded = random.random_bool(0.25);
        Self {
            albedo,
            blush: random.random_range(0.05..0.3),
            blotches: random.random_range(0.04..0.14),
            freckles: if freckled { random.random_range(0.2..0.5) } else { 0.0 },
            age: random.random_range(0.0_f32..1.0).powi(2),
            gloss: random.random_range(0.03..0.16),
            beard: if bearded { random.random_range(0.15..0.75) } else { 0.0 },
        }
    }
}

impl Eyes {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        const IRISES: [Colour; 5] = [
            [0.055, 0.026, 0.012],
            [0.13, 0.065, 0.028],
            [0.16, 0.13, 0.05],
            [0.11, 0.17, 0.12],
            [0.13, 0.20, 0.28],
        ];
        Self {
            apart: random.random_range(0.39..0.47),
            level: random.random_range(-0.1..0.02),
            width: random.random_range(0.18..0.225),
            height: random.random_range(0.075..0.115),
            tilt: random.random_range(-0.02..0.045),
            iris: random.random_range(0.082..0.098),
            colour: IRISES[random.random_range(0..IRISES.len())],
        }
    }
}

impl Brows {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        Self {
            lift: random.random_range(0.22..0.32),
            arch: random.random_range(0.01..0.09),
            thickness: random.random_range(0.022..0.055),
            density: random.random_range(0.45..0.95),
        }
    }
}

impl Nose {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        Self {
            tip: random.random_range(0.38..0.52),
            width: random.random_range(0.15..0.25),
            height: random.random_range(0.2..0.32),
            bridge: random.random_range(0.085..0.13),
        }
    }
}

impl Mouth {
    fn draw(random: &mut ChaCha8Rng, skin: &Skin) -> Self {
        let red = random.random_range(0.0..0.5);
        let rosy = [skin.albedo[0] * 0.85, skin.albedo[1] * 0.55, skin.albedo[2] * 0.6];
        let painted = [0.42, 0.05, 0.07];
        let paint = if random.random_bool(0.2) { red + 0.3 } else { 0.1 * red };
        Self {
            level: random.random_range(0.78..0.9),
            width: random.random_range(0.29..0.38),
            upper: random.random_range(0.05..0.095),
            lower: random.random_range(0.075..0.13),
            colour: std::array::from_fn(|c| mix(rosy[c], painted[c], paint)),
        }
    }
}

impl Hair {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        const COLOURS: [Colour; 7] = [
            [0.012, 0.010, 0.010],
            [0.03, 0.018, 0.012],
            [0.07, 0.036, 0.02],
            [0.14, 0.075, 0.035],
            [0.36, 0.23, 0.10],
            [0.24, 0.075, 0.025],
            [0.34, 0.33, 0.32],
        ];
        let shade = random.random_range(0.8..1.25);
        let colour = COLOURS[random.random_range(0..COLOURS.len())].map(|value| value * shade);
        let kind = random.random_range(0.0..1.0);
        let (volume, length) = if kind < 0.07 {
            (0.0, -2.0)
        } else if kind < 0.55 {
            (random.random_range(0.06..0.26), random.random_range(-0.3..0.1))
        } else {
            (random.random_range(0.12..0.34), random.random_range(0.6..2.2))
        };
        Self {
            colour,
            volume,
            length,
            line: random.random_range(-0.98..-0.66),
            sweep: random.random_range(0.0..0.5),
            parting: random.random_range(-0.55..0.55),
            curl: random.random_range(0.0..1.0),
        }
    }
}
