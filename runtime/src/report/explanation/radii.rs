//! The radii at which PGD is tried.

/// The radii that the search for the smallest one tries, in 1/255, rising: 2^-6 to 16, eight an
/// octave (9 % apart). Fragile detectors turn far below the half level that whole and half steps
/// would begin with.
pub fn radii_255() -> Vec<f64> {
    let octaves = 10;
    (0..=8 * octaves).map(|at| 2.0_f64.powf(f64::from(at) / 8.0 - 6.0)).collect()
}

/// The largest of [`radii_255`].
pub const LARGEST_RADIUS_255: f64 = 16.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_rise_to_the_largest() {
        let radii = radii_255();
        assert_eq!((radii[0], radii[80], radii.len()), (1.0 / 64.0, LARGEST_RADIUS_255, 81));
        assert!(radii.windows(2).all(|pair| (pair[1] / pair[0] - 1.0905).abs() < 1e-4));
    }
}
