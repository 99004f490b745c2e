//! The training of an arm with a seed.

use super::{Observer, Study, StudyError};
use crate::train::run;
use crate::train::settings::Settings;
use dfrt_runtime::results::jobs::Job;
use dfrt_runtime::results::run::files;
use std::path::Path;
use std::sync::Arc;

impl Study<'_> {
    /// The training settings of a job.
    pub(super) fn training(&self, job: &Job) -> Settings {
        let arm = self.settings.arms.iter().find(|arm| arm.name == job.arm);
        self.settings.training(arm.expect("jobs are of the study's arms"), job.seed)
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

    pub(super) fn failed(&self, job: &Job, error: run::TrainError) -> StudyError {
        StudyError::Train { arm: job.arm.clone(), seed: job.seed, source: Box::new(error) }
    }
}
