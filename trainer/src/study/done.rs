//! Whether a unit of work is done: its result is there, and was made from what this study would make it
//! from.

use super::{Study, StudyError};
use crate::train::selection::{Criterion, Selection};
use crate::train::settings::Settings;
use dfrt_runtime::attack::catalog::Choice;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::differing::differing;
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::corruption::Corrupted;
use dfrt_runtime::results::evaluation::{DataInfo, Evaluation};
use dfrt_runtime::results::explanation::one_model::OneModel;
use dfrt_runtime::results::jobs::{Job, Work};
use dfrt_runtime::results::run::{Outcome, files};
use dfrt_runtime::results::transfer::Transfer;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::Path;

impl Study<'_> {
    /// Whether the result of `job` is there and its inputs are those of this study.
    ///
    /// # Errors
    /// A RUN that was trained with other settings or on other pictures.
    pub fn is_done(&self, job: &Job) -> Result<bool, StudyError> {
        match &job.work {
            Work::Train => self.is_trained(job),
            _ => Ok(self.is_measured(job)),
        }
    }

    fn is_trained(&self, job: &Job) -> Result<bool, StudyError> {
        let run = self.out.join(&job.run);
        let config = run.join(files::CONFIG);
        if !config.exists() {
            return Ok(false);
        }
        let begun_with = Settings::read(&config).map_err(|error| self.failed(job, error.into()))?;
        if let Some(difference) = difference(&begun_with, &self.training(job)) {
            return Err(StudyError::OtherRun { run, difference });
        }
        match earlier::<Outcome>(&run.join(files::SUMMARY)) {
            None => Ok(false),
            Some(outcome) if outcome.data_sha256 != self.data_sha256 => {
                Err(StudyError::OtherPictures { run })
            }
            Some(_) => Ok(true),
        }
    }

    fn is_measured(&self, job: &Job) -> bool {
        let result = job.result(self.out);
        let Some(model) = self.model_of(&job.run) else { return false };
        match &job.work {
            Work::Train => false,
            Work::Evaluate => earlier::<Evaluation>(&result).is_some_and(|found| {
                found.model.sha256 == model && is_of(&self.test, &found.data, &found.skipped)
            }),
            Work::CrossData(name) => {
                let data = self.cross.iter().find(|(known, _)| known == name);
                earlier::<Evaluation>(&result).zip(data).is_some_and(|(found, (_, data))| {
                    found.model.sha256 == model && is_of(data, &found.data, &found.skipped)
                })
            }
            Work::Corrupt => earlier::<Corrupted>(&result).is_some_and(|found| {
                found.model.sha256 == model && is_of(&self.attacked, &found.data, &found.skipped)
            }),
            Work::Attack(name) => earlier::<AttackReport>(&result).is_some_and(|found| {
                found.model.sha256 == model
                    && found.not_reached == 0
                    && is_of(&self.attacked, &found.data, &found.skipped)
                    && self.is_planned(name, &found)
            }),
            Work::Explain => earlier::<OneModel>(&result).is_some_and(|OneModel { basis, measured }| {
                measured.model.sha256 == model
                    && basis.settings == Self::explaining().settings()
                    && is_of(&self.explained, &basis.data, &basis.skipped)
            }),
            Work::Transfer => earlier::<Transfer>(&result).is_some_and(|found| {
                let is_there = |(run, attack): &(String, String)| {
                    let row = found.rows.iter().find(|row| (&row.source, &row.attack) == (run, attack));
                    row.is_some_and(|row| {
                        self.model_of(run).as_ref() == Some(&row.source_sha256)
                            && row.n == self.attacked.chosen.len()
                    })
                };
                found.model_sha256 == model && self.sources(job.seed).iter().all(is_there)
            }),
        }
    }

    /// Whether the attack was made with the steps, restarts and queries of this study.
    fn is_planned(&self, name: &str, found: &AttackReport) -> bool {
        let Some(choice) = self.choice(name) else { return false };
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

    /// The attack or suite whose results at one of the study's radii lie in the folder `name`.
    pub(super) fn choice(&self, name: &str) -> Option<Choice> {
        let threats = self.settings.threats().ok()?;
        let made = |choice: &&Choice| threats.iter().any(|&threat| choice.folder(&[threat]) == name);
        self.settings.attacks.iter().find(made).copied()
    }

    /// The SHA-256 of the model of the RUN `run`; none if there is none.
    fn model_of(&self, run: &str) -> Option<String> {
        self.hashes.of(&self.out.join(run).join(files::MODEL))
    }
}

/// Whether a result is of all pictures of `data`: by its path and their number.
fn is_of(data: &Chosen, found: &DataInfo, skipped: &[String]) -> bool {
    found.path == data.name && found.n_real + found.n_fake + skipped.len() == data.chosen.len()
}

/// The settings in which two trainings differ; none where both give the same model.
fn difference(then: &Settings, now: &Settings) -> Option<String> {
    // Where decoded pictures are stored and how much memory is used change no result.
    let fields = |settings: &Settings| -> Map<String, Value> {
        let mut settings = Settings { memory_mb: None, cache: None, ..settings.clone() };
        // Nor does the attack on validation pictures, where neither the epoch nor the end of the run
        // depends on it.
        if settings.criterion() == Criterion::Auc && settings.method.arm().adversary().is_none() {
            settings.selection = Selection { by: settings.selection.by, ..Selection::default() };
        }
        // By way of text, in which 32-bit numbers have no more digits than they were given with.
        let text = serde_json::to_string(&settings).expect("plain values");
        serde_json::from_str(&text).expect("an object")
    };
    differing(&fields(then), &fields(now))
}

/// Reads the result of an earlier session; none if it is missing or damaged.
pub(super) fn earlier<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
