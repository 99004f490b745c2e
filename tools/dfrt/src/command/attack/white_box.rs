//! The attacks that follow gradients, on the GPU.

use super::method::Method;
use super::plan::Plan;
use crate::failure;
use crate::model::Model;
use crate::network;
use anyhow::{Result, bail};
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::gradient::apgd::{Apgd, ApgdSettings};
use dfrt_runtime::attack::gradient::carlini_wagner::{CarliniWagner, CarliniWagnerSettings};
use dfrt_runtime::attack::gradient::checked::Checked;
use dfrt_runtime::attack::gradient::deep_fool::{DeepFool, DeepFoolSettings};
use dfrt_runtime::attack::gradient::fab::{Fab, FabSettings};
use dfrt_runtime::attack::gradient::momentum::{Momentum, MomentumSettings};
use dfrt_runtime::attack::gradient::opponent::Opponent;
use dfrt_runtime::attack::gradient::transfer::Transfer;
use dfrt_runtime::detector::oracle::AttackLoss;
use dfrt_trainer::gpu_oracle::GpuOracle;
use dfrt_trainer::pgd::{Pgd, Settings};
use dfrt_trainer::plan::resident::Resident;
use std::path::Path;
use std::sync::Arc;

/// The networks on the GPU whose gradients are followed.
pub struct Networks {
    /// The attacked model's, and its threshold.
    own: Option<(Resident, f64)>,
    /// Another's, its threshold, and its name on record.
    surrogate: Option<(Resident, f64, String)>,
    /// Pictures there are at all.
    pictures: usize,
}

impl Networks {
    /// Brings `own`, a model with its threshold, and the model at `surrogate` to the
    /// device; with neither no device is opened.
    ///
    /// # Errors
    /// A device that fails, a model that is not of ours, a surrogate that is none or of
    /// another resolution.
    pub fn open(
        own: Option<(&Model, f64)>,
        surrogate: Option<&Path>,
        device: Option<usize>,
        (pictures, res): (usize, usize),
    ) -> Result<Self> {
        if own.is_none() && surrogate.is_none() {
            return Ok(Self { own: None, surrogate: None, pictures });
        }
        let engine = network::engine(device)?;
        let resident = |model: &Model| network::resident(model, Arc::clone(&engine));
        let own = own.map(|(model, threshold)| anyhow::Ok((resident(model)?, threshold))).transpose()?;
        let surrogate = surrogate.map(|path| {
            let model = Model::find(path)?;
            let detector = model.load()?;
            let info = detector.info();
            if info.res != res {
                bail!(
                    "{}: a surrogate of {} px, but the model takes {res}; train or name one of {res} px",
                    path.display(),
                    info.res
                );
            }
            let name = format!("{} (SHA-256 {})", path.display(), info.sha256);
            Ok((resident(&model)?, detector.threshold(), name))
        });
        Ok(Self { own, surrogate: surrogate.transpose()?, pictures })
    }

    /// What attacks on at most `batch` pictures at a time are made of.
    ///
    /// # Errors
    /// A device that fails.
    pub fn boxes(&self, batch: usize) -> Result<Boxes<'_>> {
        let batch = batch.min(self.pictures).max(1);
        let own = self.own.as_ref();
        let own = own.map(|(network, threshold)| WhiteBox::new(network, *threshold, batch, None));
        let surrogate = self
            .surrogate
            .as_ref()
            .map(|(network, threshold, name)| WhiteBox::new(network, *threshold, batch, Some(name.clone())));
        Ok(Boxes { own: own.transpose()?, surrogate: surrogate.transpose()? })
    }
}

/// The networks, ready to be attacked with.
pub struct Boxes<'a> {
    own: Option<WhiteBox<'a>>,
    surrogate: Option<WhiteBox<'a>>,
}

impl Boxes<'_> {
    /// The attack that `plan` names: on the surrogate, or, where a suite has both, the
    /// one that transfers best there and the others on the model itself.
    ///
    /// # Errors
    /// As [`WhiteBox::attack`].
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>> {
        let there = match (&self.own, &self.surrogate) {
            (Some(own), Some(_)) if plan.method != Method::MiFgsm => own,
            (_, Some(surrogate)) => surrogate,
            (Some(own), None) => own,
            (None, None) => bail!("{}: no network was opened", plan.method.name()),
        };
        there.attack(plan)
    }
}

