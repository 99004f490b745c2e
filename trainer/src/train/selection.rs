//! The epoch whose weights are kept: by the clean AUC, or by the robustness, on validation pictures.

use super::pool::Pool;
use crate::arms::Adversary;
use crate::attack::pgd::Pgd;
use crate::evaluator::Evaluator;
use crate::gpu::device::GpuError;
use dfrt_runtime::attack::Target;
use dfrt_runtime::attack::gradient::steps::StepSettings;
use dfrt_runtime::data::manifest;
use dfrt_runtime::metrics::{decisions, ranking};
use dfrt_runtime::names::named;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::{Norm, Threat};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// What the kept epoch is the best by; a lower validation loss decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// Area under the ROC curve on clean pictures.
    Auc,
    /// Share of pictures that are classified rightly before and after PGD; then the clean AUC.
    RobustAccuracy,
    /// Area under the ROC curve under PGD; then the clean AUC.
    RobustAuc,
    /// The mean of the clean AUC and the AUC under PGD. Of a network that no epoch makes robust, as most
    /// baselines, the clean one decides; the two before would keep whichever epoch PGD happens to leave a
    /// picture or two, often an early one that has learned nothing yet.
    MeanAuc,
}

named!(
    Criterion,
    "criterion",
    [Auc = "auc", RobustAccuracy = "robust-accuracy", RobustAuc = "robust-auc", MeanAuc = "mean-auc"]
);

impl Criterion {
    /// What an epoch with these figures is worth; `None` counts as 0.
    pub fn worth(self, auc: Option<f64>, robust_accuracy: Option<f64>, robust_auc: Option<f64>) -> f64 {
        let [auc, robust_auc] = [auc, robust_auc].map(Option::unwrap_or_default);
        match self {
            Self::Auc => auc,
            Self::RobustAccuracy => robust_accuracy.unwrap_or_default(),
            Self::RobustAuc => robust_auc,
            Self::MeanAuc => f64::midpoint(auc, robust_auc),
        }
    }
}

/// How the kept epoch is selected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Selection {
    /// The criterion; none for the mean AUC where the method has an adversary, else the AUC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Criterion>,
    /// Radius of PGD in 1/255 (Linf); none for that of the method's adversary. Without one the robustness
    /// is not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f32>,
    /// Validation pictures that are attacked after each epoch, balanced over classes.
    pub pictures: usize,
    /// Steps of PGD.
    pub steps: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self { by: None, eps: None, pictures: 64, steps: 10 }
    }
}

impl Selection {
    /// The criterion for a method with that adversary.
    pub fn criterion(&self, adversary: Option<Adversary>) -> Criterion {
        self.by.unwrap_or(if adversary.is_some() { Criterion::MeanAuc } else { Criterion::Auc })
    }

    /// The radius in 1/255; none where the robustness is not measured.
    pub fn radius(&self, adversary: Option<Adversary>) -> Option<f32> {
        self.eps.or(adversary.map(|adversary| adversary.eps))
    }
}

/// Robustness on validation pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Robustness {
    /// Share of pictures that are classified rightly before and after PGD.
    pub accuracy: f64,
    /// Area under the ROC curve under PGD; none with one class.
    pub auc: Option<f64>,
    /// Share of pictures that are classified rightly before and after FGSM.
    pub fgsm_accuracy: f64,
}

impl Robustness {
    /// Whether the network has learned to defeat single steps only: "catastrophic overfitting" (Wong, Rice
    /// & Kolter, ICLR 2020). `highest` is the highest accuracy under PGD of an earlier epoch.
    pub fn is_overfitted(&self, highest: f64) -> bool {
        self.accuracy < 0.5 * highest && self.fgsm_accuracy > self.accuracy + 0.3
    }
}

/// The attack on validation pictures.
#[derive(Debug)]
pub struct RobustValidation {
    pgd: Pgd,
    fgsm: Pgd,
    targets: Vec<Target>,
    threat: Threat,
}

/// Pictures that are attacked together.
const BATCH: usize = 16;

