use super::*;
use crate::forgery::synth::portrait::{Person, Shot, photograph};
use crate::random::stream;
use image::imageops;
use std::path::Path;

fn drawn(person: u64, shot: u64) -> RgbImage {
    let keyed = |name: &'static str| stream(3, &[name.into(), person.into(), shot.into()]);
    let who = Person::draw(&mut stream(3, &["person".into(), person.into()]));
    photograph(&who, &Shot::draw(&mut keyed("shot")), 128, &mut keyed("noise")).picture
}

fn again(picture: &RgbImage, side: usize, quality: u8) -> RgbImage {
    let scaled = picture::prepare(picture, side);
    picture::decode(&picture::encode_jpeg(&scaled, quality), Path::new("again")).unwrap()
}

fn compared(a: &RgbImage, b: &RgbImage) -> (u32, Similarity) {
    let (a, b) = (Fingerprint::of(a), Fingerprint::of(b));
    ((a.hash ^ b.hash).count_ones(), compare(&a, &b, false))
}

#[test]
fn a_photograph_encoded_anew_is_near() {
    for person in 0..12 {
        let picture = drawn(person, 0);
        for (side, quality) in [(128, 40), (128, 15), (64, 75), (200, 60)] {
            let (distance, similarity) = compared(&picture, &again(&picture, side, quality));
            assert!(distance <= RADIUS && similarity.is_one_photograph(), "{distance} {similarity:?}");
        }
        let dimmed = RgbImage::from_fn(128, 128, |x, y| {
            image::Rgb(picture.get_pixel(x, y).0.map(|value| (f64::from(value) * 0.8 + 15.0) as u8))
        });
        assert!(compared(&picture, &dimmed).1.is_one_photograph());
    }
}

#[test]
fn a_mirror_image_has_the_mirrored_hash() {
    let picture = drawn(1, 0);
    let (plain, turned) = (Fingerprint::of(&picture), Fingerprint::of(&imageops::flip_horizontal(&picture)));
    assert!((plain.mirrored ^ turned.hash).count_ones() <= 2);
    assert!((plain.hash ^ turned.hash).count_ones() > RADIUS);
    assert!(compare(&plain, &turned, true).is_one_photograph());
    assert!(!compare(&plain, &turned, false).is_one_photograph());
}

#[test]
fn other_people_and_other_shots_are_not() {
    let pictures: Vec<RgbImage> = (0..40).map(|number| drawn(number / 2, number % 2)).collect();
    for (place, picture) in pictures.iter().enumerate() {
        for other in &pictures[..place] {
            let (distance, similarity) = compared(picture, other);
            assert!(
                distance > RADIUS || !similarity.is_one_photograph(),
                "{place} {distance} {similarity:?}"
            );
        }
    }
}

#[test]
fn a_plain_picture_is_featureless() {
    let plain = Fingerprint::of(&RgbImage::from_pixel(50, 40, image::Rgb([90, 80, 70])));
    assert!(plain.is_featureless());
    assert_eq!(compare(&plain, &plain, false), Similarity { correlation: 0.0, same_blocks: 0.0 });
    assert!(!Fingerprint::of(&drawn(0, 0)).is_featureless());
}
