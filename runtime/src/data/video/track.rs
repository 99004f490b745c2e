//! Following one face through the frames of a video.

use crate::data::face::FaceBox;

/// Two boxes of successive frames may be one face's where they share this part of their
/// areas, …
const OVERLAP: f32 = 0.2;
/// … or where their middles are nearer than this share of their sides, as sampled frames
/// lie seconds apart, …
const DISTANCE: f32 = 0.75;
/// … and in either case neither is this many times as wide as the other.
const GROWTH: f32 = 1.8;

/// The place of the main face in each frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    /// One box a frame.
    pub boxes: Vec<FaceBox>,
    /// Frames in which the face was not found and its place is taken from the others.
    pub held: usize,
}

/// The main face of a video whose frames show `faces` (each frame's, in any order): of all
/// faces that can be followed from frame to frame the one whose sides are the longest in
/// sum, so that a large false alarm in one frame does not win. Between two frames in which it is found its place is interpolated, before the
/// first and after the last it is held. None where there is no face at all.
pub(super) fn main_face(faces: &[Vec<FaceBox>]) -> Option<Track> {
    let mut tracks: Vec<Vec<(usize, FaceBox)>> = Vec::new();
    for (frame, found) in faces.iter().enumerate() {
        let mut free: Vec<FaceBox> = found.clone();
        // The larger track chooses first.
        tracks.sort_by(|a, b| length(b).total_cmp(&length(a)));
        for track in &mut tracks {
            let last = track.last().expect("a track begins with a face").1;
            let nearest = (0..free.len())
                .filter(|&index| one_face(&last, &free[index]))
                .max_by(|&a, &b| last.overlap(&free[a]).total_cmp(&last.overlap(&free[b])));
            if let Some(index) = nearest {
                track.push((frame, free.remove(index)));
            }
        }
        tracks.extend(free.into_iter().map(|face| vec![(frame, face)]));
    }
    // Of equals the first, so that the same faces give the same track.
    let main =
        tracks.into_iter().reduce(|best, other| if length(&other) > length(&best) { other } else { best })?;
    let held = faces.len() - main.len();
    Some(Track { boxes: (0..faces.len()).map(|frame| place(&main, frame)).collect(), held })
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

/// Where the face of `track` is in `frame`.
fn place(track: &[(usize, FaceBox)], frame: usize) -> FaceBox {
    let after = track.partition_point(|(at, _)| *at < frame);
    match (after.checked_sub(1).map(|before| track[before]), track.get(after)) {
        (Some((from, before)), Some(&(to, after))) => {
            before.towards(&after, (frame - from) as f32 / (to - from) as f32)
        }
        (Some((_, nearest)), None) | (None, Some(&(_, nearest))) => nearest,
        (None, None) => unreachable!("a track has a face"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, side: f32) -> FaceBox {
        FaceBox { left, top: 10.0, right: left + side, bottom: 10.0 + side }
    }

    #[test]
    fn the_largest_face_is_followed_past_false_alarms() {
        let faces = [
            vec![face(100.0, 40.0), face(0.0, 30.0)],
            vec![face(6.0, 30.0), face(110.0, 40.0)],
            vec![face(300.0, 90.0), face(118.0, 42.0)],
            vec![face(125.0, 41.0)],
        ];
        let track = main_face(&faces).unwrap();
        assert_eq!(track.boxes, [face(100.0, 40.0), face(110.0, 40.0), face(118.0, 42.0), face(125.0, 41.0)]);
        assert_eq!(track.held, 0);
    }

    #[test]
    fn gaps_are_bridged_and_ends_held() {
        let faces = [vec![], vec![face(10.0, 40.0)], vec![], vec![], vec![face(34.0, 40.0)], vec![]];
        let track = main_face(&faces).unwrap();
        let lefts: Vec<f32> = track.boxes.iter().map(|face| face.left).collect();
        assert_eq!((lefts.as_slice(), track.held), ([10.0, 10.0, 18.0, 26.0, 34.0, 34.0].as_slice(), 4));
    }

    #[test]
    fn a_cut_starts_another_face_and_nothing_is_none() {
        let faces = [vec![face(0.0, 40.0)], vec![face(500.0, 40.0)], vec![face(505.0, 40.0)]];
        assert_eq!(main_face(&faces).unwrap().boxes[2], face(505.0, 40.0));
        assert_eq!(main_face(&[Vec::new(), Vec::new()]), None);
        assert_eq!(main_face(&[]), None);
    }
}
