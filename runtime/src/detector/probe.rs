//! A probe of a model: it runs on generated pictures, and numbers that never leave \[0, 1\] are
//! probabilities, whatever operators made them.

use super::signature::Element;
use crate::random;
use rand::RngExt;

/// How far a probability may be outside \[0, 1\], and a sum of them from 1: rounding of 16-bit
/// floats and 8-bit arithmetic.
const ROUNDING: f32 = 1e-2;
/// The most pixels that are probed: eight pictures of 224 px.
const PIXELS: usize = 8 * 224 * 224;
/// How far beyond white and black the pixels of the second round are.
const BEYOND: f32 = 50.0;

/// The outputs of a probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProbeResult {
    /// Pictures probed.
    pub pictures: usize,
    /// The smallest number.
    pub low: f32,
    /// The largest number.
    pub high: f32,
    /// Whether they can be probabilities: all in \[0, 1\], with a sum of 1 over several classes.
    pub probabilities: bool,
    /// Whether every number was 0 or 1.
    pub only_0_and_1: bool,
}

/// Runs a model on one batch and returns its raw output.
pub(super) type Run<'a, E> = dyn FnMut(&[f32]) -> Result<Vec<f32>, E> + 'a;

/// Runs generated pictures of `res` x `res`, `batch` at a time, until an output cannot be a
/// probability, or to the end. The model gives `outputs` numbers a picture.
pub(super) fn pictures<E>(
    run: &mut Run<'_, E>,
    batch: usize,
    res: usize,
    outputs: usize,
) -> Result<ProbeResult, E> {
    let wanted = (PIXELS / (res * res).max(1)).clamp(3, 8);
    query(run, batch, outputs, wanted, |place| drawn(place, res))
}

/// Whether outputs stay probabilities for pixels far beyond white and black, where only a bounded
/// operator keeps them in \[0, 1\]; also true where no output is a number.
pub(super) fn beyond<E>(
    run: &mut Run<'_, E>,
    element: Element,
    batch: usize,
    res: usize,
    outputs: usize,
) -> Result<bool, E> {
    if element == Element::Byte {
        return Ok(true);
    }
    let far = |place: usize| drawn(place, res).into_iter().map(|pixel| BEYOND * (pixel - 0.5)).collect();
    Ok(query(run, batch, outputs, 3, far)?.probabilities)
}

fn query<E>(
    run: &mut Run<'_, E>,
    batch: usize,
    outputs: usize,
    wanted: usize,
    draw: impl Fn(usize) -> Vec<f32>,
) -> Result<ProbeResult, E> {
    let (low, high) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut found = ProbeResult { pictures: 0, low, high, probabilities: true, only_0_and_1: true };
    while found.pictures < wanted && found.probabilities {
        let values: Vec<f32> = (0..batch).flat_map(|place| draw(found.pictures + place)).collect();
        let numbers = run(&values)?;
        for of_one in numbers.chunks_exact(outputs.max(1)) {
            // NaN shows nothing here; it is refused later.
            if of_one.iter().any(|number| !number.is_finite()) {
                continue;
            }
            let sum: f32 = of_one.iter().sum();
            found.low = of_one.iter().copied().fold(found.low, f32::min);
            found.high = of_one.iter().copied().fold(found.high, f32::max);
            let inside = of_one.iter().all(|number| (-ROUNDING..=1.0 + ROUNDING).contains(number));
            found.only_0_and_1 &= of_one.iter().all(|&number| number == 0.0 || number == 1.0);
            found.probabilities &= inside && (outputs == 1 || (sum - 1.0).abs() <= ROUNDING);
        }
        found.pictures += batch;
    }
    Ok(found)
}

/// Picture number `place`, 3 x res x res in \[0, 1\]: surfaces, waves, blocks and noise of
/// different brightness, colour and contrast.
fn drawn(place: usize, res: usize) -> Vec<f32> {
    let mut random = random::stream(0, &["probe".into(), place.to_string().as_str().into()]);
    let mut values = Vec::with_capacity(3 * res * res);
    let phase: f32 = random.random();
    for channel in 0..3 {
        let level: f32 = random.random();
        for row in 0..res {
            for column in 0..res {
                let (y, x) = (row as f32 / res as f32, column as f32 / res as f32);
                let value = match place % 8 {
                    0 => random.random(),
                    1 => 0.0,
                    2 => 1.0,
                    3 => 0.5 + 0.4 * (25.0 * (x + phase * y) + channel as f32).sin(),
                    4 => x * level + y * (1.0 - level),
                    5 => 0.4 + 0.1 * random.random::<f32>(),
                    6 => f32::from((8 * row / res + 8 * column / res + channel).is_multiple_of(2)),
                    _ => level,
                };
                values.push(value.clamp(0.0, 1.0));
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(outputs: usize, answer: impl Fn(&[f32]) -> Vec<f32>) -> ProbeResult {
        let mut run = |values: &[f32]| Ok::<_, ()>(answer(values));
        pictures(&mut run, 1, 16, outputs).unwrap()
    }

    fn mean(values: &[f32]) -> f32 {
        values.iter().sum::<f32>() / values.len() as f32
    }

    #[test]
    fn pictures_differ_and_stay_in_range() {
        let all: Vec<Vec<f32>> = (0..8).map(|place| drawn(place, 16)).collect();
        for (place, one) in all.iter().enumerate() {
            assert!(one.iter().all(|value| (0.0..=1.0).contains(value)), "{place}");
            assert!(all[..place].iter().all(|other| other != one), "{place}");
        }
    }

    #[test]
    fn only_what_stays_between_0_and_1_and_sums_to_1_is_a_probability() {
        let one = answers(1, |values| vec![mean(values)]);
        assert!(one.probabilities && one.pictures == 8 && one.low == 0.0 && one.high == 1.0, "{one:?}");
        let logit = answers(1, |values| vec![mean(values) - 0.3]);
        assert!(!logit.probabilities && logit.pictures == 2, "black stops it: {logit:?}");
        assert!(answers(2, |values| vec![mean(values), 1.0 - mean(values)]).probabilities);
        assert!(!answers(2, |values| vec![mean(values), mean(values)]).probabilities);
        assert!(!one.only_0_and_1 && answers(1, |values| vec![(mean(values) + 0.5).floor()]).only_0_and_1);
        assert!(answers(1, |_| vec![f32::NAN]).probabilities, "no number says nothing");
    }

    #[test]
    fn beyond_white_only_bounds_hold() {
        let mut bounded = |values: &[f32]| Ok::<_, ()>(vec![mean(values).clamp(0.0, 1.0)]);
        assert!(beyond(&mut bounded, Element::Float, 1, 16, 1).unwrap());
        let mut open = |values: &[f32]| Ok::<_, ()>(vec![mean(values)]);
        assert!(!beyond(&mut open, Element::Float, 1, 16, 1).unwrap());
    }
}
