//! Adversarial pictures of a training step: PGD (Madry et al. 2018) from a random start on the network
//! with running statistics, which Pang et al. (Bag of Tricks for Adversarial Training, ICLR 2021) found
//! best; its radius grows during training.

use super::bad::{BadArm, number};
use super::inputs::Inputs;
use super::time::Time;
use crate::gpu::recording::{Recording, Tensor};
use crate::ops::adversarial::Pictures;
use crate::ops::{cross_entropy, divergence};
use crate::plan::input_gradient;
use crate::plan::pass::{Forward, Mode, Network, Trace};
use dfrt_runtime::detector::oracle::AttackLoss;
use std::collections::HashMap;

/// How adversarial pictures are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adversary {
    /// Full radius in 1/255 (Linf).
    pub eps: f32,
    /// Steps.
    pub steps: usize,
    /// Length of a step over the radius; none for 2.5 / steps, at most 1.25.
    pub step: Option<f32>,
    /// Share of the run, at its beginning, that has clean pictures.
    pub clean: f32,
    /// Share of the run, after that, in which the radius grows linearly.
    pub growth: f32,
}

/// What the adversarial pictures maximise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The loss. For one logit, its gradient has the sign of the margin's, which does not vanish.
    Loss,
    /// The divergence from the prediction for the clean picture.
    Divergence,
}

impl Adversary {
    pub(super) fn check(&self) -> Result<(), BadArm> {
        number("eps", self.eps, 0.0, 64.0, "a radius from 0 to 64, in 1/255")?;
        number("steps", self.steps as f32, 1.0, 1000.0, "1 to 1000")?;
        if let Some(step) = self.step {
            number("step", step, 1e-3, 10.0, "a share of eps from 0.001 to 10")?;
        }
        number("clean", self.clean, 0.0, 1.0, "a share of the run from 0 to 1")?;
        number("growth", self.growth, 0.0, 1.0, "a share of the run from 0 to 1")?;
        number(
            "clean + growth",
            self.clean + self.growth,
            0.0,
            1.0,
            "shares of the run that add up to at most 1",
        )
    }

    /// The radius of a step, in units of pixels in \[0, 1\].
    pub fn radius(&self, at: Time) -> f32 {
        let (clean, growth) = (f64::from(self.clean), f64::from(self.growth));
        let done = (at.step + 1) as f64 / (at.steps_an_epoch * at.epochs) as f64;
        let share = match (done > clean, growth > 0.0) {
            (false, _) => 0.0,
            (true, false) => 1.0,
            (true, true) => ((done - clean) / growth).min(1.0),
        };
        (f64::from(self.eps) / 255.0 * share) as f32
    }

    /// The first epoch (from 0) of `epochs` all of whose steps have the full radius.
    pub fn first_full_epoch(&self, epochs: usize) -> usize {
        (f64::from(self.clean + self.growth) * epochs as f64).ceil() as usize
    }

    fn ratio(&self) -> f32 {
        self.step.unwrap_or_else(|| (2.5 / self.steps as f32).min(1.25))
    }

    /// Records the adversarial pictures [N, H, W, 4] of the step.
    pub(super) fn record(
        &self,
        recording: &mut Recording,
        network: &Network<'_>,
        inputs: &Inputs,
        aim: Aim,
    ) -> Tensor {
        let network = network.folded(recording);
        let pictures = Pictures { n: network.batch, clean: inputs.pixels, step: inputs.step };
        let clean_logits = match aim {
            Aim::Loss => None,
            Aim::Divergence => Some(logits(recording, &network, inputs.pixels)),
        };
        let mut x = pictures.start(recording, inputs.starts.expect("an arm with an adversary has keys"));
        for _ in 0..self.steps {
            let gradient = recording.tensor(x.len);
            input_gradient::differentiate(recording, &network, (x, gradient), None, |recording, logits| {
                match clean_logits {
                    None => {
                        cross_entropy::forward(recording, AttackLoss::Margin, logits, inputs.labels, None).1
                    }
                    Some(clean) => divergence::away(recording, clean, logits),
                }
            });
            x = pictures.ascend(recording, x, gradient, self.ratio());
        }
        x
    }
}

/// The logits of a network with folded batch-norms. The activations are separate, as in the passes that
/// they are compared with, so that equal pictures have equal bits.
fn logits(recording: &mut Recording, network: &Network<'_>, pixels: Tensor) -> Tensor {
    let mut trace = Trace::of(network.graph, pixels);
    let mode = Mode::Folded { backward: true };
    let how = Forward { mode, keys: None, perturbations: &HashMap::new(), logits: None };
    network.forward(recording, &mut trace, 0, &how);
    trace.value(network.graph.logit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adversary(clean: f32, growth: f32) -> Adversary {
        Adversary { eps: 255.0, steps: 1, step: None, clean, growth }
    }

    #[test]
    fn the_radius_grows_after_the_clean_steps() {
        let of = |adversary: Adversary, step| adversary.radius(Time { step, steps_an_epoch: 10, epochs: 10 });
        let grows = adversary(0.25, 0.5);
        let radii = [0, 24, 49, 74, 99].map(|step| of(grows, step));
        assert_eq!(radii, [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert!(of(grows, 25) > 0.0);
        assert_eq!([of(adversary(0.0, 0.0), 0), of(adversary(0.5, 0.0), 49)], [1.0, 0.0]);
        assert_eq!(of(adversary(0.5, 0.0), 50), 1.0);
        assert_eq!(grows.first_full_epoch(10), 8);
    }

    #[test]
    fn steps_reach_the_boundary() {
        let ratio = |steps| Adversary { steps, ..adversary(0.0, 0.0) }.ratio();
        assert_eq!([ratio(1), ratio(2), ratio(10)], [1.25, 1.25, 0.25]);
    }
}
