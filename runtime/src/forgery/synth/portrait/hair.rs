//! Hair: behind the head, over the forehead, and its strands.

use super::light::{Colour, Light, unit};
use super::person::{Hair, Head};
use crate::forgery::noise::{Field, bump, mix, step};

/// Draws one person's hair under one light.
pub(super) struct Strands<'a> {
    pub hair: &'a Hair,
    pub head: &'a Head,
    pub light: &'a Light,
    pub texture: u32,
    /// The width of a pixel in half face widths.
    pub pixel: f32,
}

impl Strands<'_> {
    /// How much the hair behind the head covers a position.
    pub fn behind(&self, x: f32, y: f32) -> f32 {
        let Hair { volume, length, .. } = *self.hair;
        if volume == 0.0 {
            return 0.0;
        }
        let ragged = 0.035 * self.fringe(x, y);
        let (wide, high) = (1.0 + 0.8 * volume, self.head.crown + volume);
        let distance = if y < 0.0 {
            1.0 - ((x.abs() / wide).powf(2.3) + (-y / high).powf(2.3)).powf(1.0 / 2.3)
        } else {
            let spread = wide * (1.0 + 0.06 * (y / length.max(0.3)).min(1.5));
            (1.0 - x.abs() / spread).min(length - y + 0.3 * x.abs())
        };
        self.edge(distance + ragged)
    }

    /// How much the hair in front of forehead and temples covers a position; `contour` is that of
    /// the bare head.
    pub fn before(&self, x: f32, y: f32, contour: f32) -> f32 {
        let Hair { volume, length, line, sweep, parting, .. } = *self.hair;
        if volume == 0.0 {
            return 0.0;
        }
        let ragged = 0.05 * self.fringe(x, y);
        let from_parting = (x - parting).abs();
        let hairline = line + sweep * from_parting.powi(2) * 0.55 + 0.2 * x.powi(4);
        let forehead = hairline - y;
        // Down the temples, to the ears or along the whole face.
        let lowest = if length > 0.5 { length } else { 0.12 + length.max(-0.1) };
        let temple = (x.abs() - mix(0.97, 0.86, volume * 2.0)).min(lowest - y);
        let inside_head = 1.0 + volume - contour;
        self.edge((forehead.max(temple) + ragged).min(inside_head))
    }

    fn edge(&self, distance: f32) -> f32 {
        step(-0.02 - 0.7 * self.pixel, 0.02 + 0.7 * self.pixel, distance)
    }

    /// Coordinates on the strands: (across, along).
    fn flow(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.hair.parting, y + self.head.crown + 0.5);
        let bend = 0.12 * self.hair.curl * Field::new(self.texture ^ 0x77).smooth(2.0 * x, 3.0 * y);
        (dx.atan2(dy) + bend, (dx * dx + dy * dy).sqrt())
    }

    fn fringe(&self, x: f32, y: f32) -> f32 {
        let (across, along) = self.flow(x, y);
        Field::new(self.texture ^ 0x3131).cloud(22.0 * across, 0.7 * along, 2)
    }

    /// Linear RGB of the hair at a position.
    pub fn colour(&self, x: f32, y: f32) -> Colour {
        let (across, along) = self.flow(x, y);
        let fine = Field::new(self.texture ^ 0x1111).cloud(48.0 * across, 1.1 * along, 3);
        let locks = Field::new(self.texture ^ 0x2222).smooth(11.0 * across, 0.8 * along);
        let albedo = self.hair.colour.map(|value| value * (1.0 + 0.55 * fine + 0.35 * locks).max(0.15));
        let normal = unit([0.75 * x, 0.55 * y + 0.15, 0.75 + 0.12 * locks]);
        let mut colour = self.light.matt(albedo, normal, 0.3, 1.0);
        // Strands shine in a band where they bend towards the light.
        let band =
            bump(0.0, (y + self.head.crown * 0.72 + 0.2 * locks) / 0.2) * self.light.highlight(normal, 6.0);
        let shine = 0.12 * band * (0.5 + 0.5 * fine).max(0.0);
        let tint = self.hair.colour.map(|value| 0.35 + value);
        colour.iter_mut().zip(tint).for_each(|(value, tint)| *value += shine * tint);
        colour
    }
}
