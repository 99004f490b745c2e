//! Portraits of people who do not exist, drawn from formulas: a [`Person`] is what is the same in
//! every shot, a [`Shot`] is pose, expression, light and camera. They serve for demos and tests
//! without anyone's photographs; they do not measure detectors of real faces.

mod backdrop;
mod camera;
mod hair;
mod light;
mod person;
mod shape;
mod shot;
mod skin;

pub use person::Person;
pub use shot::Shot;

use crate::faces::face::Landmarks;
use crate::forgery::noise;
use backdrop::Behind;
use hair::Strands;
use image::RgbImage;
use light::{Colour, cover};
use rand_chacha::ChaCha8Rng;
use shape::Shape;
use skin::Face;

/// A picture of a face, with its landmarks.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The photograph.
    pub picture: RgbImage,
    /// 67 points; the first 28 are the outline, clockwise from the forehead.
    pub landmarks: Landmarks,
}

/// Draws `person` under the conditions of `shot`: `size` x `size` pixels, with sensor noise from
/// `random`. Edges are as sharp as the size allows, so the same person and shot look the same at
/// every size.
///
/// # Panics
/// `size` is 0.
pub fn photograph(person: &Person, shot: &Shot, size: u32, random: &mut ChaCha8Rng) -> Portrait {
    assert!(size > 0, "a picture has at least one pixel");
    let shape = Shape::new(person, shot);
    let scene = Scene::new(&shape, shot, size);
    let pixels = (0..size * size).map(|index| {
        let at = [index % size, index / size].map(|place| (place as f32 + 0.5) / size as f32);
        scene.colour(at)
    });
    Portrait {
        picture: camera::expose(pixels.collect(), size, &shot.camera, random),
        landmarks: shape.landmarks(&shot.pose, size),
    }
}

/// Everything in the picture, from back to front.
struct Scene<'a> {
    shape: &'a Shape<'a>,
    shot: &'a Shot,
    behind: Behind<'a>,
    strands: Strands<'a>,
    face: Face<'a>,
    /// The width of a pixel in half face widths.
    pixel: f32,
}

impl<'a> Scene<'a> {
    fn new(shape: &'a Shape<'a>, shot: &'a Shot, size: u32) -> Self {
        let person = shape.person;
        let light = &shot.light;
        let pixel = 1.0 / (shot.pose.scale * size as f32);
        Self {
            shape,
            shot,
            behind: Behind { person, backdrop: &shot.backdrop, light, pixel },
            strands: Strands {
                hair: &person.hair,
                head: &person.head,
                light,
                texture: person.texture,
                pixel,
            },
            face: Face { shape, light, pixel },
            pixel,
        }
    }

    /// Linear RGB at a position in the picture, in picture sides. What is completely covered is
    /// not drawn.
    fn colour(&self, at: [f32; 2]) -> Colour {
        let (place, flat) = self.shape.place(at, &self.shot.pose);
        let [x, y] = place;
        let contour = self.shape.contour(x, y);
        let front = self.strands.before(x, y, contour);
        if front >= 1.0 {
            return self.strands.colour(x, y);
        }
        let head = noise::step(-0.8 * self.pixel, 0.8 * self.pixel, 1.0 - contour);
        let mut colour = if head < 1.0 { self.behind_face(at, place, flat) } else { [0.0; 3] };
        if head > 0.0 {
            cover(&mut colour, self.face.colour(x, y), head);
        }
        if front > 0.0 {
            cover(&mut colour, self.strands.colour(x, y), front);
        }
        colour
    }

    /// Wall, hair behind the head, neck, clothes and ears.
    fn behind_face(&self, at: [f32; 2], [x, y]: [f32; 2], flat: [f32; 2]) -> Colour {
        // The back of the head moves in the opposite direction to the face.
        let back = [flat[0] + 0.25 * self.shot.pose.yaw, flat[1]];
        let body = self.behind.body_share(flat[0], flat[1]);
        let hair = self.strands.behind(back[0], back[1]);
        let mut colour = [0.0; 3];
        if body < 1.0 {
            if hair < 1.0 {
                colour = self.behind.wall(at[0], at[1]);
            }
            if hair > 0.0 {
                let shaded = self.strands.colour(back[0], back[1]).map(|value| 0.7 * value);
                cover(&mut colour, shaded, hair);
            }
        }
        if body > 0.0 {
            cover(&mut colour, self.behind.body(flat[0], flat[1]), body);
        }
        self.add_ear(&mut colour, x, y);
        colour
    }

    fn add_ear(&self, colour: &mut Colour, x: f32, y: f32) {
        let person = self.shape.person;
        let (across, down) = ((x.abs() - 1.0) / 0.13, (y - person.eyes.level - 0.2) / 0.27);
        let distance = (across * across + down * down).sqrt();
        let share = 1.0 - noise::step(1.0 - 7.0 * self.pixel, 1.0 + 7.0 * self.pixel, distance);
        if share > 0.0 {
            let normal = light::unit([0.6 * x.signum(), 0.0, 0.8]);
            let hollow = 1.0 - 0.35 * noise::bump(across / 0.45, down / 0.6);
            let albedo = person.skin.albedo;
            let red = [0.95 * hollow, 0.78 * hollow, 0.76 * hollow];
            let ear = self.shot.light.matt(std::array::from_fn(|c| albedo[c] * red[c]), normal, 0.5, 1.0);
            cover(colour, ear, share);
        }
    }
}

#[cfg(test)]
mod tests;
