//! The finite difference of the loss along the gradient of the pixels (Finlay & Oberman 2021):
//! d = (L(x + h v) - L(x)) / h with v = grad / ||grad||_2 of each image.

/// Images x and gradients [N, D] -> x + h v; x where the gradient is zero.
pub fn ahead(x: &[f64], gradient: &[f64], n: usize, h: f64) -> Vec<f64> {
    let values = x.len() / n;
    let mut moved = x.to_vec();
    for (x, gradient) in moved.chunks_mut(values).zip(gradient.chunks(values)) {
        let norm = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        let factor = if norm > 0.0 { h / norm } else { 0.0 };
        x.iter_mut().zip(gradient).for_each(|(x, gradient)| *x += factor * gradient);
    }
    moved
}

/// Weighted losses \[N\] at x and at x + h v, their weights, and the gradients of their means with
/// respect to the logits -> the gradients of the mean of w (L(x) + lambda d^2 / 2), v held still.
pub fn weigh(
    weights: &[f64],
    losses: [&[f64]; 2],
    dlogits: [&[f64]; 2],
    (h, lambda): (f64, f64),
) -> [Vec<f64>; 2] {
    let factor = |at: usize| {
        let rise = if weights[at] > 0.0 { (losses[1][at] - losses[0][at]) / weights[at] } else { 0.0 };
        lambda * rise / (h * h)
    };
    let own = |at: usize| (1.0 - factor(at)) * dlogits[0][at];
    let ahead = |at: usize| factor(at) * dlogits[1][at];
    [(0..weights.len()).map(own).collect(), (0..weights.len()).map(ahead).collect()]
}

#[cfg(test)]
mod tests {
    use super::super::cross_entropy;
    use super::super::network::tests::{SMOOTH, assert_slope};
    use super::*;

    #[test]
    fn a_picture_moves_by_h() {
        let moved = ahead(&[0.5, 0.5, 0.5, 0.5], &[3.0, 4.0, 0.0, 0.0], 2, 0.1);
        let expected = [0.56, 0.58, 0.5, 0.5];
        assert!(moved.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{moved:?}");
    }

    /// The logits of both passes as free variables.
    #[test]
    fn gradients_are_slopes_of_the_penalised_loss() {
        let (targets, weights) = ([1.0, 0.0, 1.0], [1.0, 0.5, 2.0]);
        let (z, moved, h, lambda) = ([0.3, -0.2, 1.0], [0.1, 0.1, 0.4], 0.2, 0.7);
        let objective = |z: &[f64], moved: &[f64]| {
            let of = |z: &[f64]| cross_entropy::forward(z, &targets, &[1.0; 3]);
            let (at, ahead) = (of(z), of(moved));
            let one = |i: usize| weights[i] * (at[i] + 0.5 * lambda * ((ahead[i] - at[i]) / h).powi(2));
            (0..3).map(one).sum::<f64>() / 3.0
        };
        let losses = |z: &[f64]| cross_entropy::forward(z, &targets, &weights);
        let slopes = |z: &[f64]| cross_entropy::backward(z, &targets, &weights);
        let (at, ahead) = (losses(&z), losses(&moved));
        let found = weigh(&weights, [&at, &ahead], [&slopes(&z), &slopes(&moved)], (h, lambda));
        assert_slope("own", SMOOTH, &z, &found[0], |z| objective(z, &moved));
        assert_slope("ahead", SMOOTH, &moved, &found[1], |moved| objective(&z, moved));
    }
}
