//! Pointwise (1x1) convolution: with channels last it is one matrix product.

/// y [M, N] = x [M, K] * weight [K, N]. Here K counts channels in and N channels out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// M: positions of the batch.
    pub m: usize,
    /// K: channels in.
    pub k: usize,
    /// N: channels out.
    pub n: usize,
}

/// x [M, K], weight [K, N] -> y [M, N].
pub fn forward(shape: &Product, x: &[f64], weight: &[f64]) -> Vec<f64> {
    let &Product { m, k, n } = shape;
    assert_eq!(x.len(), m * k, "x is [M, K]");
    assert_eq!(weight.len(), k * n, "weight is [K, N]");
    let mut y = vec![0.0; m * n];
    for row in 0..m {
        for column in 0..n {
            for i in 0..k {
                y[row * n + column] += x[row * k + i] * weight[i * n + column];
            }
        }
    }
    y
}

/// dy [M, N], weight [K, N] -> dx [M, K].
pub fn backward_input(shape: &Product, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    let &Product { m, k, n } = shape;
    assert_eq!(dy.len(), m * n, "dy is [M, N]");
    assert_eq!(weight.len(), k * n, "weight is [K, N]");
    let mut dx = vec![0.0; m * k];
    for row in 0..m {
        for i in 0..k {
            for column in 0..n {
                dx[row * k + i] += dy[row * n + column] * weight[i * n + column];
            }
        }
    }
    dx
}

/// x [M, K], dy [M, N] -> dweight [K, N].
pub fn backward_weight(shape: &Product, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let &Product { m, k, n } = shape;
    assert_eq!(x.len(), m * k, "x is [M, K]");
    assert_eq!(dy.len(), m * n, "dy is [M, N]");
    let mut dweight = vec![0.0; k * n];
    for row in 0..m {
        for i in 0..k {
            for column in 0..n {
                dweight[i * n + column] += x[row * k + i] * dy[row * n + column];
            }
        }
    }
    dweight
}

#[cfg(test)]
mod tests {
    use super::super::convolution::{self, Window};
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn it_is_a_convolution_with_a_one_pixel_kernel() {
        let window = Window::symmetric(2, 3, 5, 4, 3, 1, 1);
        let shape = Product { m: 30, k: 4, n: 3 };
        let (x, weight) = (values("x", 120), values("weight", 12));
        let y = forward(&shape, &x, &weight);
        assert_close(&y, &convolution::forward(&window, &x, &weight));
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for (m, k, n) in [(1, 1, 1), (5, 3, 7), (1, 8, 2), (9, 1, 4)] {
            let shape = Product { m, k, n };
            let (x, weight) = (values("x", m * k), values("weight", k * n));
            let dy = values("dy", m * n);
            let name = format!("{shape:?}");
            assert_gradient(&name, &x, &backward_input(&shape, &dy, &weight), |x| {
                dot(&forward(&shape, x, &weight), &dy)
            });
            assert_gradient(&name, &weight, &backward_weight(&shape, &x, &dy), |w| {
                dot(&forward(&shape, &x, w), &dy)
            });
        }
    }
}
