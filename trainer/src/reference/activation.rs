//! Activations, value by value.

/// The activation after a batch-norm or a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x.
    Identity,
    /// x * sigmoid(x), also called swish.
    Silu,
    /// min(max(x, 0), 6).
    Relu6,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
}

impl Activation {
    /// The activation of one number.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Silu => x * sigmoid(x),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Sigmoid => sigmoid(x),
        }
    }

    /// The derivative at the input `x`. That of ReLU6 is 1 strictly
    /// between 0 and 6 and 0 at both corners, as in PyTorch.
    pub fn derivative(self, x: f64) -> f64 {
        let s = sigmoid(x);
        match self {
            Self::Identity => 1.0,
            Self::Silu => s * (1.0 + x * (1.0 - s)),
            Self::Relu6 if x > 0.0 && x < 6.0 => 1.0,
            Self::Relu6 => 0.0,
            Self::Sigmoid => s * (1.0 - s),
        }
    }
}

/// 1 / (1 + exp(-x)), without overflow on either side.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// x -> y, of equal lengths.
pub fn forward(activation: Activation, x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| activation.value(x)).collect()
}

/// x (the input), dy -> dx, of equal lengths.
pub fn backward(activation: Activation, x: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), dy.len(), "x and dy have one length");
    x.iter().zip(dy).map(|(&x, dy)| dy * activation.derivative(x)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::Activation::{Identity, Relu6, Sigmoid, Silu};
    use super::*;

    #[test]
    fn values_by_hand() {
        let x = [-1.0, 0.0, 2.0, 7.0];
        assert_close(&forward(Identity, &x), &x);
        assert_close(&forward(Relu6, &x), &[0.0, 0.0, 2.0, 6.0]);
        let thirds = [-(2.0_f64.ln()), 0.0, 2.0_f64.ln()];
        assert_close(&forward(Sigmoid, &thirds), &[1.0 / 3.0, 0.5, 2.0 / 3.0]);
        let silu = [-(2.0_f64.ln()) / 3.0, 0.0, 2.0_f64.ln() * 2.0 / 3.0];
        assert_close(&forward(Silu, &thirds), &silu);
    }

    #[test]
    fn sigmoid_holds_at_both_ends() {
        assert_eq!(sigmoid(1000.0), 1.0);
        assert_eq!(sigmoid(-1000.0), 0.0);
        assert_eq!(Silu.value(-1000.0), 0.0);
        assert_eq!(Silu.derivative(-1000.0), 0.0);
    }

    #[test]
    fn relu6_is_flat_at_its_corners() {
        assert_eq!([0.0, 3.0, 6.0].map(|x| Relu6.derivative(x)), [0.0, 1.0, 0.0]);
    }

    /// Over [-9, 9), which crosses both corners of ReLU6; none of these
    /// points lies within a difference's step of one.
    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for activation in [Identity, Silu, Relu6, Sigmoid] {
            let x: Vec<f64> = values("x", 101).iter().map(|x| 9.0 * x).collect();
            let dy = values("dy", x.len());
            let dx = backward(activation, &x, &dy);
            assert_gradient(&format!("{activation:?}"), &x, &dx, |x| dot(&forward(activation, x), &dy));
        }
    }
}
