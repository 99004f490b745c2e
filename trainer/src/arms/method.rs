//! The methods of training with their settings.

use super::adversarial_training::AdversarialTraining;
use super::arm::Arm;
use super::baseline::{Baseline, ComputeMatched};
use super::gradient_regularization::GradientRegularization;
use super::input_gradient::InputGradient;
use super::sharpness::{Gnp, Sam};
use super::statistic_noise::{Dsu, MixStyle};
use super::trades::Trades;

/// A method of training with its settings.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Method {
    /// The plain gradient of the loss.
    Baseline,
    /// The baseline, trained longer: as many evaluations of the gradient as another arm needs.
    ComputeMatched(ComputeMatched),
    /// Gradient regularization over feature statistics.
    Gr(GradientRegularization),
    /// Sharpness-aware minimisation.
    Sam(Sam),
    /// The gradient's norm over the weights penalised.
    Gnp(Gnp),
    /// The gradient's norm over the pixels penalised.
    InputGr(InputGradient),
    /// Feature statistics with random noise.
    Dsu(Dsu),
    /// Feature statistics mixed between pictures.
    Mixstyle(MixStyle),
    /// Adversarial training.
    At(AdversarialTraining),
    /// TRADES.
    Trades(Trades),
}

impl Method {
    /// Its step.
    pub fn arm(&self) -> &dyn Arm {
        match self {
            Self::Baseline => &Baseline,
            Self::ComputeMatched(arm) => arm,
            Self::Gr(arm) => arm,
            Self::Sam(arm) => arm,
            Self::Gnp(arm) => arm,
            Self::InputGr(arm) => arm,
            Self::Dsu(arm) => arm,
            Self::Mixstyle(arm) => arm,
            Self::At(arm) => arm,
            Self::Trades(arm) => arm,
        }
    }

    /// The method whose step has the same bits while the adversarial radius is 0; none where the method
    /// has no adversary, or another second loss.
    pub fn clean(&self) -> Option<Self> {
        match self {
            Self::At(arm) => Some(arm.gr.clone().map_or(Self::Baseline, Self::Gr)),
            Self::Trades(arm) if arm.gr.is_none() => Some(Self::Baseline),
            _ => None,
        }
    }
}
