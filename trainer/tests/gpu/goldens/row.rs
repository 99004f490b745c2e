//! What goldens keep of a tensor: its norm, its product with a random direction, and
//! some entries. `Row` in `tools/reference.py` is the other half.

use super::formula::{Purpose, hashes, uniform};

/// The row of a tensor, of as many numbers as the golden's.
pub fn of(number: usize, values: &[f64], len: usize) -> Vec<f64> {
    let direction = uniform(Purpose::Direction, number, values.len());
    let places = hashes(Purpose::Place, number, len - 2).map(|hash| hash as usize % values.len());
    let product = values.iter().zip(direction).map(|(value, u)| value * u).sum();
    [norm(values), product].into_iter().chain(places.map(|place| values[place])).collect()
}

/// The largest error of a row, relative to the sizes to be expected of a tensor of
/// `len` values and the golden's norm (or of `floor`, where the norm is below it).
pub fn error(found: &[f64], golden: &[f64], len: usize, floor: f64) -> f64 {
    let size = golden[0].max(floor);
    let expected = |index: usize| match index {
        0 => size,
        1 => size / 3.0_f64.sqrt(),
        _ => golden[index].abs().max(size / (len as f64).sqrt()),
    };
    let errors = found.iter().zip(golden).enumerate();
    errors.map(|(index, (a, b))| (a - b).abs() / expected(index)).fold(0.0, worse)
}

/// The larger one, infinite where one is no number.
pub fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// The Euclidean norm.
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
