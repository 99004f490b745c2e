//! Global average pool: the mean of every channel over space.

/// x [N, S, C] -> y [N, C].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// N: images.
    pub n: usize,
    /// S: positions of one image.
    pub s: usize,
    /// C: channels.
    pub c: usize,
}

/// x [N, S, C] -> y [N, C].
pub fn forward(shape: &Pool, x: &[f64]) -> Vec<f64> {
    let &Pool { n, s, c } = shape;
    assert_eq!(x.len(), n * s * c, "x is [N, S, C]");
    let mut y = vec![0.0; n * c];
    for image in 0..n {
        for at in 0..s {
            for i in 0..c {
                y[image * c + i] += x[(image * s + at) * c + i] / s as f64;
            }
        }
    }
    y
}

/// dy [N, C] -> dx [N, S, C].
pub fn backward(shape: &Pool, dy: &[f64]) -> Vec<f64> {
    let &Pool { n, s, c } = shape;
    assert_eq!(dy.len(), n * c, "dy is [N, C]");
    let mut dx = vec![0.0; n * s * c];
    for image in 0..n {
        for at in 0..s {
            for i in 0..c {
                dx[(image * s + at) * c + i] = dy[image * c + i] / s as f64;
            }
        }
    }
    dx
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn two_images_by_hand() {
        let x = [1.0, 10.0, 3.0, 30.0, 5.0, 50.0, 7.0, 70.0];
        let y = forward(&Pool { n: 2, s: 2, c: 2 }, &x);
        assert_close(&y, &[2.0, 20.0, 6.0, 60.0]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for (n, s, c) in [(1, 1, 1), (3, 7, 5), (1, 9, 2), (4, 1, 3)] {
            let shape = Pool { n, s, c };
            let (x, dy) = (values("x", n * s * c), values("dy", n * c));
            assert_gradient(&format!("{shape:?}"), &x, &backward(&shape, &dy), |x| {
                dot(&forward(&shape, x), &dy)
            });
        }
    }
}
