//! The losses of one logit per image: weighted binary cross-entropy, for training, and the margin,
//! which attacks use because it never saturates.

use super::activation::sigmoid;

/// Logits z \[N\], targets t \[N\] (0 real, 1 fake), sample weights w \[N\] -> losses \[N\]:
/// w * (max(z, 0) - z * t + ln(1 + exp(-|z|))).
pub fn forward(z: &[f64], targets: &[f64], weights: &[f64]) -> Vec<f64> {
    let n = z.len();
    assert_eq!((targets.len(), weights.len()), (n, n), "all are [N]");
    let mut losses = vec![0.0; n];
    for i in 0..n {
        let softplus = (-z[i].abs()).exp().ln_1p();
        losses[i] = weights[i] * (z[i].max(0.0) - z[i] * targets[i] + softplus);
    }
    losses
}

/// Losses \[N\] -> their sum divided by N, whatever the weights.
pub fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// z, targets, weights \[N\] -> dz \[N\] of the mean loss: w * (sigmoid(z) - t) / N,
/// written as sigmoid(z) * (1 - t) - sigmoid(-z) * t, which does not cancel.
pub fn backward(z: &[f64], targets: &[f64], weights: &[f64]) -> Vec<f64> {
    let n = z.len();
    assert_eq!((targets.len(), weights.len()), (n, n), "all are [N]");
    let mut dz = vec![0.0; n];
    for i in 0..n {
        let slope = sigmoid(z[i]) * (1.0 - targets[i]) - sigmoid(-z[i]) * targets[i];
        dz[i] = weights[i] * slope / n as f64;
    }
    dz
}

/// z, targets \[N\] -> margin losses \[N\]: -s * z with s = +1 for a fake, -1 for a real.
/// Positive where the sign of the logit is wrong.
pub fn margin_forward(z: &[f64], targets: &[f64]) -> Vec<f64> {
    assert_eq!(z.len(), targets.len(), "z and targets are [N]");
    z.iter().zip(targets).map(|(z, t)| -sign(*t) * z).collect()
}

/// targets \[N\] -> dz \[N\] of every image's own margin loss: -s, not divided by N.
pub fn margin_backward(targets: &[f64]) -> Vec<f64> {
    targets.iter().map(|t| -sign(*t)).collect()
}

fn sign(target: f64) -> f64 {
    2.0 * target - 1.0
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, values};
    use super::*;

    /// At z = ln 3 the detector says fake with 3/4.
    #[test]
    fn losses_by_hand() {
        let ln3 = 3.0_f64.ln();
        let losses = forward(&[ln3, ln3, 0.0], &[1.0, 0.0, 1.0], &[1.0, 2.0, 0.5]);
        let expected = [(4.0_f64 / 3.0).ln(), 2.0 * 4.0_f64.ln(), 0.5 * 2.0_f64.ln()];
        assert_close(&losses, &expected);
        assert_close(&[mean(&losses)], &[expected.iter().sum::<f64>() / 3.0]);
    }

    #[test]
    fn large_logits_stay_finite() {
        let losses = forward(&[800.0, -800.0, 800.0], &[0.0, 1.0, 1.0], &[1.0; 3]);
        assert_eq!(losses, [800.0, 800.0, 0.0]);
        let dz = backward(&[800.0, -800.0], &[0.0, 1.0], &[1.0; 2]);
        assert_eq!(dz, [0.5, -0.5]);
    }

    /// At z = 40 the sigmoid is 1 in f64, and the gradient is -exp(-40) all the same.
    #[test]
    fn a_confident_logit_keeps_its_gradient() {
        let small = (-40.0_f64).exp();
        let dz = backward(&[40.0, -40.0], &[1.0, 0.0], &[2.0; 2]);
        assert!((dz[0] / -small - 1.0).abs() < 1e-12 && (dz[1] / small - 1.0).abs() < 1e-12, "{dz:?}");
    }

    #[test]
    fn the_margin_is_positive_where_the_sign_is_wrong() {
        assert_close(&margin_forward(&[3.0, 3.0], &[1.0, 0.0]), &[-3.0, 3.0]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for n in [1, 7] {
            let z: Vec<f64> = values("z", n).iter().map(|z| 5.0 * z).collect();
            let targets: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
            let weights: Vec<f64> = values("w", n).iter().map(|w| 1.5 + w).collect();
            let dz = backward(&z, &targets, &weights);
            assert_gradient("cross-entropy", &z, &dz, |z| mean(&forward(z, &targets, &weights)));
            assert_gradient("margin", &z, &margin_backward(&targets), |z| {
                margin_forward(z, &targets).iter().sum()
            });
        }
    }
}
