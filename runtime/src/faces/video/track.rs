//! Follows one face through the frames of a video.

use crate::faces::face::FaceBox;

/// Two boxes of successive frames can be one face if their intersection over union is at least
/// this, …
const OVERLAP: f32 = 0.2;
/// … or if their centres are nearer than this share of their sides, as sampled frames are seconds
/// apart, …
const DISTANCE: f32 = 0.75;
/// … and, in both cases, if neither is this many times as wide as the other.
const GROWTH: f32 = 1.8;

/// The longest time in seconds from a frame in which the face was not found to the frames before
/// and after it in which it was, for its place to be interpolated.
pub const HOLD: f64 = 0.5;

/// The faces and the time of a frame.
pub(super) struct FrameFaces {
    /// The faces, in any order.
    pub faces: Vec<FaceBox>,
    /// Its time in seconds; `None` where the video has none.
    pub seconds: Option<f64>,
    /// Whether there is a cut before it.
    pub after_cut: bool,
}

/// The place of the main face in each frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    /// The box in each frame; `None` where the frame does not show it.
    pub boxes: Vec<Option<FaceBox>>,
    /// Frames in which it was not found and its place was interpolated.
    pub held: usize,
}

/// The main face of a video of `frames`: of all faces that can be followed from frame to frame,
/// the one with the largest sum of sides, so that a large false detection in one frame does not
/// win. No face is followed through a cut, after which its place does not show whose it is. In a
/// frame in which it is not found its place is interpolated if it was found before and after,
/// both within [`HOLD`]; else the frame does not show it. `None` where there is no face.
pub(super) fn main_face(frames: &[FrameFaces]) -> Option<Track> {
    let mut tracks: Vec<Vec<(usize, FaceBox)>> = Vec::new();
    // The index of the first track of this shot.
    let mut shot = 0;
    for (number, frame) in frames.iter().enumerate() {
        if frame.after_cut {
            shot = tracks.len();
        }
        let mut free: Vec<FaceBox> = frame.faces.clone();
        let followed = &mut tracks[shot..];
        // The larger track chooses first.
        followed.sort_by(|a, b| length(b).total_cmp(&length(a)));
        for track in followed {
            let last = track.last().expect("a track begins with a face").1;
            let nearest = (0..free.len())
                .filter(|&index| one_face(&last, &free[index]))
                .max_by(|&a, &b| last.overlap(&free[a]).total_cmp(&last.overlap(&free[b])));
            if let Some(index) = nearest {
                track.push((number, free.remove(index)));
            }
        }
        tracks.extend(free.into_iter().map(|face| vec![(number, face)]));
    }
    // Of equals the first, so that the result is deterministic.
    let main =
        tracks.into_iter().reduce(|best, other| if length(&other) > length(&best) { other } else { best })?;
    let boxes: Vec<_> = (0..frames.len()).map(|frame| place(&main, frame, frames)).collect();
    let held = boxes.iter().flatten().count() - main.len();
    Some(Track { boxes, held })
}

fn length(track: &[(usize, FaceBox)]) -> f32 {
    track.iter().map(|(_, face)| face.side()).sum()
}

fn one_face(before: &FaceBox, after: &FaceBox) -> bool {
    let ratio = before.side() / after.side().max(1e-3);
    let apart = (before.middle()[0] - after.middle()[0]).hypot(before.middle()[1] - after.middle()[1]);
    let near = apart < DISTANCE * before.side().max(after.side()) || before.overlap(after) >= OVERLAP;
    near && (1.0 / GROWTH..=GROWTH).contains(&ratio)
}

