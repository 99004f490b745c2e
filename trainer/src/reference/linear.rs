//! Fully connected layer with bias, its weight as PyTorch stores it.

/// y [N, M] = x [N, K] * weight [M, K]^T + bias \[M\]. Here K counts features in and
/// M features out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// N: images.
    pub n: usize,
    /// K: features in.
    pub k: usize,
    /// M: features out.
    pub m: usize,
}

/// x [N, K], weight [M, K], bias \[M\] -> y [N, M].
pub fn forward(shape: &Linear, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let &Linear { n, k, m } = shape;
    assert_eq!(x.len(), n * k, "x is [N, K]");
    assert_eq!(weight.len(), m * k, "weight is [M, K]");
    assert_eq!(bias.len(), m, "bias is [M]");
    let mut y = vec![0.0; n * m];
    for image in 0..n {
        for out in 0..m {
            y[image * m + out] = bias[out];
            for i in 0..k {
                y[image * m + out] += x[image * k + i] * weight[out * k + i];
            }
        }
    }
    y
}

/// dy [N, M], weight [M, K] -> dx [N, K].
pub fn backward_input(shape: &Linear, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    let &Linear { n, k, m } = shape;
    assert_eq!(dy.len(), n * m, "dy is [N, M]");
    assert_eq!(weight.len(), m * k, "weight is [M, K]");
    let mut dx = vec![0.0; n * k];
    for image in 0..n {
        for out in 0..m {
            for i in 0..k {
                dx[image * k + i] += dy[image * m + out] * weight[out * k + i];
            }
        }
    }
    dx
}

/// x [N, K], dy [N, M] -> dweight [M, K].
pub fn backward_weight(shape: &Linear, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let &Linear { n, k, m } = shape;
    assert_eq!(x.len(), n * k, "x is [N, K]");
    assert_eq!(dy.len(), n * m, "dy is [N, M]");
    let mut dweight = vec![0.0; m * k];
    for image in 0..n {
        for out in 0..m {
            for i in 0..k {
                dweight[out * k + i] += dy[image * m + out] * x[image * k + i];
            }
        }
    }
    dweight
}

/// dy [N, M] -> dbias \[M\].
pub fn backward_bias(shape: &Linear, dy: &[f64]) -> Vec<f64> {
    let &Linear { n, m, .. } = shape;
    assert_eq!(dy.len(), n * m, "dy is [N, M]");
    let mut dbias = vec![0.0; m];
    for image in 0..n {
        for out in 0..m {
            dbias[out] += dy[image * m + out];
        }
    }
    dbias
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn two_images_by_hand() {
        let shape = Linear { n: 2, k: 3, m: 2 };
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let weight = [1.0, 0.0, -1.0, 0.5, 0.5, 0.5];
        let y = forward(&shape, &x, &weight, &[10.0, 20.0]);
        assert_close(&y, &[8.0, 23.0, 8.0, 27.5]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for (n, k, m) in [(1, 1, 1), (3, 5, 2), (1, 7, 1), (4, 1, 3)] {
            let shape = Linear { n, k, m };
            let (x, weight, bias) = (values("x", n * k), values("weight", m * k), values("b", m));
            let dy = values("dy", n * m);
            let name = format!("{shape:?}");
            assert_gradient(&name, &x, &backward_input(&shape, &dy, &weight), |x| {
                dot(&forward(&shape, x, &weight, &bias), &dy)
            });
            assert_gradient(&name, &weight, &backward_weight(&shape, &x, &dy), |w| {
                dot(&forward(&shape, &x, w, &bias), &dy)
            });
            assert_gradient(&name, &bias, &backward_bias(&shape, &dy), |b| {
                dot(&forward(&shape, &x, &weight, b), &dy)
            });
        }
    }
}
