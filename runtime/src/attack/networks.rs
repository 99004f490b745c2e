//! The networks whose gradients may be followed; attacks of the catalog are built on them.

use super::catalog::{Build, Descent, Method, Plan, transferred};
use super::gradient::checked::Checked;
use super::gradient::lockstep::Lockstep;
use super::gradient::steps::Device;
use super::gradient::transfer::Transfer;
use super::{Attack, NormError};
use crate::detector::oracle::OracleError;

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
            Build::Steps(settings) => self.device.steps(plan.method.0.name, settings(plan))?,
            Build::Gradients(build) => {
                let lockstep = Lockstep::new(gradients, self.threshold, self.device.batch());
                build(lockstep, &Descent { plan, stop_early })
            }
            Build::Queries(_) => return Err(BuildError::NoNetwork(plan.method)),
        };
        Ok(Box::new(Checked::new(attack, gradients)))
    }
}

/// The networks that are at hand.
#[derive(Default)]
pub struct Networks<'a> {
    /// The attacked model's.
    pub own: Option<WhiteBox<'a>>,
    /// Another one that stands in for it.
    pub surrogate: Option<WhiteBox<'a>>,
}

impl Networks<'_> {
    /// The attack that `plan` names: by gradients on the surrogate, or, where there are
    /// both, the one that transfers best there and the others on the model itself.
    ///
    /// # Errors
    /// A norm whose balls it does not search, and as [`WhiteBox::attack`].
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>, BuildError> {
        let Method(row) = plan.method;
        NormError::check(row.name, row.norms, plan.norm)?;
        if let Build::Queries(build) = row.build {
            return Ok(build(plan));
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