/// A network whose gradients are followed.
pub struct WhiteBox<'a> {
    network: &'a Resident,
    gradients: GpuOracle,
    threshold: f32,
    batch: usize,
    /// The name of the model it is, where another one is attacked.
    surrogate: Option<String>,
}

impl<'a> WhiteBox<'a> {
    /// `network`, whose logit above `threshold` says fake, `batch` pictures at a time.
    /// Where it stands in for the model that is attacked, `surrogate` names it.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(
        network: &'a Resident,
        threshold: f64,
        batch: usize,
        surrogate: Option<String>,
    ) -> Result<Self> {
        let gradients = GpuOracle::new(network, batch)?;
        Ok(Self { network, gradients, threshold: threshold as f32, batch, surrogate })
    }

    /// The attack that `plan` names; on a surrogate one that takes every step.
    ///
    /// # Errors
    /// A device that fails, or an attack that a surrogate is no use to.
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>> {
        match &self.surrogate {
            None => self.checked(plan, true),
            Some(_) if !plan.method.transfers() => Err(failure::usage(format!(
                "--surrogate: {} looks for the smallest change that crosses on the surrogate, which says little \
                about another model; take mi-fgsm, pgd, fgsm, apgd-ce or apgd-margin",
                plan.method.name()
            ))),
            Some(name) => Ok(Box::new(Transfer::new(self.checked(plan, false)?, name.clone()))),
        }
    }

    fn checked(&self, plan: &Plan, stop_early: bool) -> Result<Box<dyn Attack + '_>> {
        Ok(Box::new(Checked::new(self.crafting(plan, stop_early)?, &self.gradients)))
    }

    fn crafting(&self, plan: &Plan, stop_early: bool) -> Result<Box<dyn Attack + '_>> {
        let (steps, restarts, seed, goal) = (plan.steps, plan.restarts, plan.seed, plan.goal);
        if matches!(plan.method, Method::Fgsm | Method::Pgd) {
            let settings = match plan.method {
                Method::Fgsm => Settings::fgsm(plan.threat),
                _ => Settings::pgd(plan.threat, steps.unwrap_or(10), restarts.unwrap_or(1), seed),
            };
            let pgd = Pgd::new(plan.method.name(), self.network, self.batch, plan.threat, settings)?;
            return Ok(Box::new(pgd));
        }
        let opponent = Opponent::new(&self.gradients, plan.threat, self.threshold, self.batch);
        let apgd = |loss| {
            let plain = ApgdSettings::new(loss);
            let (steps, restarts) = (steps.unwrap_or(plain.steps), restarts.unwrap_or(plain.restarts));
            ApgdSettings { steps, restarts, seed, stop_early, ..plain }
        };
        Ok(match plan.method {
            Method::ApgdCe => Box::new(Apgd::new(opponent, apgd(AttackLoss::CrossEntropy))),
            Method::ApgdMargin => Box::new(Apgd::new(opponent, apgd(AttackLoss::Margin))),
            Method::Fab => {
                let plain = FabSettings::default();
                let (steps, restarts) = (steps.unwrap_or(plain.steps), restarts.unwrap_or(plain.restarts));
                Box::new(Fab::new(opponent, FabSettings { steps, restarts, seed, goal, ..plain }))
            }
            Method::Cw => {
                let plain = CarliniWagnerSettings::default();
                let steps = steps.unwrap_or(plain.steps);
                Box::new(CarliniWagner::new(opponent, CarliniWagnerSettings { steps, goal, ..plain }))
            }
            Method::DeepFool => {
                let plain = DeepFoolSettings::default();
                let steps = steps.unwrap_or(plain.steps);
                Box::new(DeepFool::new(opponent, DeepFoolSettings { steps, goal, ..plain }))
            }
            _ => {
                let plain = MomentumSettings::default();
                let steps = steps.unwrap_or(plain.steps);
                Box::new(Momentum::new(opponent, MomentumSettings { steps, ..plain }))
            }
        })
    }
}
