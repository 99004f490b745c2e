//! Batch normalisation over the positions of a batch, with the activation that
//! follows it: y = activation(gamma * (x - mean) / sqrt(var + eps) + beta).

use super::activation::Activation;
use super::moments::{self, Moments};

/// A batch-norm layer and the activation after it.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// M: positions of the batch.
    pub m: usize,
    /// C: channels.
    pub c: usize,
    /// The scale, \[C\].
    pub gamma: &'a [f64],
    /// The shift, \[C\].
    pub beta: &'a [f64],
    /// Added to the variance under the root.
    pub eps: f64,
    /// The activation after it.
    pub activation: Activation,
}

/// Gradients of one batch-norm layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// [M, C].
    pub dx: Vec<f64>,
    /// \[C\].
    pub dgamma: Vec<f64>,
    /// \[C\].
    pub dbeta: Vec<f64>,
}

/// x [M, C] -> y [M, C], normalised by the batch's own moments, which are returned.
pub fn forward_train(layer: &BatchNorm, x: &[f64]) -> (Vec<f64>, Moments) {
    let batch = moments::forward(x, layer.c);
    (forward_eval(layer, x, &batch), batch)
}

/// x [M, C] -> y [M, C], normalised by the moments given: the running ones.
pub fn forward_eval(layer: &BatchNorm, x: &[f64], running: &Moments) -> Vec<f64> {
    let xhat = normalised(layer, x, running);
    let mut y = vec![0.0; layer.m * layer.c];
    for row in 0..layer.m {
        for c in 0..layer.c {
            let z = layer.gamma[c] * xhat[row * layer.c + c] + layer.beta[c];
            y[row * layer.c + c] = layer.activation.value(z);
        }
    }
    y
}

/// Moves the running moments towards those of a batch of `m` positions:
/// running = (1 - momentum) * running + momentum * batch, where the batch's variance
/// counts unbiased, times m / max(m - 1, 1).
pub fn update_running(running: &mut Moments, batch: &Moments, m: usize, momentum: f64) {
    let unbiased = m as f64 / (m.max(2) - 1) as f64;
    for c in 0..running.mean.len() {
        running.mean[c] = (1.0 - momentum) * running.mean[c] + momentum * batch.mean[c];
        running.var[c] = (1.0 - momentum) * running.var[c] + momentum * batch.var[c] * unbiased;
    }
}

/// x, dy [M, C] -> gradients through the batch's own moments. dy is the gradient
/// after the activation.
pub fn backward_train(layer: &BatchNorm, x: &[f64], dy: &[f64]) -> Gradients {
    let batch = moments::forward(x, layer.c);
    let xhat = normalised(layer, x, &batch);
    let dz = before_activation(layer, &xhat, dy);
    let (dgamma, dbeta) = parameter_gradients(layer, &xhat, &dz);
    let m = layer.m as f64;
    let mut dx = vec![0.0; layer.m * layer.c];
    for row in 0..layer.m {
        for c in 0..layer.c {
            let at = row * layer.c + c;
            let centred = dz[at] - dbeta[c] / m - xhat[at] * dgamma[c] / m;
            dx[at] = layer.gamma[c] / (batch.var[c] + layer.eps).sqrt() * centred;
        }
    }
    Gradients { dx, dgamma, dbeta }
}

/// x, dy [M, C] -> gradients where the running moments are constants. dy is the
/// gradient after the activation.
pub fn backward_eval(layer: &BatchNorm, x: &[f64], dy: &[f64], running: &Moments) -> Gradients {
    let xhat = normalised(layer, x, running);
    let dz = before_activation(layer, &xhat, dy);
    let (dgamma, dbeta) = parameter_gradients(layer, &xhat, &dz);
    let mut dx = vec![0.0; layer.m * layer.c];
    for row in 0..layer.m {
        for c in 0..layer.c {
            let at = row * layer.c + c;
            dx[at] = layer.gamma[c] / (running.var[c] + layer.eps).sqrt() * dz[at];
        }
    }
    Gradients { dx, dgamma, dbeta }
}

/// x [M, C] -> (x - mean) / sqrt(var + eps).
fn normalised(layer: &BatchNorm, x: &[f64], by: &Moments) -> Vec<f64> {
    let &BatchNorm { m, c, eps, .. } = layer;
    assert_eq!(x.len(), m * c, "x is [M, C]");
    assert_eq!(layer.gamma.len(), c, "gamma is [C]");
    assert_eq!(layer.beta.len(), c, "beta is [C]");
    assert_eq!((by.mean.len(), by.var.len()), (c, c), "moments are [C]");
    let mut xhat = vec![0.0; m * c];
    for row in 0..m {
        for i in 0..c {
            xhat[row * c + i] = (x[row * c + i] - by.mean[i]) / (by.var[i] + eps).sqrt();
        }
    }
    xhat
}

/// xhat, dy [M, C] -> the gradient in front of the activation.
fn before_activation(layer: &BatchNorm, xhat: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), layer.m * layer.c, "dy is [M, C]");
    let mut dz = vec![0.0; layer.m * layer.c];
    for row in 0..layer.m {
        for c in 0..layer.c {
            let at = row * layer.c + c;
            let z = layer.gamma[c] * xhat[at] + layer.beta[c];
            dz[at] = dy[at] * layer.activation.derivative(z);
        }
    }
    dz
}

