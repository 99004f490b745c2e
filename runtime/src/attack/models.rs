//! The model under attack, as far as an attack may see it; attacks of the catalog are built
//! on it.

use super::catalog::{Build, Descent, Method, Plan, Scored, transferred};
use super::gradient::checked::Checked;
use super::gradient::opponent::Opponent;
use super::gradient::steps::Device;
use super::gradient::transfer::Transfer;
use super::{Attack, NormError};
use crate::detector::oracle::{Decisions, Oracle, OracleError};

/// Why an attack of the catalog cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It does not search balls of that norm.
    #[error(transparent)]
    Norm(#[from] NormError),
    /// It is of no use on a surrogate.
    #[error(
        "--surrogate: {method} looks for the smallest change that crosses on the surrogate, which says little about \
        another model; take {}",
        transferring()
    )]
    NoTransfer {
        /// The attack.
        method: Method,
    },
    /// It needs gradients, and no network was brought to a device.
    #[error("{0} needs gradients, and there is no network on a device")]
    NoNetwork(Method),
    /// The device fails.
    #[error(transparent)]
    Device(#[from] OracleError),
}

fn transferring() -> String {
    let names: Vec<_> = Method::all().filter(|method| method.transfers).map(|method| method.name).collect();
    names.join(", ")
}

/// A model that is asked for logits, or for labels alone.
pub struct BlackBox<'a> {
    scored: Scored<'a>,
    labels: Decisions<'a, dyn Oracle + 'a>,
}

impl<'a> BlackBox<'a> {
    /// The model behind `oracle`, whose logit above `threshold` says fake.
    pub fn new(oracle: &'a dyn Oracle, threshold: f64) -> Self {
        let threshold = threshold as f32;
        Self { scored: Scored { oracle, threshold }, labels: Decisions::new(oracle, threshold) }
    }

    /// The attack that `plan` names.
    ///
    /// # Errors
    /// A norm whose balls it does not search; an attack that needs gradients.
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>, BuildError> {
        match plan.method.build {
            Build::Logits(build) => Ok(build(self.scored, plan)?),
            Build::Labels(build) => Ok(build(&self.labels, plan)?),
            Build::Gradients(_) | Build::Steps(_) => Err(BuildError::NoNetwork(plan.method)),
        }
    }
}

/// A network on a device, whose gradients are followed.
pub struct WhiteBox<'a> {
    device: Box<dyn Device + 'a>,
    threshold: f32,
    /// The name of the model it is, where another one is attacked.
    surrogate: Option<String>,
}

impl<'a> WhiteBox<'a> {
    /// The network on `device`, whose logit above `threshold` says fake. Where it stands in
    /// for the model that is attacked, `surrogate` names it.
    pub fn new(device: impl Device + 'a, threshold: f64, surrogate: Option<String>) -> Self {
        Self { device: Box::new(device), threshold: threshold as f32, surrogate }
    }

    /// The attack that `plan` names, its gradients checked; on a surrogate one that takes
    /// every step.
    ///
    /// # Errors
    /// A device that fails, an attack without gradients, or one that a surrogate is no use to.
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>, BuildError> {
        match &self.surrogate {
            None => self.checked(plan, true),
            Some(_) if !plan.method.transfers => Err(BuildError::NoTransfer { method: plan.method }),
            Some(name) => Ok(Box::new(Transfer::new(self.checked(plan, false)?, name.clone()))),
        }
    }

    fn checked(&self, plan: &Plan, stop_early: bool) -> Result<Box<dyn Attack + '_>, BuildError> {
        let gradients = self.device.gradients();
        let attack = match plan.method.build {
            Build::Steps(settings) => self.device.steps(plan.method.0.name, plan.threat, settings(plan))?,
            Build::Gradients(build) => {
                let opponent = Opponent::new(gradients, plan.threat, self.threshold, self.device.batch());
                build(opponent, &Descent { plan, stop_early })
            }
            Build::Logits(_) | Build::Labels(_) => return Err(BuildError::NoNetwork(plan.method)),
        };
        Ok(Box::new(Checked::new(attack, gradients)))
    }
}

/// The model under attack in every way that there is.
pub struct Models<'a> {
    /// Its answers.
    pub black: BlackBox<'a>,
    /// Its network on a device.
    pub own: Option<WhiteBox<'a>>,
    /// Another network that stands in for it.
    pub surrogate: Option<WhiteBox<'a>>,
}

impl Models<'_> {
    /// The attack that `plan` names: by gradients on the surrogate, or, where there are
    /// both, the one that transfers best there and the others on the model itself.
    ///
    /// # Errors
    /// As [`BlackBox::attack`] and [`WhiteBox::attack`].
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>, BuildError> {
        if !plan.method.needs_gradients() {
            return self.black.attack(plan);
        }
        let network = match (&self.own, &self.surrogate) {
            (Some(own), Some(_)) if plan.method != transferred() => own,
            (_, Some(surrogate)) => surrogate,
            (Some(own), None) => own,
            (None, None) => return Err(BuildError::NoNetwork(plan.method)),
        };
        network.attack(plan)
    }
}