impl RobustValidation {
    /// The attack on pictures of `pool` within `eps`/255, with the weights that `evaluator` has at each time.
    /// Pictures that cannot be read are left out.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn plan(
        selection: &Selection,
        eps: f32,
        evaluator: &Evaluator,
        pool: &Pool,
    ) -> Result<Self, GpuError> {
        let samples = pool.samples();
        let chosen = manifest::limit(samples, selection.pictures, 0);
        let mut chosen = chosen.iter().peekable();
        let mut targets = Vec::new();
        // Both lists have the same order.
        for (place, sample) in samples.iter().enumerate() {
            if chosen.next_if(|next| *next == sample).is_some()
                && let Some(picture) = pool.picture(place)
            {
                targets.push(Target { id: place as u64, label: sample.label, picture });
            }
        }
        let batch = BATCH.min(targets.len()).max(1);
        let pgd = |name, settings| Pgd::new(name, evaluator.network(), batch, settings);
        Ok(Self {
            pgd: pgd("pgd", StepSettings::pgd(selection.steps, 1, 0))?,
            fgsm: pgd("fgsm", StepSettings::FGSM)?,
            targets,
            threat: Threat { norm: Norm::Linf, eps_255: eps.into() },
        })
    }

    /// Attacks the pictures; decisions are at `threshold`.
    ///
    /// # Errors
    /// A device that fails.
    pub fn measure(&self, evaluator: &Evaluator, threshold: f32) -> Result<Robustness, GpuError> {
        let labels: Vec<Label> = self.targets.iter().map(|target| target.label).collect();
        let pictures: Vec<RgbImage> = self.targets.iter().map(|target| target.picture.clone()).collect();
        let clean = decisions::right(&evaluator.logits(&pictures)?, &labels, threshold);
        let share = |logits: &[f32]| {
            let right = decisions::right(logits, &labels, threshold);
            let both = clean.iter().zip(right).filter(|(before, after)| **before && *after).count();
            both as f64 / labels.len().max(1) as f64
        };
        let logits = self.pgd.logits(&self.targets, self.threat)?;
        Ok(Robustness {
            accuracy: share(&logits),
            auc: ranking::auc(&logits, &labels),
            fgsm_accuracy: share(&self.fgsm.logits(&self.targets, self.threat)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robustness(accuracy: f64, fgsm_accuracy: f64) -> Robustness {
        Robustness { accuracy, auc: None, fgsm_accuracy }
    }

    #[test]
    fn only_a_sudden_fall_with_strong_single_steps_is_overfitting() {
        assert!(robustness(0.05, 0.7).is_overfitted(0.5));
        assert!(!robustness(0.4, 0.9).is_overfitted(0.5), "no fall");
        assert!(!robustness(0.1, 0.2).is_overfitted(0.5), "weak against single steps, too");
        assert!(!robustness(0.0, 0.9).is_overfitted(0.0), "it never was robust");
    }

    #[test]
    fn what_is_robust_by_chance_does_not_outweigh_what_was_learned() {
        let early = (Some(0.55), Some(0.05), Some(0.12));
        let late = (Some(0.9), Some(0.03), Some(0.02));
        let better = |by: Criterion| by.worth(late.0, late.1, late.2) > by.worth(early.0, early.1, early.2);
        assert!(better(Criterion::MeanAuc) && better(Criterion::Auc));
        assert!(!better(Criterion::RobustAccuracy) && !better(Criterion::RobustAuc));
        assert_eq!(Criterion::MeanAuc.worth(Some(0.75), None, Some(0.25)), 0.5);
        assert_eq!(Criterion::RobustAuc.worth(Some(0.9), Some(0.1), None), 0.0);
    }

    #[test]
    fn the_criterion_follows_the_method() {
        let adversary = Adversary { eps: 2.0, steps: 1, step: None, clean: 0.0, growth: 0.0 };
        let default = Selection::default();
        assert_eq!((default.criterion(None), default.radius(None)), (Criterion::Auc, None));
        assert_eq!(default.criterion(Some(adversary)), Criterion::MeanAuc);
        assert_eq!(default.radius(Some(adversary)), Some(2.0));
        let own = Selection { by: Some(Criterion::RobustAuc), eps: Some(1.0), ..default };
        assert_eq!((own.criterion(None), own.radius(Some(adversary))), (Criterion::RobustAuc, Some(1.0)));
    }
}
