//! The second term of TRADES for one logit: KL(p || q) between p = sigmoid(z) of the clean and
//! q = sigmoid(a) of the adversarial picture.

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// Logits z and a \[N\], weights \[N\] -> weight * beta * KL(p || q) of each picture.
pub fn forward(z: &[f64], a: &[f64], weights: &[f64], beta: f64) -> Vec<f64> {
    let one = |((&z, &a), weight): ((&f64, &f64), &f64)| {
        let apart = sigmoid(z) * (softplus(-a) - softplus(-z)) + sigmoid(-z) * (softplus(a) - softplus(z));
        weight * beta * apart
    };
    z.iter().zip(a).zip(weights).map(one).collect()
}

/// The gradients of the mean of [`forward`] with respect to z and to a, both \[N\].
pub fn backward(z: &[f64], a: &[f64], weights: &[f64], beta: f64) -> [Vec<f64>; 2] {
    let n = z.len() as f64;
    let each = |at: usize| beta * weights[at] / n;
    let dz = |at: usize| each(at) * sigmoid(z[at]) * sigmoid(-z[at]) * (z[at] - a[at]);
    let da = |at: usize| each(at) * (sigmoid(a[at]) - sigmoid(z[at]));
    [(0..z.len()).map(dz).collect(), (0..z.len()).map(da).collect()]
}

/// The sign of the derivative of KL(p || q) with respect to a, \[N\]: -1, 0 or 1.
pub fn away(z: &[f64], a: &[f64]) -> Vec<f64> {
    z.iter().zip(a).map(|(z, a)| if a == z { 0.0 } else { (a - z).signum() }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::{SMOOTH, assert_slope};
    use super::*;

    const WEIGHTS: [f64; 4] = [1.0, 0.5, 2.0, 1.0];

    #[test]
    fn one_picture_by_hand() {
        // p = 1/2, q = 3/4: 1/2 ln(2/3) + 1/2 ln(2).
        let q: f64 = 3.0;
        let found = forward(&[0.0], &[q.ln()], &[1.0], 2.0)[0];
        assert!((found - (2.0f64 / 3.0).ln() - 2.0f64.ln()).abs() < 1e-15, "{found}");
    }

    #[test]
    fn gradients_are_slopes() {
        let (z, a) = ([0.3, -2.0, 4.0, 0.0], [0.1, 1.5, -3.0, 0.0]);
        let mean = |z: &[f64], a: &[f64]| forward(z, a, &WEIGHTS, 6.0).iter().sum::<f64>() / 4.0;
        let [dz, da] = backward(&z, &a, &WEIGHTS, 6.0);
        assert_slope("dz", SMOOTH, &z, &dz, |z| mean(z, &a));
        assert_slope("da", SMOOTH, &a, &da, |a| mean(&z, a));
        let signs = away(&z, &a);
        assert_eq!(signs, [-1.0, 1.0, -1.0, 0.0]);
        assert!(da.iter().zip(signs).all(|(da, sign)| da * sign >= 0.0));
    }
}
