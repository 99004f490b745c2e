//! TRADES (Zhang et al., Theoretically Principled Trade-off between Robustness and Accuracy, ICML
//! 2019): L(x) + beta KL(p(x) || p(x')), x' where the divergence is largest. Both passes have the same
//! masks; the running statistics are those of the clean pictures. The random start is uniform in the
//! ball, as in adversarial training; the authors start 0.001 away.

use super::adversary::{Adversary, Aim};
use super::arm::Arm;
use super::bad::{BadArm, number};
use super::gradient_regularization::GradientRegularization;
use super::inputs::{Inputs, PERTURBED_HISTORY};
use super::time::{Scalars, Time};
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::ops::{divergence, residual};
use crate::plan::pass::{Network, Trace};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Settings of the method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trades {
    /// Radius in 1/255 (Linf).
    pub eps: f32,
    /// Steps of PGD.
    pub steps: usize,
    /// Length of a step over the radius; none for 2.5 / steps, at most 1.25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f32>,
    /// Weight of the divergence.
    pub beta: f32,
    /// Share of the run, at its beginning, that has clean pictures.
    pub clean: f32,
    /// Share of the run, after that, in which the radius grows linearly.
    pub growth: f32,
    /// Gradient regularization of the first term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gr: Option<GradientRegularization>,
}

impl Default for Trades {
    fn default() -> Self {
        Self { eps: 1.0, steps: 7, step: None, beta: 6.0, clean: 0.375, growth: 0.3333, gr: None }
    }
}

impl Trades {
    fn maker(&self) -> Adversary {
        let Self { eps, steps, step, clean, growth, .. } = *self;
        Adversary { eps, steps, step, clean, growth }
    }
}

impl Arm for Trades {
    fn check(&self, graph: &Graph) -> Result<(), BadArm> {
        self.maker().check()?;
        number("beta", self.beta, 0.0, 1e3, "a number from 0 up to 1000")?;
        self.gr.as_ref().map_or(Ok(()), |gr| gr.check(graph))
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        // Before the running statistics are updated, as in adversarial training.
        let pixels = self.maker().record(recording, network, inputs, Aim::Divergence);
        let clean = inputs.first_pass(recording, network);
        let again = Trace::with_masks_of(&clean.trace, network.graph, pixels);
        let adversarial = inputs.second_pass(recording, network, (again, 0), &HashMap::new(), None);
        let term = divergence::forward(recording, clean.logits, adversarial.logits, inputs.labels, self.beta);
        inputs.write_loss(recording, term.losses, PERTURBED_HISTORY);
        match &self.gr {
            None => {
                let dlogits = residual::add(recording, clean.dlogits, term.dclean);
                inputs.backward(recording, network, &clean.trace, dlogits);
            }
            Some(gr) => {
                gr.regularise(recording, network, inputs, &clean, None);
                inputs.backward_more(recording, network, &clean.trace, term.dclean);
            }
        }
        inputs.backward_more(recording, network, &adversarial.trace, term.dadversarial);
    }

    fn has_second_loss(&self) -> bool {
        true
    }

    fn scalars(&self, at: Time) -> Scalars {
        let scalars = self.gr.as_ref().map_or_else(Scalars::default, |gr| gr.scalars(at));
        Scalars { eps: self.maker().radius(at), ..scalars }
    }

    fn adversary(&self) -> Option<Adversary> {
        Some(self.maker())
    }
}
