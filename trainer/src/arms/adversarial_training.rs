//! Adversarial training (Madry et al., ICLR 2018): the loss of adversarial pictures. One step from a
//! random start is "fast" adversarial training (Wong, Rice & Kolter, ICLR 2020). Its gradient may be
//! regularised.

use super::adversary::{Adversary, Aim};
use super::arm::Arm;
use super::bad::BadArm;
use super::baseline::Baseline;
use super::gradient_regularization::GradientRegularization;
use super::inputs::Inputs;
use super::time::{Scalars, Time};
use crate::gpu::recording::Recording;
use crate::model::graph::Graph;
use crate::plan::pass::Network;
use serde::{Deserialize, Serialize};

/// Settings of the method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdversarialTraining {
    /// Radius in 1/255 (Linf).
    pub eps: f32,
    /// Steps of PGD.
    pub steps: usize,
    /// Length of a step over the radius; none for 2.5 / steps, at most 1.25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f32>,
    /// Share of the run, at its beginning, that has clean pictures: a network that has learned nothing
    /// yet does not learn from adversarial ones.
    pub clean: f32,
    /// Share of the run, after that, in which the radius grows linearly.
    pub growth: f32,
    /// Gradient regularization on the adversarial pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gr: Option<GradientRegularization>,
}

impl Default for AdversarialTraining {
    fn default() -> Self {
        Self { eps: 1.0, steps: 7, step: None, clean: 0.375, growth: 0.3333, gr: None }
    }
}

impl AdversarialTraining {
    fn maker(&self) -> Adversary {
        let Self { eps, steps, step, clean, growth, .. } = *self;
        Adversary { eps, steps, step, clean, growth }
    }
}

impl Arm for AdversarialTraining {
    fn check(&self, graph: &Graph) -> Result<(), BadArm> {
        self.maker().check()?;
        self.gr.as_ref().map_or(Ok(()), |gr| gr.check(graph))
    }

    fn record(&self, recording: &mut Recording, network: &Network<'_>, inputs: &Inputs) {
        let pixels = self.maker().record(recording, network, inputs, Aim::Loss);
        let inputs = Inputs { pixels, ..*inputs };
        match &self.gr {
            Some(gr) => gr.record(recording, network, &inputs),
            None => Baseline.record(recording, network, &inputs),
        }
    }

    fn has_second_loss(&self) -> bool {
        self.gr.is_some()
    }

    fn scalars(&self, at: Time) -> Scalars {
        let scalars = self.gr.as_ref().map_or_else(Scalars::default, |gr| gr.scalars(at));
        Scalars { eps: self.maker().radius(at), ..scalars }
    }

    fn adversary(&self) -> Option<Adversary> {
        Some(self.maker())
    }
}
