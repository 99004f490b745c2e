use super::*;
use crate::data::picture;
use image::Rgb;
use proptest::prelude::*;
use std::path::Path;

fn textured(width: u32, height: u32) -> RgbImage {
    let value = |x: u32, y: u32| ((x * 37 + y * 91 + x * y * 13) % 97 + 60) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([value(x, y), value(y, x), 100]))
}

#[test]
fn plain_pictures_have_known_statistics() {
    let statistics = Statistics::of(&RgbImage::from_pixel(20, 12, Rgb([255, 0, 0])));
    let red = statistics.whole;
    assert!((red.brightness - 76.0 / 255.0).abs() < 1e-6 && red.contrast == 0.0);
    assert_eq!((red.saturation, red.warmth, red.sharpness), (1.0, 1.0, 0.0));
    assert_eq!((red.blockiness, statistics.edge_step, statistics.frame), (1.0, 1.0, None));
    assert_eq!(statistics.plain_border, 64.0, "12 rows twice and 20 columns twice");
}

#[test]
fn a_checkered_picture_is_as_sharp_as_can_be() {
    let board = RgbImage::from_fn(16, 16, |x, y| Rgb([255 * ((x + y) % 2) as u8; 3]));
    let sharpness = Statistics::of(&board).whole.sharpness;
    assert!((f64::from(sharpness) - (1020.0_f64 * 1020.0).ln_1p()).abs() < 1e-5, "{sharpness}");
}

#[test]
fn blocks_are_seen_after_compression_and_in_a_png() {
    let smooth = RgbImage::from_fn(96, 96, |x, y| {
        let wave = (f64::from(x) / 9.0).sin() + (f64::from(y) / 7.0).cos();
        Rgb([(128.0 + 40.0 * wave) as u8; 3])
    });
    let strong = picture::decode(&picture::encode_jpeg(&smooth, 8), Path::new("a")).unwrap();
    let of = |picture: &RgbImage| Statistics::of(picture).whole.blockiness;
    assert!((of(&smooth) - 1.0).abs() < 0.1, "{}", of(&smooth));
    assert!(of(&strong) > 1.3, "{}", of(&strong));
}

#[test]
fn borders_are_counted_from_every_edge() {
    let mut picture = textured(40, 30);
    let inside = Statistics::of(&picture);
    assert_eq!(inside.plain_border, 0.0);
    for x in 0..40 {
        for y in [0, 1, 29] {
            picture.put_pixel(x, y, Rgb([3; 3]));
        }
    }
    for y in 0..30 {
        picture.put_pixel(39, y, Rgb([3; 3]));
    }
    assert_eq!(Statistics::of(&picture).plain_border, 4.0);
    let mut ringed = textured(40, 30);
    for (x, y, pixel) in ringed.enumerate_pixels_mut() {
        if x == 0 || y == 0 || x == 39 || y == 29 {
            *pixel = Rgb([255, 255, if (x + y) % 2 == 0 { 255 } else { 0 }]);
        }
    }
    assert!(Statistics::of(&ringed).edge_step > 2.0 * inside.edge_step);
}

/// The statistics, computed naively.
fn sharpness_and_blockiness(picture: &RgbImage) -> (f64, f64) {
    let plane = luma(picture);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let at = |x: usize, y: usize| f64::from(plane[y * width + x]);
    let (mut squares, mut count) = (0.0, 0.0);
    let (mut border, mut inside) = ((0.0, 0.0), (0.0, 0.0));
    for y in 0..height {
        for x in 0..width {
            if x > 0 && y > 0 && x + 1 < width && y + 1 < height {
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                squares += (around - 4.0 * at(x, y)).powi(2);
                count += 1.0;
            }
            let right = (x + 1 < width).then(|| (x, (at(x, y) - at(x + 1, y)).abs()));
            let below = (y + 1 < height).then(|| (y, (at(x, y) - at(x, y + 1)).abs()));
            for (place, step) in [right, below].into_iter().flatten() {
                let sums = if place % 8 == 7 { &mut border } else { &mut inside };
                *sums = (sums.0 + step, sums.1 + 1.0);
            }
        }
    }
    let mean = |(sum, count): (f64, f64)| sum / count + 1e-3;
    ((squares / count).ln_1p(), mean(border) / mean(inside))
}

#[test]
fn parts_add_up_to_the_whole() {
    for (width, height) in [(96, 64), (67, 131), (64, 64), (40, 33)] {
        let picture = textured(width, height);
        let whole = Statistics::of(&picture).whole;
        let (sharpness, blockiness) = sharpness_and_blockiness(&picture);
        assert!((f64::from(whole.sharpness) - sharpness).abs() < 1e-4, "{width} x {height}");
        assert!((f64::from(whole.blockiness) - blockiness).abs() < 1e-4, "{width} x {height}");
    }
}

#[test]
fn every_second_row_of_blocks_is_enough_of_a_high_picture() {
    let all = Statistics::of(&textured(128, 256)).whole;
    let half = Statistics::of(&textured(128, 512)).whole;
    let near = |a: f32, b: f32| (a - b).abs() < 0.03;
    assert!(near(all.brightness, half.brightness) && near(all.sharpness, half.sharpness), "{all:?} {half:?}");
    assert!(near(all.blockiness, half.blockiness) && near(all.saturation, half.saturation));
}

#[test]
fn what_happens_in_the_middle_is_not_in_the_frame() {
    let before = textured(128, 96);
    let mut after = before.clone();
    for y in 16..78 {
        for x in 16..110 {
            after.put_pixel(x, y, Rgb([200, 40, 40]));
        }
    }
    let (before, after) = (Statistics::of(&before), Statistics::of(&after));
    assert!(after.whole.sharpness < before.whole.sharpness - 0.3);
    let (before, after) = (before.frame.unwrap(), after.frame.unwrap());
    assert_eq!((before.brightness, before.warmth), (after.brightness, after.warmth));
    assert!((after.sharpness - before.sharpness).abs() < 0.1, "only where it meets the middle");
}

proptest! {
    #[test]
    fn pictures_of_any_shape_have_finite_statistics(
        (width, height, bytes) in (1_u32..20, 1_u32..20).prop_flat_map(|(width, height)| {
            let bytes = prop::collection::vec(any::<u8>(), (3 * width * height) as usize);
            (Just(width), Just(height), bytes)
        })
    ) {
        let statistics = Statistics::of(&RgbImage::from_raw(width, height, bytes).unwrap());
        let s = statistics.whole;
        let all = [s.brightness, s.contrast, s.saturation, s.warmth, s.sharpness, s.blockiness];
        prop_assert!(all.iter().all(|value| value.is_finite()), "{s:?}");
        prop_assert!(statistics.plain_border >= 0.0 && statistics.edge_step.is_finite());
    }
}
