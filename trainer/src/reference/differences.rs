//! Tests of gradients by central differences along random directions. For tests only.

use dfrt_runtime::random::stream;
use rand::RngExt;

/// The step of a central difference. Its error is about `STEP`^2 times the third
/// derivative, plus rounding of about 1e-16 / `STEP`.
const STEP: f64 = 1e-5;

/// The largest disagreement allowed, relative to the gradient's norm.
const TOLERANCE: f64 = 1e-7;

/// The number of random directions tried.
const DIRECTIONS: u64 = 8;

/// `len` numbers in [-1, 1), always the same ones for the same `name`.
pub(crate) fn values(name: &str, len: usize) -> Vec<f64> {
    let mut random = stream(0, &["reference".into(), name.into()]);
    (0..len).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// The inner product. With a fixed random `dy`, `dot(y, dy)` is the scalar loss
/// whose gradient with respect to `y` is `dy`.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Asserts that two slices agree to 1e-12, relative to the larger of 1 and the value.
#[track_caller]
pub(crate) fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "lengths differ");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= 1e-12 * e.abs().max(1.0), "entry {i}: {a} instead of {e}");
    }
}

/// Asserts that `gradient` is the gradient of `loss` at the point `at`.
#[track_caller]
pub(crate) fn assert_gradient(what: &str, at: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
    assert_eq!(at.len(), gradient.len(), "{what}: one gradient a value");
    let norm = dot(gradient, gradient).sqrt();
    for direction in 0..DIRECTIONS {
        let direction = values(&format!("direction {direction}"), at.len());
        let moved =
            |step: f64| -> Vec<f64> { at.iter().zip(&direction).map(|(x, d)| x + step * d).collect() };
        let measured = (loss(&moved(STEP)) - loss(&moved(-STEP))) / (2.0 * STEP);
        let claimed = dot(gradient, &direction);
        assert!(
            (measured - claimed).abs() <= TOLERANCE * (1.0 + norm),
            "{what}: the slope along a direction is {measured}, the gradient says {claimed}"
        );
    }
}

#[test]
fn the_gradient_of_a_cubic_is_accepted() {
    let at = values("cubic", 5);
    let gradient: Vec<f64> = at.iter().map(|x| 3.0 * x * x).collect();
    assert_gradient("cubic", &at, &gradient, |x| x.iter().map(|x| x.powi(3)).sum());
}

#[test]
#[should_panic(expected = "the gradient says")]
fn one_wrong_entry_among_a_thousand_is_noticed() {
    let at = values("cubic", 1000);
    let mut gradient: Vec<f64> = at.iter().map(|x| 3.0 * x * x).collect();
    gradient[700] += 1e-3;
    assert_gradient("cubic", &at, &gradient, |x| x.iter().map(|x| x.powi(3)).sum());
}
