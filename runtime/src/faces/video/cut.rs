//! Detects cuts between two frames of a video.

use crate::data::resize::{self, Filter};
use crate::faces::face::FaceBox;
use image::RgbImage;

/// A frame is divided into this many fields a side.
const FIELDS: u32 = 16;
/// A field has changed if the sum of its mean red, green and blue changed by more levels than
/// this.
const LEVELS: u32 = 3 * 24;
/// There is a cut if more than one in this many background fields has changed. A fast pan or a
/// lamp that is switched on is also taken for one; then the frames of the shorter part are lost.
const ONE_IN: usize = 3;
/// The size of a head in sides of its face's box: what moves with the face is no background.
const HEAD: f32 = 1.6;
/// Where fewer fields than this are background in both frames, all fields are compared.
const LEAST_GROUND: usize = 32;

/// The mean colours of a frame's fields, which are compared between frames.
#[derive(Clone, Debug)]
pub(super) struct FieldColours {
    /// Red, green, blue of each field.
    colours: Vec<u8>,
    /// Whether a field is background: outside every head.
    ground: Vec<bool>,
}

impl FieldColours {
    /// The colours of `frame`, in which `faces` were found.
    ///
    /// # Panics
    /// The frame has no pixels.
    pub fn of(frame: &RgbImage, faces: &[FaceBox]) -> Self {
        let small = resize::resized(frame, (FIELDS, FIELDS), Filter::Box);
        let middle = |field: u32, side: u32| (field as f32 + 0.5) * side as f32 / FIELDS as f32;
        let is_ground = |field: u32| {
            let at = [middle(field % FIELDS, frame.width()), middle(field / FIELDS, frame.height())];
            !faces.iter().any(|face| {
                let reach = HEAD / 2.0 * face.side();
                face.middle().iter().zip(at).all(|(middle, at)| (middle - at).abs() <= reach)
            })
        };
        Self { colours: small.into_raw(), ground: (0..FIELDS * FIELDS).map(is_ground).collect() }
    }

    /// Whether the later frame `next` is after a cut.
    pub fn cut_to(&self, next: &Self) -> bool {
        let both: Vec<bool> = self.ground.iter().zip(&next.ground).map(|(a, b)| *a && *b).collect();
        let little = both.iter().filter(|ground| **ground).count() < LEAST_GROUND;
        let fields = self.colours.chunks_exact(3).zip(next.colours.chunks_exact(3)).zip(both);
        let (mut compared, mut changed) = (0, 0);
        for ((before, after), _) in fields.filter(|(_, ground)| *ground || little) {
            let moved: u32 = before.iter().zip(after).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            compared += 1;
            changed += usize::from(moved > LEVELS);
        }
        changed * ONE_IN > compared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, imageops};

    fn scene(phase: u32) -> RgbImage {
        RgbImage::from_fn(320, 200, |x, y| {
            let wave = |size: u32| (((x + y * 2 + phase) / size % 2) * 150 + 50) as u8;
            Rgb([wave(60), wave(90), (y / 2) as u8])
        })
    }

    #[test]
    fn a_large_face_that_moves_is_no_cut() {
        let face = |left: f32| FaceBox { left, top: 40.0, right: left + 110.0, bottom: 150.0 };
        let shot = |left: f32, phase: u32| {
            let mut picture = scene(phase);
            let head = RgbImage::from_pixel(150, 150, Rgb([230, 180, 250]));
            imageops::overlay(&mut picture, &head, left as i64 - 20, 20);
            picture
        };
        let seen = |left: f32, phase: u32| FieldColours::of(&shot(left, phase), &[face(left)]);
        let unseen = |left: f32| FieldColours::of(&shot(left, 0), &[]);
        assert!(unseen(20.0).cut_to(&unseen(120.0)), "most of the picture changes");
        assert!(!seen(20.0, 0).cut_to(&seen(120.0, 0)), "its ground does not");
        assert!(seen(20.0, 0).cut_to(&seen(20.0, 45)), "the same face elsewhere");
        // A face that leaves no ground to compare.
        let close = FaceBox { left: 0.0, top: 0.0, right: 320.0, bottom: 320.0 };
        let full = |phase: u32| FieldColours::of(&scene(phase), &[close]);
        assert!(full(0).cut_to(&full(45)) && !full(0).cut_to(&full(0)));
    }

    #[test]
    fn another_scene_is_a_cut_and_what_moves_in_it_is_none() {
        let look = FieldColours::of(&scene(0), &[]);
        assert!(!look.cut_to(&look));
        let mut later = scene(0);
        imageops::overlay(&mut later, &RgbImage::from_pixel(90, 120, Rgb([230, 180, 150])), 100, 40);
        assert!(!look.cut_to(&FieldColours::of(&later, &[])), "something the size of a face appears");
        let mut brighter = scene(0);
        brighter.iter_mut().for_each(|value| *value = value.saturating_add(15));
        assert!(!look.cut_to(&FieldColours::of(&brighter, &[])));
        assert!(look.cut_to(&FieldColours::of(&scene(45), &[])));
        assert!(look.cut_to(&FieldColours::of(&RgbImage::new(320, 200), &[])));
        assert!(
            !FieldColours::of(&RgbImage::new(1, 1), &[])
                .cut_to(&FieldColours::of(&RgbImage::new(3000, 2), &[]))
        );
    }
}
