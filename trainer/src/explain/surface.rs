//! The loss around a picture over two directions: the sign of the input gradient of the loss, and
//! random signs orthogonal to it (as Engstrom, Ilyas & Athalye 2018 plot it).

use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::metrics::probabilities::negative_log_likelihood;
use dfrt_runtime::random;
use dfrt_runtime::results::explanation::Surface;
use dfrt_runtime::sample::Label;
use rand::RngExt;

/// Reach in each direction, in 1/255.
pub const REACH_255: f64 = 4.0;
/// Places along each direction, an odd number.
pub const SIDE: usize = 21;

/// A picture whose surface is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its id, the key of the random direction.
    pub id: u64,
    /// Its class.
    pub label: Label,
    /// 3 x res x res values in \[0, 1\].
    pub values: &'a [f32],
    /// dz/dx, of the same shape.
    pub slopes: &'a [f32],
}

/// Places along each direction in 1/255.
pub fn steps_255() -> Vec<f64> {
    let middle = (SIDE / 2) as f64;
    (0..SIDE).map(|at| (at as f64 - middle) / middle * REACH_255).collect()
}

/// The logits and losses around a picture of side `res`, pixels clipped to \[0, 1\]. `logits` scores any
/// number of pictures.
///
/// # Errors
/// Those of `logits`.
pub fn around<E>(
    place: Place<'_>,
    res: usize,
    seed: u64,
    logits: impl Fn(&Batch) -> Result<Vec<f32>, E>,
) -> Result<Surface, E> {
    // The loss rises where s z falls.
    let up: Vec<f32> = place.slopes.iter().map(|&slope| -place.label.sign() * sign(slope)).collect();
    let across = orthogonal(&up, seed, place.id);
    let steps = steps_255();
    let (mut found, mut losses) = (Vec::new(), Vec::new());
    for &along in &steps {
        let mut batch = Batch::new(res);
        for &aside in &steps {
            let (along, aside) = ((along / 255.0) as f32, (aside / 255.0) as f32);
            let values = place.values.iter().zip(up.iter().zip(&across));
            batch
                .values
                .extend(values.map(|(x, (up, across))| (x + along * up + aside * across).clamp(0.0, 1.0)));
        }
        let row = logits(&batch)?;
        losses.push(row.iter().map(|&logit| negative_log_likelihood(logit, place.label)).collect());
        found.push(row.into_iter().map(f64::from).collect());
    }
    let zero_gradient = up.iter().all(|&sign| sign == 0.0);
    Ok(Surface { id: place.id, steps_255: steps, logits: found, losses, zero_gradient })
}

/// -1, 0 or 1.
fn sign(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Random signs whose product with `direction`, of signs and zeros, sums to 0, or to 1 or -1 where the
/// number of its signs is odd. They are drawn by `seed` and `id`, not by the direction.
fn orthogonal(direction: &[f32], seed: u64, id: u64) -> Vec<f32> {
    let mut random = random::stream(seed, &["surface".into(), id.into()]);
    let mut signs: Vec<f32> =
        direction.iter().map(|_| if random.random_range(0..2) == 0 { 1.0 } else { -1.0 }).collect();
    let mut product: f64 = signs.iter().zip(direction).map(|(a, b)| f64::from(a * b)).sum();
    // Turning a sign that agrees too often over takes two from the sum.
    for _ in 0..20 * direction.len() {
        if product.abs() <= 1.0 {
            break;
        }
        let at = random.random_range(0..signs.len());
        let own = f64::from(signs[at] * direction[at]);
        if own * product > 0.0 {
            signs[at] = -signs[at];
            product -= 2.0 * own;
        }
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const RES: usize = 8;

    /// z = sum w x / 10.
    fn score(weights: &[f32]) -> impl Fn(&Batch) -> Result<Vec<f32>, Infallible> {
        move |batch: &Batch| {
            let logit = |at| batch.picture(at).iter().zip(weights).map(|(x, w)| x * w / 10.0).sum::<f32>();
            Ok((0..batch.len()).map(logit).collect())
        }
    }

    #[test]
    fn a_linear_model_rises_along_its_gradient_alone() {
        // Weights of one size: a direction of signs that is orthogonal changes nothing.
        let weights: Vec<f32> = (0..3 * RES * RES).map(|at| if at % 3 == 0 { -0.5 } else { 0.5 }).collect();
        let grey = vec![0.5; 3 * RES * RES];
        for label in [Label::Fake, Label::Real] {
            let place = Place { id: 4, label, values: &grey, slopes: &weights };
            let found = around(place, RES, 0, score(&weights)).unwrap();
            assert_eq!((found.logits.len(), found.logits[0].len(), found.zero_gradient), (SIDE, SIDE, false));
            assert_eq!((found.steps_255[0], found.steps_255[10], found.steps_255[20]), (-4.0, 0.0, 4.0));
            // The whole reach changes the logit by 4/255 * 192 * 0.5 / 10.
            let rise = found.losses[20][10] - found.losses[0][10];
            let logit = f64::from(label.sign()) * (found.logits[0][10] - found.logits[20][10]);
            assert!((logit - 2.0 * 4.0 / 255.0 * 9.6).abs() < 1e-4 && rise > 0.04, "{label}: {logit} {rise}");
            let across = found.logits[10][20] - found.logits[10][0];
            assert!(across.abs() < 1e-4, "{across}");
        }
    }

    #[test]
    fn random_signs_are_orthogonal_and_keyed() {
        let direction: Vec<f32> = (0..1001).map(|at| [1.0, -1.0, 1.0, 0.0][at % 4]).collect();
        let signs = orthogonal(&direction, 0, 1);
        let product: f32 = signs.iter().zip(&direction).map(|(a, b)| a * b).sum();
        assert!(product.abs() <= 1.0 && signs.iter().all(|sign| sign.abs() == 1.0), "{product}");
        assert_eq!(signs, orthogonal(&direction, 0, 1));
        assert_ne!(signs, orthogonal(&direction, 0, 2));
        assert_ne!(signs, orthogonal(&direction, 1, 1));
    }

    #[test]
    fn a_zero_gradient_is_told() {
        let zero = vec![0.0; 3 * RES * RES];
        let place = Place { id: 0, label: Label::Fake, values: &zero, slopes: &zero };
        let found = around(place, RES, 0, score(&zero)).unwrap();
        assert!(found.zero_gradient && found.losses.iter().flatten().all(|loss| loss.is_finite()));
    }
}
