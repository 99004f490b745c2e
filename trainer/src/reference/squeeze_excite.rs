//! Squeeze-excite: every channel of every image is scaled by a gate between 0 and 1
//! that the image's own channel means decide (Hu et al. 2018).

use super::activation::{self, Activation};
use super::linear::{self, Linear};
use super::pool::{self, Pool};

/// y[n, s, c] = x[n, s, c] * gate[n, c].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// N: images.
    pub n: usize,
    /// S: positions of one image.
    pub s: usize,
    /// C: channels.
    pub c: usize,
}

/// x [N, S, C], gate [N, C] -> y [N, S, C].
pub fn scale(shape: &Scale, x: &[f64], gate: &[f64]) -> Vec<f64> {
    let &Scale { n, s, c } = shape;
    assert_eq!(x.len(), n * s * c, "x is [N, S, C]");
    assert_eq!(gate.len(), n * c, "gate is [N, C]");
    let mut y = vec![0.0; n * s * c];
    for image in 0..n {
        for at in 0..s {
            for i in 0..c {
                let index = (image * s + at) * c + i;
                y[index] = x[index] * gate[image * c + i];
            }
        }
    }
    y
}

/// x [N, S, C], gate [N, C], dy [N, S, C] -> dx [N, S, C], dgate [N, C].
pub fn scale_backward(shape: &Scale, x: &[f64], gate: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let &Scale { n, s, c } = shape;
    assert_eq!(x.len(), n * s * c, "x is [N, S, C]");
    assert_eq!(gate.len(), n * c, "gate is [N, C]");
    assert_eq!(dy.len(), n * s * c, "dy is [N, S, C]");
    let (mut dx, mut dgate) = (vec![0.0; n * s * c], vec![0.0; n * c]);
    for image in 0..n {
        for at in 0..s {
            for i in 0..c {
                let index = (image * s + at) * c + i;
                dx[index] = dy[index] * gate[image * c + i];
                dgate[image * c + i] += dy[index] * x[index];
            }
        }
    }
    (dx, dgate)
}

/// The complete block: pool, linear C -> R, SiLU, linear R -> C, sigmoid, scale.
#[derive(Clone, Copy, Debug)]
pub struct SqueezeExcite<'a> {
    /// N: images.
    pub n: usize,
    /// S: positions of one image.
    pub s: usize,
    /// C: channels.
    pub c: usize,
    /// R: channels between the two linear layers.
    pub r: usize,
    /// [R, C].
    pub reduce_weight: &'a [f64],
    /// \[R\].
    pub reduce_bias: &'a [f64],
    /// [C, R].
    pub expand_weight: &'a [f64],
    /// \[C\].
    pub expand_bias: &'a [f64],
}

/// Gradients of a complete block.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// [N, S, C].
    pub dx: Vec<f64>,
    /// [R, C].
    pub dreduce_weight: Vec<f64>,
    /// \[R\].
    pub dreduce_bias: Vec<f64>,
    /// [C, R].
    pub dexpand_weight: Vec<f64>,
    /// \[C\].
    pub dexpand_bias: Vec<f64>,
}

impl SqueezeExcite<'_> {
    fn scale(&self) -> Scale {
        let &Self { n, s, c, .. } = self;
        Scale { n, s, c }
    }

    fn pool(&self) -> Pool {
        let &Self { n, s, c, .. } = self;
        Pool { n, s, c }
    }

    fn reduce(&self) -> Linear {
        let &Self { n, c, r, .. } = self;
        Linear { n, k: c, m: r }
    }

    fn expand(&self) -> Linear {
        let &Self { n, c, r, .. } = self;
        Linear { n, k: r, m: c }
    }
}

/// What the block computes on its way to the gate.
struct Squeezed {
    pooled: Vec<f64>,   // [N, C]
    reduced: Vec<f64>,  // [N, R], before SiLU
    hidden: Vec<f64>,   // [N, R], after SiLU
    expanded: Vec<f64>, // [N, C], before the sigmoid
    gate: Vec<f64>,     // [N, C]
}

fn squeeze(block: &SqueezeExcite, x: &[f64]) -> Squeezed {
    let pooled = pool::forward(&block.pool(), x);
    let (weight, bias) = (block.reduce_weight, block.reduce_bias);
    let reduced = linear::forward(&block.reduce(), &pooled, weight, bias);
    let hidden = activation::forward(Activation::Silu, &reduced);
    let (weight, bias) = (block.expand_weight, block.expand_bias);
    let expanded = linear::forward(&block.expand(), &hidden, weight, bias);
    let gate = activation::forward(Activation::Sigmoid, &expanded);
    Squeezed { pooled, reduced, hidden, expanded, gate }
}

/// x [N, S, C] -> y [N, S, C].
pub fn forward(block: &SqueezeExcite, x: &[f64]) -> Vec<f64> {
    scale(&block.scale(), x, &squeeze(block, x).gate)
}

