use super::*;
use crate::random::stream;

fn portrait(person: u64, shot: u64, size: u32) -> Portrait {
    let who = Person::draw(&mut stream(1, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(1, &["shot".into(), person.into(), shot.into()]));
    let mut noise = stream(1, &["noise".into(), person.into(), shot.into()]);
    photograph(&who, &how, size, &mut noise)
}

#[test]
fn the_same_streams_draw_the_same_picture() {
    let first = portrait(3, 0, 64);
    assert_eq!(first.picture, portrait(3, 0, 64).picture);
    assert_ne!(first.picture, portrait(3, 1, 64).picture);
    assert_ne!(first.picture, portrait(4, 0, 64).picture);
}

#[test]
fn landmarks_lie_in_the_picture_and_on_what_they_name() {
    for person in 0..40 {
        let Portrait { landmarks, .. } = portrait(person, 0, 96);
        assert_eq!(landmarks.points.len(), 67);
        assert_eq!(landmarks.outline, (0..28).collect::<Vec<_>>());
        for point in &landmarks.points {
            assert!(point.iter().all(|value| (2.0..94.0).contains(value)), "{person}: {point:?}");
        }
    }
}

#[test]
fn a_place_is_seen_where_it_is_found() {
    for person in 0..20 {
        let who = Person::draw(&mut stream(1, &["person".into(), person.into()]));
        let how = Shot::draw(&mut stream(1, &["shot".into(), person.into()]));
        let shape = Shape::new(&who, &how);
        for place in [[0.0, 0.4], [0.5, -0.1], [-0.6, 0.3], [0.2, 0.9], [0.0, -0.6]] {
            let seen = shape.seen(place, &how.pose, 1);
            let (found, _) = shape.place(seen, &how.pose);
            assert!((found[0] - place[0]).hypot(found[1] - place[1]) < 0.03, "{place:?} {found:?}");
        }
    }
}

#[test]
fn a_larger_picture_shows_the_same() {
    let large = portrait(5, 0, 192);
    let small = portrait(5, 0, 64);
    let shrunk = crate::data::picture::prepare(&large.picture, 64);
    let pairs = shrunk.as_raw().iter().zip(small.picture.as_raw());
    let mean = pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / (64.0 * 64.0 * 3.0);
    assert!(mean < 8.0, "{mean}");
    let (a, b) = (large.landmarks.points[40], small.landmarks.points[40]);
    assert!((a[0] / 3.0 - b[0]).abs() < 1e-3);
}
