//! What is measured on a trained model.

use super::{Observer, Study, StudyError, lock};
use crate::attack::device::GpuDevice;
use crate::train::deployed;
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::case::Case;
use dfrt_runtime::attack::catalog::{self, Choice};
use dfrt_runtime::attack::networks::{Networks, WhiteBox};
use dfrt_runtime::attack::transferred::Judge;
use dfrt_runtime::data::corruption::Corruption;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::corrupted;
use dfrt_runtime::detector::evaluate::{self, Subject};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::results::attack::folder::AttackFolder;
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::results::jobs::{Job, Work};
use dfrt_runtime::results::json;
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::study::ATTACKS;
use dfrt_runtime::results::transfer::Transfer;
use dfrt_runtime::threat::Threat;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// A trained model.
pub(super) struct Trained {
    pub(super) model: Model,
    pub(super) oracle: TractOracle,
    pub(super) info: ModelInfo,
}

impl Study<'_> {
    /// The RUNs of a seed and the attacks whose pictures are judged by other models: those that follow
    /// gradients as far as the ball allows, and suites.
    pub(super) fn sources(&self, seed: u64) -> Vec<(String, String)> {
        let Ok(threats) = self.settings.threats() else { return Vec::new() };
        let transfers = |choice: &&Choice| match choice {
            Choice::One(method) => method.transfers && method.needs_gradients(),
            Choice::Suite(_) => {
                choice.methods(self.settings.norm).iter().any(|method| method.needs_gradients())
            }
        };
        let attacks: Vec<String> = threats
            .iter()
            .flat_map(|&threat| {
                self.settings.attacks.iter().filter(transfers).map(move |choice| choice.folder(&[threat]))
            })
            .collect();
        let of_arm = |arm: &super::arms::ArmSpec| {
            let run = super::folder(&arm.name, seed);
            attacks.iter().map(|attack| (run.clone(), attack.clone())).collect::<Vec<_>>()
        };
        self.settings.arms.iter().flat_map(of_arm).collect()
    }

    /// Measures the model of the RUN `at` for each of `jobs`.
    pub(super) fn measure(
        &self,
        jobs: &[&Job],
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        if !at.join(files::MODEL).exists() {
            return Err(StudyError::NotTrained { job: jobs[0].to_string(), run: jobs[0].run.clone() });
        }
        let model = Model::find(at)?;
        let oracle = TractOracle::new(model.load()?);
        let info = model.info(oracle.detector());
        let trained = Trained { model, oracle, info };
        let mut attacks = Vec::new();
        for job in jobs {
            match &job.work {
                Work::Train => unreachable!("trained before"),
                Work::Evaluate => self.evaluate(&trained, &self.test, &job.result(self.out), observer)?,
                Work::CrossData(name) => {
                    let found = self.cross.iter().find(|(known, _)| known == name);
                    let data = &found.expect("jobs are of the study's data sets").1;
                    self.evaluate(&trained, data, &job.result(self.out), observer)?;
                }
                Work::Corrupt => self.corrupt(&trained, &job.result(self.out), observer)?,
                Work::Attack(name) => attacks.push(name.as_str()),
                Work::Transfer => self.transfer(&trained, job.seed, at, observer)?,
                Work::Explain => self.explain(&job.arm, &trained, at, observer)?,
            }
        }
        if attacks.is_empty() { Ok(()) } else { self.attack(&trained, &attacks, at, observer) }
    }

    fn evaluate(
        &self,
        trained: &Trained,
        data: &Chosen,
        path: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let observer = RefCell::new(observer);
        let progress = |done, total| observer.borrow_mut().evaluated(done, total);
        let (evaluation, scores) =
            evaluate::evaluate_chosen(&trained.oracle, &trained.info, data, &progress)?;
        Ok(evaluation.write(path, &scores)?)
    }

    fn corrupt(
        &self,
        trained: &Trained,
        path: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let observer = RefCell::new(observer);
        let progress = |done, total| observer.borrow_mut().evaluated(done, total);
        let detector = trained.oracle.detector();
        let subject = Subject {
            model: &trained.info,
            data: &self.attacked.name,
            split: self.attacked.split,
            threshold: detector.threshold(),
            threshold_from: Some(detector.threshold_source()),
            seed: 0,
        };
        let samples = self.attacked.with_ids();
        let found = corrupted::measure(&trained.oracle, &samples, &subject, &Corruption::ALL, &progress)?;
        Ok(json::write(path, &found)?)
    }

    /// Makes the attacks in the folders `names`. All of them share the network on the device, and each
    /// attack is built once for all radii.
    fn attack(
        &self,
        trained: &Trained,
        names: &[&str],
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let Trained { model, oracle, .. } = trained;
        let network = deployed::resident(model, Arc::clone(&self.engine)).map_err(Box::new)?;
        let batch = catalog::BATCH.min(self.attacked.chosen.len()).max(1);
        let own = WhiteBox::new(GpuDevice::new(&network, batch)?, oracle.detector().threshold(), None);
        let networks = Networks { own: Some(own), surrogate: None };
        let threats = self.settings.threats()?;
        for &choice in &self.settings.attacks {
            let wanted: Vec<Threat> = threats
                .iter()
                .copied()
                .filter(|&threat| names.contains(&&*choice.folder(&[threat])))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let plans = self.settings.plans(choice);
            let made: Result<Vec<_>, _> = plans.iter().map(|plan| networks.attack(plan)).collect();
            let made = made?;
            for threat in wanted {
                self.judge(trained, choice, (&made, threat), at, observer)?;
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        trained: &Trained,
        choice: Choice,
        (attacks, threat): (&[Box<dyn Attack + '_>], Threat),
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let name = choice.folder(&[threat]);
        let path = at.join(ATTACKS).join(&name);
        let _lock = lock(&path, observer)?;
        observer.attack(&name);
        let observer = &*observer;
        let case = Case {
            model: &trained.info,
            oracle: &trained.oracle,
            data: &self.attacked,
            folder: &path,
            resume: true,
            deadline: None,
            trace: None,
            progress: &|name, at| observer.attacked(name, at),
        };
        match choice {
            Choice::One(_) => case.judge(attacks[0].as_ref(), threat),
            Choice::Suite(suite) => case.suite(suite.name, attacks, threat),
        }
        .map_err(Box::new)?;
        Ok(())
    }

    /// Judges the adversarial pictures of all models of a seed by `trained`.
    fn transfer(
        &self,
        trained: &Trained,
        seed: u64,
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let sources = self.sources(seed);
        let judge = Judge::new(&trained.oracle, &self.attacked)?;
        let mut rows = Vec::with_capacity(sources.len());
        for (done, (run, attack)) in sources.iter().enumerate() {
            observer.evaluated(done, sources.len());
            let files = AttackFolder::new(&self.out.join(run).join(ATTACKS).join(attack));
            if !files.report_path().exists() {
                return Err(StudyError::NotAttacked { attack: attack.clone(), run: run.clone() });
            }
            rows.push(judge.row((run, attack), &files)?);
        }
        observer.evaluated(sources.len(), sources.len());
        let threshold = trained.oracle.detector().threshold();
        Ok(Transfer { model_sha256: trained.info.sha256.clone(), threshold, rows }.write(at)?)
    }
}
