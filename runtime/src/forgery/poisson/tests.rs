use super::*;
use proptest::prelude::*;

/// A picture whose three channels are `value` of the position, its double and its negative.
fn raster(side: usize, value: impl Fn(f32, f32) -> f32) -> Raster {
    let pixels = (0..side * side).map(|index| {
        let value = value((index % side) as f32, (index / side) as f32);
        [100.0 + value, 100.0 + 0.5 * value, 100.0 - value]
    });
    Raster { width: side, height: side, pixels: pixels.collect() }
}

fn disc(side: usize, share: f32) -> Vec<bool> {
    let middle = 0.5 * side as f32;
    let from = |at: usize| at as f32 + 0.5 - middle;
    (0..side * side).map(|index| from(index % side).hypot(from(index / side)) < share * middle).collect()
}

#[test]
fn a_harmonic_difference_is_carried_inside() {
    // x² - y² and x y are harmonic on the grid, so the membrane must equal them.
    for side in [11, 40, 97] {
        let scale = 30.0 / (side * side) as f32;
        let target = raster(side, |x, y| scale * (x * x - y * y) + 0.7 * scale * x * y);
        let patch = raster(side, |_, _| 0.0);
        let region = disc(side, 0.8);
        let blended = blend(&target, &patch, &region, f32::MAX);
        for (got, wanted) in blended.pixels.iter().zip(&target.pixels) {
            for c in 0..3 {
                // The residual bounds the error by the region's diameter squared over 8.
                assert!((got[c] - wanted[c]).abs() < 0.5, "{side}: {got:?} {wanted:?}");
            }
        }
    }
}

/// The same equations by elimination.
fn dense(domain: &Domain) -> Vec<f64> {
    let places: Vec<usize> = (0..domain.free.len()).filter(|&index| domain.free[index]).collect();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for &place in &places {
        let mut row = vec![0.0; places.len() + 1];
        for other in domain.neighbours(place) {
            row[places.binary_search(&place).unwrap()] += 1.0;
            match places.binary_search(&other) {
                Ok(number) => row[number] -= 1.0,
                Err(_) => row[places.len()] += f64::from(domain.values[other][0]),
            }
        }
        rows.push(row);
    }
    for pivot in 0..rows.len() {
        let (above, below) = rows.split_at_mut(pivot + 1);
        let known = &above[pivot];
        for row in below {
            let factor = row[pivot] / known[pivot];
            row.iter_mut().zip(known).for_each(|(value, known)| *value -= factor * known);
        }
    }
    let mut solution = vec![0.0; rows.len()];
    for pivot in (0..rows.len()).rev() {
        let known: f64 = (pivot + 1..rows.len()).map(|column| rows[pivot][column] * solution[column]).sum();
        solution[pivot] = (rows[pivot][rows.len()] - known) / rows[pivot][pivot];
    }
    solution
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_region_is_solved_as_by_elimination(
        free in proptest::collection::vec(proptest::bool::weighted(0.7), 144),
        values in proptest::collection::vec(-60.0_f32..60.0, 144),
    ) {
        // A frame of given pixels on two sides; the picture's edge is the other two.
        let free: Vec<bool> = (0..144).map(|i| free[i] && i % 12 > 0 && i / 12 > 0).collect();
        let domain = || Domain {
            width: 12,
            height: 12,
            free: free.clone(),
            values: values.iter().map(|value| [*value; 3]).collect(),
        };
        let expected = dense(&domain());
        let solved = domain().solved();
        let got = solved.iter().zip(&free).filter(|(_, free)| **free).map(|(pixel, _)| pixel[0]);
        for (got, wanted) in got.zip(expected) {
            prop_assert!((f64::from(got) - wanted).abs() < 0.3, "{} {}", got, wanted);
        }
        for (index, pixel) in solved.iter().enumerate().filter(|(index, _)| !free[*index]) {
            prop_assert_eq!(pixel[0], values[index]);
        }
    }
}

#[test]
fn outside_nothing_changes_and_a_constant_shift_vanishes() {
    let target = raster(50, |x, y| 20.0 * (0.3 * x).sin() + 10.0 * (0.2 * y).cos());
    let mut patch = target.clone();
    patch.pixels.iter_mut().for_each(|pixel| *pixel = pixel.map(|value| value + 17.0));
    let region = disc(50, 0.7);
    let blended = blend(&target, &patch, &region, f32::MAX);
    for (index, (got, wanted)) in blended.pixels.iter().zip(&target.pixels).enumerate() {
        for c in 0..3 {
            let close = if region[index] { 0.1 } else { 0.0 };
            assert!((got[c] - wanted[c]).abs() <= close, "{index}");
        }
    }
}

#[test]
fn the_seam_is_continuous_and_a_limit_bounds_what_is_spread() {
    let target = raster(60, |x, _| if x < 20.0 { -80.0 } else { 0.0 });
    let patch = raster(60, |x, y| 5.0 * (0.5 * x).sin() * (0.5 * y).sin());
    let region = disc(60, 0.8);
    let free = blend(&target, &patch, &region, f32::MAX);
    let most = |blended: &Raster| {
        let inside = (0..3600).filter(|&index| region[index]);
        inside.map(|index| (blended.pixels[index][0] - patch.pixels[index][0]).abs()).fold(0.0, f32::max)
    };
    assert!(most(&free) > 60.0);
    assert!(most(&blend(&target, &patch, &region, 12.0)) <= 12.1);
    // Across the border on the bright side the step is that of the patch, not more.
    for y in 20..40 {
        let x = (30..59).find(|x| !region[y * 60 + x]).unwrap();
        let (inside, outside) = (free.pixels[y * 60 + x - 1], free.pixels[y * 60 + x]);
        assert!((inside[0] - outside[0]).abs() < 8.0, "{y}: {inside:?} {outside:?}");
    }
}

#[test]
fn a_region_without_a_border_keeps_the_patch() {
    let (target, patch) = (raster(20, |x, _| x), raster(20, |_, y| y));
    let blended = blend(&target, &patch, &[true; 400], f32::MAX);
    for (got, wanted) in blended.pixels.iter().zip(&patch.pixels) {
        assert!((got[0] - wanted[0]).abs() < 1e-3);
    }
}
