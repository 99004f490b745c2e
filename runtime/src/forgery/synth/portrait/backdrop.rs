//! What is behind and below the head: wall, neck, clothes.

use super::light::{Colour, Light, cover, unit};
use super::person::Person;
use super::shot::Backdrop;
use crate::forgery::noise::{Field, bump, mix, step};

/// Draws everything but the head.
pub(super) struct Behind<'a> {
    pub person: &'a Person,
    pub backdrop: &'a Backdrop,
    pub light: &'a Light,
    /// The width of a pixel in half face widths.
    pub pixel: f32,
}

impl Behind<'_> {
    fn field(&self, which: u32) -> Field {
        Field::new(self.backdrop.texture.wrapping_add(which))
    }

    /// Linear RGB of the wall at a position in the picture, in picture sides: two colours,
    /// out-of-focus shapes, plaster.
    pub fn wall(&self, u: f32, v: f32) -> Colour {
        let [upper, lower] = self.backdrop.colours;
        let share = step(-0.1, 1.1, v + 0.25 * self.field(0).smooth(1.3 * u, 1.3 * v));
        let shapes = self.field(1).smooth(3.2 * u, 3.2 * v);
        let discs = self.field(2).spots(2.6 * u, 2.6 * v, 0.36, 0.35);
        let plaster = self.field(3).cloud(30.0 * u, 30.0 * v, 2);
        let clutter = self.backdrop.clutter * (0.55 * shapes + 0.7 * discs) + 0.03 * plaster;
        let falloff = 0.75 + 0.25 * (1.0 - (u - 0.5 - 0.4 * self.light.towards[0]).abs());
        std::array::from_fn(|c| mix(upper[c], lower[c], share) * (1.0 + clutter).max(0.1) * falloff)
    }

    /// How much neck or clothes cover a position (without the turn of the head).
    pub fn body_share(&self, x: f32, y: f32) -> f32 {
        let soft = self.softness();
        let neck_width = self.person.head.neck * (1.0 + 0.25 * step(0.9, 1.9, y));
        let neck = step(-soft, soft, neck_width - x.abs()) * step(-soft, soft, y - 0.55);
        neck.max(self.clothed(x, y))
    }

    /// Linear RGB of neck and clothes at a position.
    pub fn body(&self, x: f32, y: f32) -> Colour {
        let clothed = self.clothed(x, y);
        let mut colour = if clothed < 1.0 { self.neck(x, y) } else { [0.0; 3] };
        if clothed > 0.0 {
            cover(&mut colour, self.clothes(x, y), clothed);
        }
        colour
    }

    fn softness(&self) -> f32 {
        0.7 * self.pixel + 0.01
    }

    fn clothed(&self, x: f32, y: f32) -> f32 {
        let slope = 0.22 * (x.abs() - 0.5).max(0.0).powf(1.4);
        let collar = 1.72 + slope - 0.12 * step(0.9, 0.3, x.abs());
        step(-self.softness(), self.softness(), y - collar)
    }

    fn neck(&self, x: f32, y: f32) -> Colour {
        let Person { head, skin, texture, .. } = self.person;
        let round = x / (1.2 * head.neck);
        let normal = unit([round, -0.1, (1.0 - round * round).max(0.05).sqrt()]);
        let shadow = 0.65 * bump(x / 0.8, (y - head.chin - 0.05) / 0.2);
        let uneven = 1.0 + 0.1 * Field::new(texture ^ 0x99).cloud(4.0 * x, 4.0 * y, 3);
        let albedo = skin.albedo.map(|value| 0.85 * value * uneven);
        self.light.matt(albedo, normal, 0.3, 1.0 - shadow).map(|value| value * (1.0 - 0.45 * shadow))
    }

    fn clothes(&self, x: f32, y: f32) -> Colour {
        let folds = self.field(4).cloud(2.2 * x, 1.1 * y, 3);
        let weave = self.field(5).smooth(60.0 * x, 60.0 * y);
        let normal = unit([0.5 * x + 0.5 * folds, -0.35, 0.8]);
        let albedo = self.backdrop.clothes.map(|value| value * (1.0 + 0.25 * folds + 0.08 * weave));
        self.light.matt(albedo, normal, 0.1, 1.0)
    }
}
