//! The face itself: skin, eyes, brows, nose, mouth, and the light on them.

use super::light::{Colour, Light, cover, unit};
use super::person::Person;
use super::shape::Shape;
use crate::forgery::noise::{Field, bump, mix, step};

/// Draws the face of one person with one expression under one light.
pub(super) struct Face<'a> {
    pub shape: &'a Shape<'a>,
    pub light: &'a Light,
    /// The width of a pixel in half face widths: edges are as soft as that.
    pub pixel: f32,
}

impl Face<'_> {
    fn person(&self) -> &Person {
        self.shape.person
    }

    /// 1 inside by more than half a pixel, 0 outside; `distance` is positive inside.
    fn inside(&self, distance: f32) -> f32 {
        step(-0.7 * self.pixel, 0.7 * self.pixel, distance)
    }

    fn field(&self, which: u32) -> Field {
        Field::new(self.person().texture.wrapping_add(which))
    }

    /// Linear RGB of the face at a position.
    pub fn colour(&self, x: f32, y: f32) -> Colour {
        let normal = self.normal(x, y);
        let lit = 1.0 - self.nose_shadow(x, y);
        let mut albedo = self.skin(x, y);
        self.add_folds(&mut albedo, x, y);
        self.add_lips(&mut albedo, x, y);
        let mut colour = self.light.matt(albedo, normal, 0.35, lit);
        let oily = bump(x / 0.35, (y - 0.1) / 0.5) + 0.4;
        let pores = 1.0 + 0.5 * self.field(4).smooth(38.0 * x, 38.0 * y);
        let shine = self.person().skin.gloss * oily * pores * lit * self.light.highlight(normal, 14.0);
        colour.iter_mut().zip(self.light.key).for_each(|(value, key)| *value += shine * key);
        self.add_mouth_gap(&mut colour, x, y);
        self.add_nostrils(&mut colour, x, y);
        self.add_eye(&mut colour, x, y);
        self.add_brow(&mut colour, x, y, normal);
        colour
    }

    fn normal(&self, x: f32, y: f32) -> [f32; 3] {
        const REACH: f32 = 0.02;
        let z = self.shape.relief(x, y);
        let pores = |x: f32, y: f32| 0.0016 * self.field(5).cloud(24.0 * x, 24.0 * y, 2);
        let here = z + pores(x, y);
        let right = self.shape.relief(x + REACH, y) + pores(x + REACH, y);
        let below = self.shape.relief(x, y + REACH) + pores(x, y + REACH);
        unit([(here - right) / REACH, (here - below) / REACH, 1.0])
    }

    /// The shadow of the nose, 0 to about 0.6.
    fn nose_shadow(&self, x: f32, y: f32) -> f32 {
        let nose = &self.person().nose;
        let [across, up, _] = self.light.towards;
        let (dx, dy) = (-0.3 * across, 0.02 - 0.16 * up);
        let strength = 0.75 * (across.abs() + 0.4 * up.abs()).min(1.0);
        let long = bump((x - dx) / 0.11, (y - nose.tip - dy + 0.1) / 0.14);
        strength * long * step(0.0, 0.08, (x * -across.signum()).max(y - nose.tip - 0.05))
    }

    /// Linear RGB of the bare skin.
    fn skin(&self, x: f32, y: f32) -> Colour {
        let Person { skin, mouth, nose, head, eyes, .. } = self.person();
        let side = x.abs();
        let blotches = self.field(1).cloud(3.1 * x, 3.1 * y, 3);
        let grain = self.field(2).cloud(17.0 * x, 17.0 * y, 2);
        let uneven = 1.0 + skin.blotches * (blotches + 0.6 * grain);
        let rosy = bump((side - 0.58) / 0.22, (y - 0.38) / 0.2)
            + 0.7 * bump(x / 0.16, (y - nose.tip) / 0.12)
            + 0.4 * bump(x / 0.25, (y - head.chin + 0.12) / 0.12);
        let red = skin.blush * rosy * (1.0 + 0.4 * blotches);
        let tired =
            0.22 * (0.3 + skin.age) * bump((side - eyes.apart) / 0.17, (y - eyes.level - 0.14) / 0.06);
        let spots = self.field(3).spots(13.0 * x, 13.0 * y, 0.34, 0.5)
            * step(0.3, 0.8, bump(x / 0.9, (y - 0.3) / 0.4));
        let dark = uneven * (1.0 - skin.freckles * spots) * (1.0 - tired);
        let mole = self.field(6).spots(1.7 * x, 1.7 * y, 0.045, 0.12);
        let mut colour = [
            skin.albedo[0] * dark * (1.0 + 0.12 * red) * (1.0 - 0.6 * mole),
            skin.albedo[1] * dark * (1.0 - 0.75 * red) * (1.0 - 0.7 * mole),
            skin.albedo[2] * dark * (1.0 - 0.65 * red) * (1.0 - 0.7 * mole),
        ];
        if skin.beard > 0.0 {
            let moustache = bump(x / (0.8 * mouth.width), (y - mouth.level + 0.14) / 0.06);
            let jaw = step(0.45, 0.95, y + 0.35 * side * side)
                * step(
                    0.25,
                    0.55,
                    bump(x / 0.36, (y - 0.62) / 0.3) + step(0.7, 1.0, y) + step(0.45, 0.7, side),
                );
            let stubble = 0.75 + 0.5 * self.field(7).cloud(31.0 * x, 19.0 * y, 2);
            let share = (skin.beard * moustache.max(jaw) * stubble).clamp(0.0, 1.0);
            cover(&mut colour, self.person().hair.colour.map(|value| 0.02 + 0.8 * value), share);
        }
        colour
    }

    /// Folds between nose and mouth, on the forehead and above the eyelids.
    fn add_folds(&self, albedo: &mut Colour, x: f32, y: f32) {
        let Person { skin, nose, eyes, .. } = self.person();
        let side = x.abs();
        let smile = self.shape.expression.smile.max(0.0);
        let along = ((y - nose.tip) / 0.42).clamp(0.0, 1.0);
        let cheek = nose.width + 0.04 + along * (self.shape.mouth_width() + 0.05 - nose.width);
        let nasolabial = bump((side - cheek) / 0.025, 0.0)
            * bump(0.0, (along - 0.5) / 0.3)
            * (0.12 + 0.25 * skin.age + 0.25 * smile);
        let wave = 0.02 * self.field(8).smooth(2.5 * x, 0.0);
        let rows = [-0.28, -0.4, -0.52].map(|row| bump(0.0, (y - self.shape.brow(0.4) - row - wave) / 0.014));
        let forehead = 0.2 * skin.age * rows.iter().sum::<f32>() * bump(x / 0.45, 0.0);
        let u = (side - eyes.apart) / eyes.width;
        let crease = if u.abs() < 1.15 {
            let (upper, _) = self.shape.lids(u.clamp(-1.0, 1.0));
            0.35 * bump(0.0, (y - upper + 0.05) / 0.014) * (1.0 - (u / 1.15).powi(2))
        } else {
            0.0
        };
        let shade = 1.0 - (nasolabial + forehead + crease).min(0.7);
        albedo.iter_mut().zip([1.0, 1.12, 1.15]).for_each(|(value, deep)| {
            *value *= f32::max(1.0 - deep * (1.0 - shade), 0.1);
        });
    }

    fn add_lips(&self, albedo: &mut Colour, x: f32, y: f32) {
        let mouth = &self.person().mouth;
        let along = x / self.shape.mouth_width();
        if along.abs() >= 1.0 {
            return;
        }
        let (line, gap) = (self.shape.lips(x), 0.5 * self.gap(along));
        let taper = (1.0 - along * along).powf(0.6);
        let bow = 1.0 - 0.28 * bump(along / 0.12, 0.0) - 0.25 * along.abs();
        let top = line - gap - mouth.upper * taper * bow;
        let bottom = line + gap + mouth.lower * (1.0 - along.powi(2)).powf(0.7);
        let soft = 0.012 + self.pixel;
        let share = step(-soft, soft, y - top) * step(-soft, soft, bottom - y);
        let ribs = 1.0 + 0.12 * self.field(9).smooth(40.0 * x, 5.0 * y);
        let upper_is_darker = mix(0.8, 1.05, step(-0.02, 0.02, y - line));
        let colour = mouth.colour.map(|value| value * ribs * upper_is_darker);
        cover(albedo, colour, 0.9 * share);
    }

    /// How far the lips are apart, `along` in [-1, 1] from corner to corner.
    fn gap(&self, along: f32) -> f32 {
        self.shape.expression.open * (1.0 - along * along).max(0.0).powf(0.7)
    }

    fn add_mouth_gap(&self, colour: &mut Colour, x: f32, y: f32) {
        let along = x / self.shape.mouth_width();
        if along.abs() >= 1.04 {
            return;
        }
        let below = y - self.shape.lips(x);
        let gap = 0.5 * self.gap(along) + 0.009;
        let share = self.inside(gap - below.abs()) * (1.0 - 0.5 * along.abs().powi(4));
        let teeth_bottom = 0.5 * self.gap(along) - 0.02;
        let between = 1.0 - 0.25 * bump((x / 0.055).fract().abs() * 6.0, 0.0);
        let white = 0.5 * between * (1.0 - 0.6 * along.abs());
        let is_tooth = if self.shape.expression.open > 0.0 { self.inside(teeth_bottom - below) } else { 0.0 };
        let dark = [0.035, 0.012, 0.012];
        let key = self.light.key[1] + 0.5 * self.light.sky[1];
        let tooth = [white * key, 0.93 * white * key, 0.82 * white * key];
        let inner = std::array::from_fn(|c| mix(dark[c], tooth[c], is_tooth));
        cover(colour, inner, 0.92 * share);
    }

    fn add_nostrils(&self, colour: &mut Colour, x: f32, y: f32) {
        let nose = &self.person().nose;
        let across = (x.abs() - 0.52 * nose.width) / (0.3 * nose.width);
        let down = (y - nose.tip - 0.085) / 0.03;
        let share = 1.0 - step(0.6, 1.3, (across * across + down * down).sqrt());
        let wing = 0.4 * bump((x.abs() - 1.08 * nose.width) / 0.025, (y - nose.tip - 0.04) / 0.055);
        colour.iter_mut().for_each(|value| *value *= (1.0 - 0.8 * share) * (1.0 - wing));
    }

    fn add_eye(&self, colour: &mut Colour, x: f32, y: f32) {
        let eyes = &self.person().eyes;
        let along = (x.abs() - eyes.apart) / eyes.width;
        if along.abs() >= 1.2 {
            return;
        }
        let (upper, lower) = self.shape.lids(along.clamp(-1.0, 1.0));
        let ends = self.inside((1.0 - along.abs()) * eyes.width);
        let open = self.inside(y - upper) * self.inside(lower - y) * ends;
        if open > 0.0 {
            cover(colour, self.eyeball(x, y, upper), open);
        }
        let lash = bump(0.0, (y - upper) / 0.017) * (1.0 - step(0.95, 1.15, along.abs()));
        let lower_lash = 0.3 * bump(0.0, (y - lower) / 0.012) * (1.0 - step(0.7, 1.0, along.abs()));
        let dark = self.person().hair.colour.map(|value| 0.3 * value.min(0.1));
        cover(colour, dark, (0.9 * lash + lower_lash).min(1.0));
    }

    fn eyeball(&self, x: f32, y: f32, upper: f32) -> Colour {
        let eyes = &self.person().eyes;
        let gaze = self.shape.expression.gaze;
        let side = if x < 0.0 { -1.0 } else { 1.0 };
        let (dx, dy) = (x - side * eyes.apart - gaze[0], y - eyes.level + 0.012 - gaze[1]);
        let radius = (dx * dx + dy * dy).sqrt() / eyes.iris;
        let brightness = self.light.key[1] * 0.7 + self.light.sky[1];
        let under_lid = step(-0.02, 0.07, y - upper);
        let shade = brightness * mix(0.35, 1.0, under_lid);
        let mut colour = [0.52 * shade, 0.47 * shade, 0.45 * shade];
        let rays = 1.0 + 0.3 * self.field(10).smooth(3.0 * dy.atan2(dx), 2.0 * radius);
        let rim = 1.0 - 0.6 * step(0.75, 1.0, radius);
        let iris = eyes.colour.map(|value| value * rays * rim * shade);
        let soft = self.pixel / eyes.iris;
        cover(&mut colour, iris, 1.0 - step(1.0 - 0.7 * soft, 1.0 + 0.7 * soft, radius));
        cover(&mut colour, [0.004; 3], 1.0 - step(0.42 - 0.5 * soft, 0.42 + 0.5 * soft, radius));
        let [across, up, _] = self.light.towards;
        let spark = bump((dx - 0.035 * across) / 0.02, (dy - 0.035 * up) / 0.02);
        cover(&mut colour, self.light.key.map(|value| 0.9 * value), 0.85 * spark);
        colour
    }

    fn add_brow(&self, colour: &mut Colour, x: f32, y: f32, normal: [f32; 3]) {
        let brows = &self.person().brows;
        let side = x.abs();
        if !(0.08..0.82).contains(&side) {
            return;
        }
        let along = ((side - 0.12) / 0.62).clamp(0.0, 1.0);
        let strands = self.field(11).smooth(26.0 * (side + 0.6 * y), 7.0 * (y - 0.4 * side));
        let thick = brows.thickness * (1.0 - 0.75 * along.powi(2)) * (1.0 + 0.25 * strands);
        let off = (y - self.shape.brow(side)).abs() - thick;
        let ends = step(0.1, 0.2, side) * (1.0 - step(0.68, 0.78, side));
        let share = (1.0 - step(-0.02, 0.022, off)) * ends * brows.density * (0.85 + 0.3 * strands);
        let hair = self.person().hair.colour.map(|value| 0.6 * value.min(0.16) + 0.006);
        cover(colour, self.light.matt(hair, normal, 0.2, 1.0), share.clamp(0.0, 1.0));
    }
}
