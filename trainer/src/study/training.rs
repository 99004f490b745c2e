//! The training of an arm with a seed.

use super::{Observer, Study, StudyError};
use crate::train::run;
use crate::train::selection::{Criterion, Selection};
use crate::train::settings::Settings;
use dfrt_runtime::differing::differing;
use dfrt_runtime::results::jobs::Job;
use dfrt_runtime::results::run::{Outcome, files};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

impl Study<'_> {
    /// The training settings of a job.
    pub(super) fn training(&self, job: &Job) -> Settings {
        let arm = self.settings.arms.iter().find(|arm| arm.name == job.arm);
        self.settings.training(arm.expect("jobs are of the study's arms"), job.seed)
    }

    /// Whether the RUN is complete.
    ///
    /// # Errors
    /// It was begun with other settings.
    pub(super) fn is_trained(&self, job: &Job) -> Result<bool, StudyError> {
        let run = self.out.join(&job.run);
        let config = run.join(files::CONFIG);
        if !config.exists() {
            return Ok(false);
        }
        let begun_with = Settings::read(&config).map_err(|error| self.failed(job, error.into()))?;
        if let Some(difference) = difference(&begun_with, &self.training(job)) {
            return Err(StudyError::OtherRun { run, difference });
        }
        let outcome = std::fs::read(run.join(files::SUMMARY)).ok();
        Ok(outcome.is_some_and(|bytes| serde_json::from_slice::<Outcome>(&bytes).is_ok()))
    }

    /// Trains, or goes on from the last checkpoint.
    pub(super) fn train(
        &self,
        job: &Job,
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let settings = self.training(job);
        let resume = at.join(files::LAST).exists();
        let watch = observer.training(&job.run, settings.total_epochs());
        let mut watch = watch.map_err(|error| self.failed(job, error.into()))?;
        let outcome = run::train(&settings, at, Arc::clone(&self.engine), resume, watch.as_mut());
        drop(watch);
        let outcome = outcome.map_err(|error| self.failed(job, error))?;
        observer.trained(&outcome.skipped, &at.join(files::SUMMARY));
        Ok(())
    }

    fn failed(&self, job: &Job, error: run::TrainError) -> StudyError {
        StudyError::Train { arm: job.arm.clone(), seed: job.seed, source: Box::new(error) }
    }
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