/// x, dy [N, S, C] -> gradients.
pub fn backward(block: &SqueezeExcite, x: &[f64], dy: &[f64]) -> Gradients {
    let on_the_way = squeeze(block, x);
    let (mut dx, dgate) = scale_backward(&block.scale(), x, &on_the_way.gate, dy);

    let dexpanded = activation::backward(Activation::Sigmoid, &on_the_way.expanded, &dgate);
    let expand = block.expand();
    let dhidden = linear::backward_input(&expand, &dexpanded, block.expand_weight);

    let dreduced = activation::backward(Activation::Silu, &on_the_way.reduced, &dhidden);
    let reduce = block.reduce();
    let dpooled = linear::backward_input(&reduce, &dreduced, block.reduce_weight);

    for (dx, through_the_gate) in dx.iter_mut().zip(pool::backward(&block.pool(), &dpooled)) {
        *dx += through_the_gate;
    }
    Gradients {
        dx,
        dreduce_weight: linear::backward_weight(&reduce, &on_the_way.pooled, &dreduced),
        dreduce_bias: linear::backward_bias(&reduce, &dreduced),
        dexpand_weight: linear::backward_weight(&expand, &on_the_way.hidden, &dexpanded),
        dexpand_bias: linear::backward_bias(&expand, &dexpanded),
    }
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn every_image_has_gates_of_its_own() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let y = scale(&Scale { n: 2, s: 2, c: 2 }, &x, &[1.0, 10.0, 100.0, 0.0]);
        assert_close(&y, &[1.0, 20.0, 3.0, 40.0, 500.0, 0.0, 700.0, 0.0]);
    }

    /// One image, one channel: the mean is ln 2, SiLU makes 2/3 ln 2 of it, the
    /// second weight makes ln 2 of that, and its sigmoid is 2/3.
    #[test]
    fn one_channel_by_hand() {
        let ln2 = 2.0_f64.ln();
        let block = SqueezeExcite {
            n: 1,
            s: 2,
            c: 1,
            r: 1,
            reduce_weight: &[2.0],
            reduce_bias: &[-ln2],
            expand_weight: &[3.0],
            expand_bias: &[-ln2],
        };
        let y = forward(&block, &[0.5 * ln2, 1.5 * ln2]);
        assert_close(&y, &[ln2 / 3.0, ln2]);
    }

    #[test]
    fn scale_gradients_are_those_of_the_forward_pass() {
        for (n, s, c) in [(1, 1, 1), (3, 5, 4), (2, 1, 3)] {
            let shape = Scale { n, s, c };
            let (x, gate) = (values("x", n * s * c), values("gate", n * c));
            let dy = values("dy", n * s * c);
            let (dx, dgate) = scale_backward(&shape, &x, &gate, &dy);
            let name = format!("{shape:?}");
            assert_gradient(&name, &x, &dx, |x| dot(&scale(&shape, x, &gate), &dy));
            assert_gradient(&name, &gate, &dgate, |g| dot(&scale(&shape, &x, g), &dy));
        }
    }

    #[test]
    fn block_gradients_are_those_of_the_forward_pass() {
        for (n, s, c, r) in [(1, 1, 1, 1), (2, 5, 6, 3), (3, 1, 4, 2), (1, 9, 5, 1)] {
            let (reduce_weight, reduce_bias) = (values("rw", r * c), values("rb", r));
            let (expand_weight, expand_bias) = (values("ew", c * r), values("eb", c));
            let block = SqueezeExcite {
                n,
                s,
                c,
                r,
                reduce_weight: &reduce_weight,
                reduce_bias: &reduce_bias,
                expand_weight: &expand_weight,
                expand_bias: &expand_bias,
            };
            let (x, dy) = (values("x", n * s * c), values("dy", n * s * c));
            let got = backward(&block, &x, &dy);
            let name = format!("N {n}, S {s}, C {c}, R {r}");
            let loss = |block: &SqueezeExcite| dot(&forward(block, &x), &dy);
            assert_gradient(&name, &x, &got.dx, |x| dot(&forward(&block, x), &dy));
            assert_gradient(&name, &reduce_weight, &got.dreduce_weight, |w| {
                loss(&SqueezeExcite { reduce_weight: w, ..block })
            });
            assert_gradient(&name, &reduce_bias, &got.dreduce_bias, |b| {
                loss(&SqueezeExcite { reduce_bias: b, ..block })
            });
            assert_gradient(&name, &expand_weight, &got.dexpand_weight, |w| {
                loss(&SqueezeExcite { expand_weight: w, ..block })
            });
            assert_gradient(&name, &expand_bias, &got.dexpand_bias, |b| {
                loss(&SqueezeExcite { expand_bias: b, ..block })
            });
        }
    }
}
