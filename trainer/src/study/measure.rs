//! What is measured on a trained model.

use super::{Observer, Study, StudyError, lock};
use crate::attack::device::GpuDevice;
use crate::train::deployed;
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::case::Case;
use dfrt_runtime::attack::catalog::{self, Choice};
use dfrt_runtime::attack::networks::{Networks, WhiteBox};
use dfrt_runtime::attack::transferred;
use dfrt_runtime::data::corruption::Corruption;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::corrupted;
use dfrt_runtime::detector::evaluate::{self, Subject};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::corruption::Corrupted;
use dfrt_runtime::results::evaluation::{Evaluation, ModelInfo};
use dfrt_runtime::results::jobs::{Job, Work};
use dfrt_runtime::results::json;
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::study::ATTACKS;
use dfrt_runtime::results::transfer::Transfer;
use dfrt_runtime::storage;
use dfrt_runtime::threat::Threat;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// A trained model.
struct Trained {
    model: Model,
    oracle: TractOracle,
    info: ModelInfo,
}

impl Study<'_> {
    /// Whether the result of `job`, which is there, is that of the model in its RUN and of this study's
    /// pictures and settings.
    pub(super) fn is_measured(&self, job: &Job) -> Result<bool, StudyError> {
        let path = self.out.join(&job.run).join(files::MODEL);
        let Ok(model) = storage::sha256_of_file(&path) else { return Ok(false) };
        let result = job.result(self.out);
        Ok(match &job.work {
            Work::Train => self.is_trained(job)?,
            Work::Evaluate | Work::CrossData(_) => {
                earlier::<Evaluation>(&result).is_some_and(|found| found.model.sha256 == model)
            }
            Work::Corrupt => earlier::<Corrupted>(&result).is_some_and(|found| found.model.sha256 == model),
            Work::Attack(name) => earlier::<AttackReport>(&result).is_some_and(|found| {
                found.model.sha256 == model
                    && found.not_reached == 0
                    && found.n + found.skipped.len() == self.attacked.chosen.len()
                    && self.is_planned(name, &found)
            }),
            Work::Transfer => earlier::<Transfer>(&result).is_some_and(|found| {
                let rows: Vec<_> = found.rows.iter().map(|row| (&row.source, &row.attack)).collect();
                let sources = self.sources(job.seed);
                found.model_sha256 == model
                    && sources.iter().all(|(run, attack)| rows.contains(&(run, attack)))
                    && found.rows.iter().all(|row| self.is_of(&row.source, &row.source_sha256))
            }),
        })
    }

    /// Whether the attack was made with the steps, restarts and queries of this study.
    fn is_planned(&self, name: &str, found: &AttackReport) -> bool {
        let choice = self.settings.attacks.iter().find(|choice| choice.name() == found.method);
        let Some(&choice) = choice.filter(|_| name.starts_with(&found.method)) else { return false };
        self.settings.plans(choice).iter().all(|plan| {
            let own = match choice {
                Choice::One(_) => Some(&found.params),
                // A stage that nothing was left for was not made.
                Choice::Suite(_) => {
                    let stage = found.stages.iter().find(|stage| stage.method == plan.method.name);
                    stage.map(|stage| &stage.params)
                }
            };
            let same = |name: &str, planned: Option<u64>| {
                let made = own.and_then(|params| params.get(name)?.as_u64());
                planned.zip(made).is_none_or(|(planned, made)| planned == made)
            };
            same("steps", plan.steps.map(|steps| steps as u64))
                && same("restarts", plan.restarts.map(|restarts| restarts as u64))
                && same("queries", plan.queries)
        })
    }

    /// Whether the model of the RUN `run` has that hash.
    fn is_of(&self, run: &str, sha256: &str) -> bool {
        storage::sha256_of_file(&self.out.join(run).join(files::MODEL)).is_ok_and(|found| found == sha256)
    }

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
        let mut rows = Vec::with_capacity(sources.len());
        for (done, (run, attack)) in sources.iter().enumerate() {
            observer.evaluated(done, sources.len());
            let folder = self.out.join(run).join(ATTACKS).join(attack);
            if !folder.join("attack.json").exists() {
                let job =
                    Job { arm: String::new(), seed, run: run.clone(), work: Work::Attack(attack.clone()) };
                return Err(StudyError::NotTrained { job: job.work.to_string(), run: run.clone() });
            }
            rows.push(transferred::judge(&trained.oracle, &self.attacked, (run, attack), &folder)?);
        }
        observer.evaluated(sources.len(), sources.len());
        let threshold = trained.oracle.detector().threshold();
        Ok(Transfer { model_sha256: trained.info.sha256.clone(), threshold, rows }.write(at)?)
    }
}

/// Reads the result of an earlier session; none if it is missing or damaged.
fn earlier<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
