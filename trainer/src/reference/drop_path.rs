//! Drop-path (stochastic depth): drops the residual branch of some images.

use super::mask;

/// y[n, i] = skip[n, i] + branch[n, i] * factor\[n\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropPath {
    /// N: images.
    pub n: usize,
    /// Values of one image: S * C.
    pub values: usize,
}

/// One factor per image, \[N\]: 0 or 1 / (1 - rate), drawn from the image's key and
/// the op's number, element 0.
pub fn factors(keys: &[u64], op: u32, rate: f32) -> Vec<f64> {
    keys.iter().map(|&key| mask::factor(key, op, 0, rate)).collect()
}

/// skip, branch [N, S, C], factors \[N\] -> y [N, S, C].
pub fn forward(shape: &DropPath, skip: &[f64], branch: &[f64], factors: &[f64]) -> Vec<f64> {
    let &DropPath { n, values } = shape;
    assert_eq!(skip.len(), n * values, "skip is [N, S, C]");
    assert_eq!(branch.len(), n * values, "branch is [N, S, C]");
    assert_eq!(factors.len(), n, "factors are [N]");
    let mut y = vec![0.0; n * values];
    for (image, factor) in factors.iter().enumerate() {
        for i in 0..values {
            let at = image * values + i;
            y[at] = skip[at] + branch[at] * factor;
        }
    }
    y
}

/// dy [N, S, C], factors \[N\] -> dskip, dbranch [N, S, C].
pub fn backward(shape: &DropPath, dy: &[f64], factors: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let &DropPath { n, values } = shape;
    assert_eq!(dy.len(), n * values, "dy is [N, S, C]");
    assert_eq!(factors.len(), n, "factors are [N]");
    let mut dbranch = vec![0.0; n * values];
    for (image, factor) in factors.iter().enumerate() {
        for i in 0..values {
            let at = image * values + i;
            dbranch[at] = dy[at] * factor;
        }
    }
    (dy.to_vec(), dbranch)
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn a_dropped_image_keeps_its_skip() {
        let shape = DropPath { n: 2, values: 2 };
        let y = forward(&shape, &[1.0; 4], &[8.0, 16.0, 8.0, 16.0], &[0.0, 1.25]);
        assert_close(&y, &[1.0, 1.0, 11.0, 21.0]);
    }

    #[test]
    fn an_image_is_dropped_by_its_key_whatever_its_batch() {
        let keys: Vec<u64> = (0..50).collect();
        let all = factors(&keys, 3, 0.5);
        assert!(all.contains(&0.0) && all.contains(&2.0));
        assert_eq!(factors(&keys[20..30], 3, 0.5), all[20..30]);
        assert_ne!(factors(&keys, 4, 0.5), all);
        assert_eq!(factors(&keys, 3, 0.0), vec![1.0; 50]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for (n, size, factors) in [(1, 1, vec![1.25]), (3, 5, vec![0.0, 1.25, 1.25])] {
            let shape = DropPath { n, values: size };
            let (skip, branch) = (values("skip", n * size), values("branch", n * size));
            let dy = values("dy", n * size);
            let (dskip, dbranch) = backward(&shape, &dy, &factors);
            assert_gradient("skip", &skip, &dskip, |skip| {
                dot(&forward(&shape, skip, &branch, &factors), &dy)
            });
            assert_gradient("branch", &branch, &dbranch, |branch| {
                dot(&forward(&shape, &skip, branch, &factors), &dy)
            });
        }
    }
}