/// xhat, dz [M, C] -> dgamma \[C\], dbeta \[C\].
fn parameter_gradients(layer: &BatchNorm, xhat: &[f64], dz: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut dgamma, mut dbeta) = (vec![0.0; layer.c], vec![0.0; layer.c]);
    for row in 0..layer.m {
        for c in 0..layer.c {
            let at = row * layer.c + c;
            dgamma[c] += dz[at] * xhat[at];
            dbeta[c] += dz[at];
        }
    }
    (dgamma, dbeta)
}

#[cfg(test)]
mod tests {
    use super::super::activation::Activation::{Identity, Relu6, Sigmoid, Silu};
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn two_channels_by_hand() {
        let layer =
            BatchNorm { m: 4, c: 2, gamma: &[2.0, 3.0], beta: &[1.0, -1.0], eps: 0.25, activation: Identity };
        let x = [1.0, 0.0, 3.0, 8.0, 1.0, 0.0, 3.0, 8.0];
        let (y, batch) = forward_train(&layer, &x);
        assert_close(&batch.mean, &[2.0, 4.0]);
        assert_close(&batch.var, &[1.0, 16.0]);
        let (a, b) = (2.0 / 1.25_f64.sqrt(), 12.0 / 16.25_f64.sqrt());
        let (low, high) = ([1.0 - a, -1.0 - b], [1.0 + a, -1.0 + b]);
        assert_close(&y, &[low, high, low, high].concat());
    }

    #[test]
    fn the_activation_comes_last() {
        let x = values("x", 12);
        let plain =
            BatchNorm { m: 6, c: 2, gamma: &[2.0, -3.0], beta: &[1.0, 4.0], eps: 1e-3, activation: Identity };
        for activation in [Silu, Relu6, Sigmoid] {
            let expected: Vec<f64> =
                forward_train(&plain, &x).0.iter().map(|&z| activation.value(z)).collect();
            let fused = BatchNorm { activation, ..plain };
            assert_close(&forward_train(&fused, &x).0, &expected);
        }
    }

    #[test]
    fn evaluation_uses_the_running_moments() {
        let layer = BatchNorm { m: 2, c: 1, gamma: &[3.0], beta: &[0.5], eps: 1.0, activation: Identity };
        let running = Moments { mean: vec![10.0], var: vec![8.0] };
        let y = forward_eval(&layer, &[10.0, 13.0], &running);
        assert_close(&y, &[0.5, 3.5]);
    }

    /// As PyTorch keeps them; one position alone counts as it is.
    #[test]
    fn running_moments_move_by_the_unbiased_variance() {
        let batch = Moments { mean: vec![2.0], var: vec![3.0] };
        for (m, var) in [(4, 0.9 + 0.1 * 4.0), (1, 0.9 + 0.1 * 3.0)] {
            let mut running = Moments { mean: vec![0.0], var: vec![1.0] };
            update_running(&mut running, &batch, m, 0.1);
            assert_close(&running.mean, &[0.2]);
            assert_close(&running.var, &[var]);
        }
    }

    #[test]
    fn training_gradients_are_those_of_the_forward_pass() {
        for (m, c, activation) in
            [(7, 3, Identity), (6, 5, Silu), (9, 2, Relu6), (5, 1, Sigmoid), (1, 4, Silu)]
        {
            let (x, dy) = (values("x", m * c), values("dy", m * c));
            let gamma: Vec<f64> = values("gamma", c).iter().map(|g| 3.0 + g).collect();
            let beta: Vec<f64> = values("beta", c).iter().map(|b| 3.0 + b).collect();
            let layer = BatchNorm { m, c, gamma: &gamma, beta: &beta, eps: 1e-3, activation };
            let got = backward_train(&layer, &x, &dy);
            let name = format!("{layer:?}");
            let loss = |layer: &BatchNorm, x: &[f64]| dot(&forward_train(layer, x).0, &dy);
            assert_gradient(&name, &x, &got.dx, |x| loss(&layer, x));
            assert_gradient(&name, &gamma, &got.dgamma, |gamma| loss(&BatchNorm { gamma, ..layer }, &x));
            assert_gradient(&name, &beta, &got.dbeta, |beta| loss(&BatchNorm { beta, ..layer }, &x));
        }
    }

    #[test]
    fn evaluation_gradients_are_those_of_the_forward_pass() {
        for (m, c, activation) in [(7, 3, Silu), (1, 2, Identity), (8, 1, Relu6)] {
            let (x, dy) = (values("x", m * c), values("dy", m * c));
            let (gamma, beta) = (values("gamma", c), values("beta", c));
            let running =
                Moments { mean: values("mean", c), var: values("var", c).iter().map(|v| 1.5 + v).collect() };
            let layer = BatchNorm { m, c, gamma: &gamma, beta: &beta, eps: 1e-5, activation };
            let got = backward_eval(&layer, &x, &dy, &running);
            let name = format!("{layer:?}");
            let loss = |layer: &BatchNorm, x: &[f64]| dot(&forward_eval(layer, x, &running), &dy);
            assert_gradient(&name, &x, &got.dx, |x| loss(&layer, x));
            assert_gradient(&name, &gamma, &got.dgamma, |gamma| loss(&BatchNorm { gamma, ..layer }, &x));
            assert_gradient(&name, &beta, &got.dbeta, |beta| loss(&BatchNorm { beta, ..layer }, &x));
        }
    }
}
