//! Mean and variance of every channel.

/// Mean and variance of every channel: of a batch, or running.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// \[C\].
    pub mean: Vec<f64>,
    /// \[C\]. Biased (divided by M) in a batch, unbiased (by M - 1) in the running ones.
    pub var: Vec<f64>,
}

/// x [M, C], C = `c` -> mean and biased variance of every channel.
pub fn forward(x: &[f64], c: usize) -> Moments {
    assert!(x.len().is_multiple_of(c), "x is [M, C]");
    let m = (x.len() / c) as f64;
    let (mut mean, mut var) = (vec![0.0; c], vec![0.0; c]);
    for row in x.chunks(c) {
        for i in 0..c {
            mean[i] += row[i] / m;
        }
    }
    for row in x.chunks(c) {
        for i in 0..c {
            var[i] += (row[i] - mean[i]).powi(2) / m;
        }
    }
    Moments { mean, var }
}

#[cfg(test)]
mod tests {
    use super::super::differences::assert_close;
    use super::*;

    #[test]
    fn moments_by_hand() {
        let moments = forward(&[1.0, 4.0, 3.0, 4.0, 5.0, 10.0], 2);
        assert_close(&moments.mean, &[3.0, 6.0]);
        assert_close(&moments.var, &[8.0 / 3.0, 8.0]);
    }
}