/// The place of the face of `track` in the frame `number`, if it is known.
fn place(track: &[(usize, FaceBox)], number: usize, frames: &[FrameFaces]) -> Option<FaceBox> {
    let after = track.partition_point(|(at, _)| *at < number);
    let &(to, next) = track.get(after)?;
    if to == number {
        return Some(next);
    }
    let &(from, last) = &track[after.checked_sub(1)?];
    let time = |frame: usize| frames[frame].seconds;
    let (start, now, end) = (time(from)?, time(number)?, time(to)?);
    let near = now - start <= HOLD && end - now <= HOLD;
    (near && end > start).then(|| last.towards(&next, ((now - start) / (end - start)) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, side: f32) -> FaceBox {
        FaceBox { left, top: 10.0, right: left + side, bottom: 10.0 + side }
    }

    /// Frames that show `faces`, `apart` seconds after one another.
    fn shown(faces: Vec<Vec<FaceBox>>, apart: f64) -> Vec<FrameFaces> {
        let frame =
            |(number, faces)| FrameFaces { faces, seconds: Some(number as f64 * apart), after_cut: false };
        faces.into_iter().enumerate().map(frame).collect()
    }

    fn lefts(frames: &[FrameFaces]) -> (Vec<Option<f32>>, usize) {
        let track = main_face(frames).unwrap();
        (track.boxes.iter().map(|face| face.map(|face| face.left)).collect(), track.held)
    }

    #[test]
    fn the_largest_face_is_followed_past_false_alarms() {
        let faces = vec![
            vec![face(100.0, 40.0), face(0.0, 30.0)],
            vec![face(6.0, 30.0), face(110.0, 40.0)],
            vec![face(300.0, 90.0), face(118.0, 42.0)],
            vec![face(125.0, 41.0)],
        ];
        let track = main_face(&shown(faces, 3.0)).unwrap();
        let wanted = [face(100.0, 40.0), face(110.0, 40.0), face(118.0, 42.0), face(125.0, 41.0)];
        assert_eq!((track.boxes, track.held), (wanted.map(Some).to_vec(), 0));
    }

    #[test]
    fn gaps_are_bridged_over_a_short_time_and_ends_are_not_held() {
        let found = || vec![vec![], vec![face(10.0, 40.0)], vec![], vec![], vec![face(34.0, 40.0)], vec![]];
        let all = [None, Some(10.0), Some(18.0), Some(26.0), Some(34.0), None];
        assert_eq!(lefts(&shown(found(), 0.25)), (all.to_vec(), 2));
        // Two steps of 0.3 s are too far, from either side.
        let only = [None, Some(10.0), None, None, Some(34.0), None];
        assert_eq!(lefts(&shown(found(), 0.3)), (only.to_vec(), 0));
        let mut timeless = shown(found(), 0.1);
        timeless.iter_mut().for_each(|frame| frame.seconds = None);
        assert_eq!(lefts(&timeless), (only.to_vec(), 0));
    }

    #[test]
    fn no_place_is_held_past_a_cut() {
        let found = || vec![vec![face(10.0, 40.0)], vec![], vec![], vec![face(34.0, 40.0)], vec![]];
        for cut in 0..5 {
            let mut frames = shown(found(), 0.1);
            frames[cut].after_cut = true;
            let held = if (1..=3).contains(&cut) { 0 } else { 2 };
            assert_eq!(lefts(&frames).1, held, "{cut}");
        }
    }

    #[test]
    fn no_face_is_followed_through_a_cut() {
        // At the same place before and after, as where two people are shown alternately.
        let found = || vec![vec![face(10.0, 40.0)]; 5];
        let places = |shown: std::ops::Range<usize>| -> Vec<Option<f32>> {
            (0..5).map(|frame| shown.contains(&frame).then_some(10.0)).collect()
        };
        assert_eq!(lefts(&shown(found(), 0.1)), (places(0..5), 0));
        let after = |cuts: &[usize]| {
            let mut frames = shown(found(), 0.1);
            cuts.iter().for_each(|&cut| frames[cut].after_cut = true);
            lefts(&frames)
        };
        assert_eq!(after(&[2]), (places(2..5), 0), "the longer shot's face");
        assert_eq!(after(&[3]), (places(0..3), 0));
        assert_eq!(after(&[1, 4]), (places(1..4), 0));
        assert_eq!(after(&[1, 2, 3, 4]), (places(0..1), 0), "of equals the first");
    }

    #[test]
    fn a_jump_starts_another_face_and_nothing_is_none() {
        let faces = vec![vec![face(0.0, 40.0)], vec![face(500.0, 40.0)], vec![face(505.0, 40.0)]];
        assert_eq!(lefts(&shown(faces, 0.1)), (vec![None, Some(500.0), Some(505.0)], 0));
        assert_eq!(main_face(&shown(vec![Vec::new(), Vec::new()], 0.1)), None);
        assert_eq!(main_face(&[]), None);
    }
}
