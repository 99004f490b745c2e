//! The head as a surface: the form of the face, its projection under a pose, and its landmarks.
//!
//! A position on the face is (x, y) in the frontal view, in half face widths; its depth z follows
//! from it.

use super::person::Person;
use super::shot::{Expression, Pose, Shot};
use crate::faces::face::{Landmarks, Point};
use crate::forgery::noise::{bump, mix, step};

/// Depth around which the head turns.
const PIVOT: f32 = 0.35;

/// One person's face with one expression.
pub(super) struct Shape<'a> {
    pub person: &'a Person,
    pub expression: &'a Expression,
}

impl<'a> Shape<'a> {
    pub fn new(person: &'a Person, shot: &'a Shot) -> Self {
        Self { person, expression: &shot.expression }
    }

    /// 0 in the middle of the bare head, 1 on its contour, more outside.
    pub fn contour(&self, x: f32, y: f32) -> f32 {
        let head = &self.person.head;
        if y < 0.0 {
            return (x.abs().powf(2.2) + (-y / head.crown).powf(2.2)).powf(1.0 / 2.2);
        }
        let down = y / (head.chin + 0.5 * self.expression.open);
        let side = x.abs() / (1.0 - head.taper * down * down).max(0.2);
        (side.powf(head.square) + down.powf(head.square)).powf(1.0 / head.square)
    }

    /// The large form: a dome with the nose on it. Smooth, so that a pose can be
    /// undone by iteration.
    fn depth(&self, x: f32, y: f32) -> f32 {
        let nose = &self.person.nose;
        let round = 1.0 - (x / 1.3).powi(2) - ((y - 0.05) / 1.75).powi(2);
        0.95 * round.max(0.0).sqrt() + nose.height * bump(x / 0.2, (y - 0.8 * nose.tip) / 0.24)
    }

    /// The detailed form, for shading only.
    pub fn relief(&self, x: f32, y: f32) -> f32 {
        let Person { head, eyes, nose, mouth, brows, .. } = self.person;
        let side = x.abs();
        let round = 1.0 - (x / 1.12).powi(2) - ((y - 0.05) / 1.62).powi(2);
        let mut z = 0.95 * round.max(0.02).sqrt();
        let ridge = step(eyes.level - 0.25, nose.tip, y) * (1.0 - step(nose.tip, nose.tip + 0.12, y));
        z += nose.height * mix(0.35, 1.0, ridge) * ridge * bump(x / nose.bridge, 0.0);
        z += 0.55 * nose.height * bump(x / (0.55 * nose.width), (y - nose.tip) / 0.09);
        z += 0.3 * nose.height * bump((side - 0.8 * nose.width) / 0.06, (y - nose.tip - 0.03) / 0.07);
        z -= 0.13 * bump((side - eyes.apart) / 0.2, (y - eyes.level) / 0.12);
        z += 0.07 * bump((side - eyes.apart) / 0.055, (y - eyes.level) / 0.07);
        z += 0.05 * bump((side - 0.42) / 0.28, (y - eyes.level + brows.lift) / 0.09);
        z += (head.cheeks + 0.1 * self.expression.smile.max(0.0))
            * bump((side - 0.55) / 0.2, (y - 0.36) / 0.16);
        z += 0.05 * bump(x / (0.8 * mouth.width), (y - mouth.level + 0.06) / 0.05);
        z += 0.06 * bump(x / (0.7 * mouth.width), (y - mouth.level - 0.08) / 0.05);
        z -= 0.05 * bump(x / 0.25, (y - mouth.level - 0.22) / 0.06);
        z += 0.07 * bump(x / 0.22, (y - head.chin + 0.16) / 0.1);
        z - 0.03 * bump(x / 0.035, (y - mouth.level + 0.18) / 0.08)
    }

    /// y of the line between the lips, without the gap.
    pub fn lips(&self, x: f32) -> f32 {
        let mouth = &self.person.mouth;
        let along = x / self.mouth_width();
        mouth.level - 0.09 * self.expression.smile * (along * along - 0.25)
    }

    /// Half the mouth's width under the expression.
    pub fn mouth_width(&self) -> f32 {
        self.person.mouth.width * (1.0 + 0.25 * self.expression.smile.max(0.0))
    }

    /// y of the brow `side` half face widths from the middle.
    pub fn brow(&self, side: f32) -> f32 {
        let Person { eyes, brows, .. } = self.person;
        let along = ((side - 0.16) / 0.56).clamp(0.0, 1.0);
        let arch = brows.arch * (1.0 - ((along - 0.62) / 0.62).powi(2));
        eyes.level - brows.lift - arch - self.expression.brows
    }

