use super::*;
use crate::forgery::synth::portrait::{Person, Portrait, Shot, photograph};
use crate::random::stream;
use image::Rgb;

fn portrait(person: u64) -> Portrait {
    let who = Person::draw(&mut stream(2, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(2, &["shot".into(), person.into()]));
    photograph(&who, &how, 96, &mut stream(2, &["noise".into(), person.into()]))
}

fn face(portrait: &Portrait) -> FaceInPicture<'_> {
    FaceInPicture { picture: &portrait.picture, landmarks: &portrait.landmarks }
}

/// Mean absolute change of the pixels (inside, outside) the target's outline.
fn change(target: &Portrait, forged: &RgbImage) -> (f64, f64) {
    let outline = target.landmarks.outline_points();
    let (mut inside, mut outside) = ((0.0, 0.0_f64), (0.0, 0.0_f64));
    for (x, y, pixel) in forged.enumerate_pixels() {
        let before = target.picture.get_pixel(x, y).0;
        let pairs = pixel.0.iter().zip(before);
        let change: f64 = pairs.map(|(&a, b)| f64::from(a.abs_diff(b))).sum();
        let depth = mask::depth(&outline, [x as f32 + 0.5, y as f32 + 0.5]);
        let part = if depth > 0.0 { &mut inside } else { &mut outside };
        *part = (part.0 + change / 3.0, part.1 + 1.0);
    }
    (inside.0 / inside.1, outside.0 / outside.1)
}

#[test]
fn a_swap_changes_the_face_and_nothing_else() {
    for pair in 0..6 {
        let (target, donor) = (portrait(2 * pair), portrait(2 * pair + 1));
        let forged = swap(face(&target), face(&donor), &SwapSettings::default()).unwrap();
        let (inside, outside) = change(&target, &forged);
        assert!(inside > 2.0, "{pair}: {inside}");
        assert_eq!(outside, 0.0, "{pair}");
    }
}

#[test]
fn a_face_swapped_with_itself_stays() {
    let target = portrait(4);
    let forged = swap(face(&target), face(&target), &SwapSettings::default()).unwrap();
    let (inside, outside) = change(&target, &forged);
    assert!(inside < 0.1 && outside == 0.0, "{inside}");
}

#[test]
fn a_swap_moves_the_donors_mark_to_the_targets_place() {
    let target = portrait(6);
    let mut donor = portrait(7);
    let tip = donor.landmarks.points[57];
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let at = (tip[0] as u32 + dx, tip[1] as u32 + dy);
        donor.picture.put_pixel(at.0, at.1, Rgb([0, 255, 0]));
    }
    let settings = SwapSettings { colour_match: 0.0, ..SwapSettings::default() };
    let forged = swap(face(&target), face(&donor), &settings).unwrap();
    let wanted = target.landmarks.points[57];
    let greenest = forged.enumerate_pixels().max_by_key(|(_, _, pixel)| {
        let [red, green, blue] = pixel.0.map(i32::from);
        2 * green - red - blue
    });
    let (x, y, _) = greenest.unwrap();
    assert!((x as f32 - wanted[0]).hypot(y as f32 - wanted[1]) < 3.0, "{x} {y} {wanted:?}");
}

#[test]
fn a_self_blend_repeats_and_differs_by_stream() {
    let target = portrait(8);
    let forged = |draw: u64| {
        let mut random = stream(0, &["blend".into(), draw.into()]);
        SelfBlend::draw(&SelfBlendSettings::default(), &mut random).fake(face(&target)).unwrap()
    };
    assert_eq!(forged(0), forged(0));
    assert_ne!(forged(0), forged(1));
    let changed = (0..12).filter(|&draw| change(&target, &forged(draw)).0 > 0.5).count();
    assert!(changed >= 10, "{changed} of 12 differ from the photograph");
}

#[test]
fn what_is_no_face_is_refused() {
    let good = portrait(9);
    let mut few = good.clone();
    few.landmarks.points.pop();
    let unlike = swap(face(&good), face(&few), &SwapSettings::default());
    assert_eq!(unlike, Err(ForgeError::LandmarkCounts { target: 67, donor: 66 }));
    let random = &mut stream(0, &["blend".into()]);
    let spoilers: [fn(&mut Portrait); 5] = [
        |portrait| portrait.landmarks.points.iter_mut().for_each(|p| *p = [9.0, 9.0]),
        |portrait| portrait.landmarks.points.iter_mut().for_each(|p| p[0] += 500.0),
        |portrait| portrait.landmarks.points[3] = [f32::NAN, 0.0],
        |portrait| portrait.landmarks.outline.truncate(2),
        |portrait| portrait.landmarks.outline.push(99),
    ];
    for spoil in spoilers {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(matches!(
            SelfBlend::draw(&SelfBlendSettings::default(), random).fake(face(&bad)),
            Err(ForgeError::NoFace { .. })
        ));
    }
}
