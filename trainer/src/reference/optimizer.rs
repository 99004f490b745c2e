//! The optimisers, for one parameter tensor at a time, as PyTorch defines them.

/// Stochastic gradient descent with momentum, as `torch.optim.SGD` without dampening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// The share of the velocity that is kept.
    pub momentum: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

impl Sgd {
    /// One step in place. `velocity` is zero before the first step, which makes it
    /// the first gradient:
    /// v = momentum * v + (g + weight_decay * w), then w -= learning_rate * v, or
    /// with nesterov w -= learning_rate * (g + weight_decay * w + momentum * v).
    pub fn step(&self, weight: &mut [f64], gradient: &[f64], velocity: &mut [f64]) {
        let count = weight.len();
        assert_eq!((gradient.len(), velocity.len()), (count, count));
        for i in 0..count {
            let g = gradient[i] + self.weight_decay * weight[i];
            velocity[i] = self.momentum * velocity[i] + g;
            let direction = if self.nesterov { g + self.momentum * velocity[i] } else { velocity[i] };
            weight[i] -= self.learning_rate * direction;
        }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as
/// `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// The share of the first moment that is kept.
    pub beta1: f64,
    /// The share of the second moment that is kept.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub eps: f64,
    /// Decay of the weight itself, times the learning rate.
    pub weight_decay: f64,
}

impl AdamW {
    /// Step number `t`, from 1, in place. `first` and `second`, the moments, are zero
    /// before step 1:
    /// w *= 1 - learning_rate * weight_decay; m = beta1 * m + (1 - beta1) * g;
    /// v = beta2 * v + (1 - beta2) * g^2;
    /// w -= learning_rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
    pub fn step(&self, t: u32, weight: &mut [f64], gradient: &[f64], first: &mut [f64], second: &mut [f64]) {
        assert!(t >= 1, "steps are counted from 1");
        let count = weight.len();
        assert_eq!(gradient.len(), count);
        assert_eq!((first.len(), second.len()), (count, count));
        let correction1 = 1.0 - self.beta1.powf(f64::from(t));
        let correction2 = 1.0 - self.beta2.powf(f64::from(t));
        for i in 0..count {
            let g = gradient[i];
            weight[i] *= 1.0 - self.learning_rate * self.weight_decay;
            first[i] = self.beta1 * first[i] + (1.0 - self.beta1) * g;
            second[i] = self.beta2 * second[i] + (1.0 - self.beta2) * g * g;
            let (mhat, vhat) = (first[i] / correction1, second[i] / correction2);
            weight[i] -= self.learning_rate * mhat / (vhat.sqrt() + self.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::differences::assert_close;
    use super::*;

    const SGD: Sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.0, nesterov: false };

    /// Gradient 1 twice: the velocity is 1, then 1.5.
    #[test]
    fn momentum_gathers() {
        let (mut w, mut v) = ([10.0], [0.0]);
        SGD.step(&mut w, &[1.0], &mut v);
        assert_close(&w, &[9.5]);
        SGD.step(&mut w, &[1.0], &mut v);
        assert_close(&v, &[1.5]);
        assert_close(&w, &[8.75]);
    }

    /// Nesterov momentum: directions 1 + 0.5 * 1, then 1 + 0.5 * 1.5.
    #[test]
    fn nesterov_looks_ahead() {
        let sgd = Sgd { nesterov: true, ..SGD };
        let (mut w, mut v) = ([10.0], [0.0]);
        sgd.step(&mut w, &[1.0], &mut v);
        assert_close(&w, &[9.25]);
        sgd.step(&mut w, &[1.0], &mut v);
        assert_close(&w, &[9.25 - 0.875]);
    }

    /// The decay is part of the gradient: 1 + 0.1 * 10 = 2 enters the velocity.
    #[test]
    fn sgd_decays_through_the_gradient() {
        let sgd = Sgd { weight_decay: 0.1, ..SGD };
        let (mut w, mut v) = ([10.0], [0.0]);
        sgd.step(&mut w, &[1.0], &mut v);
        assert_close(&v, &[2.0]);
        assert_close(&w, &[9.0]);
    }

    const ADAMW: AdamW = AdamW { learning_rate: 0.1, beta1: 0.5, beta2: 0.75, eps: 1.0, weight_decay: 0.0 };

    /// Gradients 3 and 1. Step 1: mhat = 3, vhat = 9. Step 2: m = 0.75 + 0.5, over
    /// 0.75; v = 0.75 * 2.25 + 0.25, over 0.4375.
    #[test]
    fn adam_corrects_the_bias_of_its_first_steps() {
        let (mut w, mut m, mut v) = ([1.0], [0.0], [0.0]);
        ADAMW.step(1, &mut w, &[3.0], &mut m, &mut v);
        assert_close(&w, &[1.0 - 0.1 * 3.0 / (3.0 + 1.0)]);
        ADAMW.step(2, &mut w, &[1.0], &mut m, &mut v);
        assert_close(&m, &[1.25]);
        assert_close(&v, &[1.9375]);
        let (mhat, vhat) = (1.25 / 0.75, 1.9375_f64 / 0.4375);
        assert_close(&w, &[0.925 - 0.1 * mhat / (vhat.sqrt() + 1.0)]);
    }

    /// Without a gradient the weight shrinks by learning rate times decay, and the moments stay zero.
    #[test]
    fn adamw_decays_apart_from_the_gradient() {
        let adamw = AdamW { weight_decay: 0.2, ..ADAMW };
        let (mut w, mut m, mut v) = ([5.0, -5.0], [0.0; 2], [0.0; 2]);
        adamw.step(1, &mut w, &[0.0, 0.0], &mut m, &mut v);
        assert_close(&w, &[4.9, -4.9]);
        assert_eq!((m, v), ([0.0; 2], [0.0; 2]));
    }
}
