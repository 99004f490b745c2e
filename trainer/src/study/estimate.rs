//! How long the units of work of a study may take on this machine: steps of training and of attacks are
//! timed on noise, and counted. Attacks that stop at the first success take less.

use super::{Study, StudyError};
use crate::arms::Method;
use crate::bench::subject::Prepared;
use crate::bench::{self, BenchError, Settings as Bench, Work as Timed, step};
use crate::explain::surface;
use crate::train::dataset::{DatasetError, TrainingPictures};
use crate::train::pool::allowance::Allowance;
use dfrt_runtime::attack::catalog::{self, Plan};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::results::jobs::{Job, Work};
use std::sync::Arc;

/// A job of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// Whether its result is there.
    pub done: bool,
    /// Estimated minutes.
    pub minutes: Option<f64>,
}

/// The estimates of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// As many as the study has jobs, in their order.
    pub jobs: Vec<Planned>,
    /// What was measured, in words.
    pub measured: String,
}

/// Timed steps of each kind.
const STEPS: usize = 3;
/// Steps of attacks by gradients, where nothing else is asked for.
const USUAL_STEPS: usize = 100;
/// A forward pass as a share of a forward and a backward pass to the pixels.
const FORWARD: f64 = 0.4;
/// Passes of an explanation for gradients, features and shifted statistics.
const GRADIENTS: usize = 20;
/// Radii that the search of an explanation tries.
const RADII: usize = 7;
/// Validation, reading of pictures and files as a share of a training's steps.
const REST: f64 = 0.1;

impl Study<'_> {
    /// Which jobs are done, without an estimate.
    ///
    /// # Errors
    /// A RUN that was trained with other settings.
    pub fn status(&self) -> Result<Estimate, StudyError> {
        let planned = |job: &Job| Ok(Planned { done: self.is_done(job)?, minutes: None });
        let jobs = self.jobs()?.iter().map(planned).collect::<Result<_, StudyError>>()?;
        Ok(Estimate { jobs, measured: String::new() })
    }

    /// Times what the jobs that are not done need, and estimates their minutes.
    ///
    /// # Errors
    /// A data set or device that cannot be used.
    pub fn estimate(&self) -> Result<Estimate, StudyError> {
        let jobs = self.jobs()?;
        let done = jobs.iter().map(|job| self.is_done(job)).collect::<Result<Vec<_>, _>>()?;
        let train = &self.settings.train;
        let manifest = Manifest::of(&train.data).map_err(DatasetError::from)?;
        let pictures = TrainingPictures::of(train, &manifest, Allowance::of_this_process())?;
        let steps_an_epoch = pictures.order(train).steps();
        let mut timed: Vec<(Timed, f64)> = Vec::new();
        let batch = catalog::BATCH.min(self.attacked.chosen.len()).max(1);
        let mut seconds = |work: Timed, batch: usize| -> Result<f64, StudyError> {
            if let Some((_, seconds)) = timed.iter().find(|(known, _)| *known == work) {
                return Ok(*seconds);
            }
            let settings = Bench {
                arch: train.arch.clone(),
                res: train.res,
                batch,
                work: work.clone(),
                steps: Some(STEPS),
                profile: false,
            };
            let prepared = Prepared::new(settings).map_err(bench_error)?;
            let found = step::measure(Arc::clone(&self.engine), prepared)?.step_ms.median / 1000.0;
            timed.push((work, found));
            Ok(found)
        };
        let mut minutes = Vec::with_capacity(jobs.len());
        for (job, &done) in jobs.iter().zip(&done) {
            if done {
                minutes.push(None);
                continue;
            }
            let estimate = match &job.work {
                Work::Train => {
                    let settings = self.training(job);
                    let steps = (settings.total_epochs() * steps_an_epoch) as f64;
                    let arm = settings.method.arm();
                    let clean = settings
                        .method
                        .clean()
                        .zip(arm.adversary())
                        .map_or(0.0, |(_, adversary)| adversary.clean.into());
                    let own = seconds(Timed::Training(settings.method.clone()), train.batch)?;
                    let plain = if clean > 0.0 {
                        seconds(Timed::Training(Method::Baseline), train.batch)?
                    } else {
                        0.0
                    };
                    (1.0 + REST) * steps * (clean * plain + (1.0 - clean) * own)
                }
                _ => {
                    let picture = seconds(Timed::InputGradient, batch)? / batch as f64;
                    picture * self.passes(job)
                }
            };
            minutes.push(Some(estimate / 60.0));
        }
        let measured = timed
            .iter()
            .map(|(work, seconds)| format!("{} {:.0} ms a step", work.name(), 1000.0 * seconds))
            .collect::<Vec<_>>()
            .join(", ");
        let planned = |(done, minutes): (bool, Option<f64>)| Planned { done, minutes };
        Ok(Estimate { jobs: done.into_iter().zip(minutes).map(planned).collect(), measured })
    }

    /// Forward and backward passes of a picture to the pixels that a job takes at most.
    fn passes(&self, job: &Job) -> f64 {
        let attacked = self.attacked.chosen.len() as f64;
        match &job.work {
            Work::Train => 0.0,
            Work::Evaluate => FORWARD * self.test.chosen.len() as f64,
            Work::CrossData(name) => {
                let data = self.cross.iter().find(|(known, _)| known == name);
                FORWARD * data.map_or(0, |(_, data)| data.chosen.len()) as f64
            }
            Work::Corrupt => FORWARD * attacked * 31.0,
            Work::Attack(name) => {
                let plans = self.choice(name).map_or_else(Vec::new, |choice| self.settings.plans(choice));
                attacked * plans.iter().map(passes).sum::<f64>()
            }
            Work::Explain => {
                let options = Self::explaining();
                let shown = options.shown.min(self.explained.chosen.len());
                let a_picture = options.attack_steps + GRADIENTS + RADII * options.radius_steps;
                let around = surface::SIDE * surface::SIDE * shown;
                (a_picture * self.explained.chosen.len()) as f64 + FORWARD * around as f64
            }
            Work::Transfer => FORWARD * 2.0 * attacked * self.sources(job.seed).len() as f64,
        }
    }
}

/// Passes of a picture that an attack takes at most.
fn passes(plan: &Plan) -> f64 {
    if plan.method.needs_gradients() {
        let usual = if plan.method.has_steps || plan.method.has_goal { USUAL_STEPS } else { 1 };
        (plan.steps.unwrap_or(usual) * plan.restarts.unwrap_or(1)) as f64
    } else {
        FORWARD * plan.queries.unwrap_or(plan.method.queries) as f64
    }
}

fn bench_error(error: crate::train::settings::BadSettings) -> StudyError {
    super::BadStudy::of(error).into()
}

impl From<BenchError> for StudyError {
    fn from(error: BenchError) -> Self {
        match error {
            bench::BenchError::Gpu(error) => error.into(),
            error => super::BadStudy::of(error).into(),
        }
    }
}
