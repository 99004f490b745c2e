//! From 8-bit pixels to the network: [0, 1], then mean and deviation. The first op
//! inside the graph is `normalise`, so that an epsilon is always in units of pixels.

/// Bytes of any shape -> numbers in [0, 1]: byte / 255.
pub fn from_bytes(bytes: &[u8]) -> Vec<f64> {
    bytes.iter().map(|&byte| f64::from(byte) / 255.0).collect()
}

/// Mean and standard deviation of every colour, in pixels of [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Red, green, blue.
    pub mean: [f64; 3],
    /// Red, green, blue.
    pub std: [f64; 3],
}

/// x [M, 3] in [0, 1] -> y [M, 3]: (x - mean) / std.
pub fn normalise(by: &Normalisation, x: &[f64]) -> Vec<f64> {
    assert_eq!(x.len() % 3, 0, "x is [M, 3]");
    x.iter().enumerate().map(|(at, x)| (x - by.mean[at % 3]) / by.std[at % 3]).collect()
}

/// dy [M, 3] -> dx [M, 3], the gradient with respect to pixels in [0, 1].
pub fn normalise_backward(by: &Normalisation, dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len() % 3, 0, "dy is [M, 3]");
    dy.iter().enumerate().map(|(at, dy)| dy / by.std[at % 3]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    const BY: Normalisation = Normalisation { mean: [0.5, 0.25, 0.0], std: [0.25, 0.5, 2.0] };

    #[test]
    fn bytes_span_the_unit_interval() {
        assert_eq!(from_bytes(&[0, 51, 255]), [0.0, 0.2, 1.0]);
    }

    #[test]
    fn every_colour_has_its_own_moments() {
        let y = normalise(&BY, &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_close(&y, &[2.0, 1.5, 0.5, -2.0, -0.5, 0.0]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        let (x, dy) = (values("x", 15), values("dy", 15));
        assert_gradient("pixels", &x, &normalise_backward(&BY, &dy), |x| dot(&normalise(&BY, x), &dy));
    }
}