    /// y of an eye's upper and lower lid, `along` in [-1, 1] from the inner to the
    /// outer corner.
    pub fn lids(&self, along: f32) -> (f32, f32) {
        let eyes = &self.person.eyes;
        let arc = (1.0 - along * along).max(0.0);
        let level = eyes.level - eyes.tilt * along;
        let height = eyes.height * self.expression.eyes;
        (level - height * arc.powf(0.75), level + 0.62 * height * arc)
    }

    /// The landmarks as seen under `pose` in a picture of `size` pixels a side.
    pub fn landmarks(&self, pose: &Pose, size: u32) -> Landmarks {
        let mut places = self.outline_places();
        let outline = (0..places.len()).collect();
        places.extend(self.feature_places());
        let points = places.into_iter().map(|place| self.seen(place, pose, size)).collect();
        Landmarks { points, outline }
    }

    /// Around the face clockwise from the middle of the forehead, below the
    /// hairline and inside the contour.
    fn outline_places(&self) -> Vec<Point> {
        const COUNT: usize = 28;
        let eyes = &self.person.eyes;
        let top = self.brow(0.5) - 0.14;
        let middle = eyes.level + 0.35;
        let place = |index: usize| {
            let angle = std::f32::consts::TAU * index as f32 / COUNT as f32;
            let (across, up) = angle.sin_cos();
            let (mut near, mut far) = (0.0_f32, 2.5_f32);
            for _ in 0..24 {
                let reach = 0.5 * (near + far);
                let (x, y) = (across * reach, middle - up * reach);
                if self.contour(x, y) > 0.9 || y < top { far = reach } else { near = reach }
            }
            [across * near, middle - up * near]
        };
        (0..COUNT).map(place).collect()
    }

    fn feature_places(&self) -> Vec<Point> {
        let Person { eyes, nose, mouth, .. } = self.person;
        let mut places = Vec::new();
        for side in [-1.0_f32, 1.0] {
            for reach in [0.16, 0.32, 0.48, 0.64] {
                places.push([side * reach, self.brow(reach)]);
            }
            for along in [-1.0_f32, -0.4, 0.4, 1.0] {
                let x = side * (eyes.apart + along * eyes.width);
                let (upper, lower) = self.lids(along);
                places.push([x, upper]);
                if along.abs() < 1.0 {
                    places.push([x, lower]);
                }
            }
            places.push([side * nose.width, nose.tip + 0.04]);
            places.push([side * 0.5 * nose.width, nose.tip + 0.11]);
            places.push([side * 0.62, 0.42]);
        }
        for share in [0.1, 0.45, 0.75, 1.0] {
            places.push([0.0, mix(eyes.level, nose.tip, share)]);
        }
        places.push([0.0, nose.tip + 0.13]);
        let (width, gap) = (self.mouth_width(), 0.5 * self.expression.open);
        for along in [-1.0_f32, -0.5, 0.0, 0.5, 1.0] {
            let (x, y) = (along * width, self.lips(along * width));
            if along.abs() == 1.0 {
                places.push([x, y]);
            } else {
                places.push([x, y - gap - 0.9 * mouth.upper]);
                places.push([x, y + gap + 0.9 * mouth.lower]);
            }
        }
        places
    }

    /// The position in the picture, in pixels, of a position on the face.
    pub fn seen(&self, place: Point, pose: &Pose, size: u32) -> Point {
        let [x, y] = place;
        let z = self.depth(x, y) - PIVOT;
        let turned = [x * pose.yaw.cos() + z * pose.yaw.sin(), y * pose.pitch.cos() + z * pose.pitch.sin()];
        let (sin, cos) = pose.roll.sin_cos();
        let tilted = [turned[0] * cos - turned[1] * sin, turned[0] * sin + turned[1] * cos];
        let side = size as f32;
        [0, 1].map(|axis| side * (pose.centre[axis] + pose.scale * tilted[axis]))
    }

    /// The position on the face seen at `at` (in picture sides), and the one without the turn of
    /// the head (for hair, neck and clothes): the inverse of [`Shape::seen`].
    pub fn place(&self, at: Point, pose: &Pose) -> (Point, Point) {
        let moved = [0, 1].map(|axis| (at[axis] - pose.centre[axis]) / pose.scale);
        let (sin, cos) = pose.roll.sin_cos();
        let flat = [moved[0] * cos + moved[1] * sin, moved[1] * cos - moved[0] * sin];
        let mut place = flat;
        for _ in 0..8 {
            let before = place;
            let z = self.depth(place[0], place[1]) - PIVOT;
            place = [
                (flat[0] - z * pose.yaw.sin()) / pose.yaw.cos(),
                (flat[1] - z * pose.pitch.sin()) / pose.pitch.cos(),
            ];
            if (place[0] - before[0]).abs() + (place[1] - before[1]).abs() < 2e-3 {
                break;
            }
        }
        (place, flat)
    }
}
