//! How long the units of work of a study may take on this machine: steps of training and of attacks by
//! gradients are timed on the device, evaluations on tract, and counted. Attacks that stop at the first
//! success take less.

use super::{Study, StudyError};
use crate::arms::Method;
use crate::bench::subject::Prepared;
use crate::bench::{self, BenchError, Settings as Bench, Work as Timed, step};
use crate::explain::surface;
use crate::model::weights::Weights;
use crate::train::dataset::{DatasetError, TrainingPictures};
use crate::train::outcome;
use crate::train::pool::allowance::Allowance;
use dfrt_runtime::attack::catalog::{self, Plan};
use dfrt_runtime::data::corruption::Corruption;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::detector;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::results::jobs::{Job, Work};
use dfrt_runtime::results::run::files;
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
/// Timed runs of tract in each thread.
const RUNS: usize = 10;
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
        let mut tract = None;
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
                    let Effort { passes, forwards } = self.effort(job);
                    let mut found = 0.0;
                    if passes > 0.0 {
                        found += passes * seconds(Timed::InputGradient, batch)? / batch as f64;
                    }
                    if forwards > 0.0 {
                        let speed = match tract {
                            Some(speed) => speed,
                            None => *tract.insert(self.tract_speed()?),
                        };
                        found += forwards / speed;
                    }
                    found
                }
            };
            minutes.push(Some(estimate / 60.0));
        }
        let measured = timed
            .iter()
            .map(|(work, seconds)| format!("{} {:.0} ms a step", work.name(), 1000.0 * seconds))
            .chain(tract.map(|speed| format!("tract {speed:.0} pictures/s")))
            .collect::<Vec<_>>()
            .join(", ");
        let planned = |(done, minutes): (bool, Option<f64>)| Planned { done, minutes };
        Ok(Estimate { jobs: done.into_iter().zip(minutes).map(planned).collect(), measured })
    }

    /// Pictures a second that tract evaluates, of the study's network with weights that mean nothing.
    fn tract_speed(&self) -> Result<f64, StudyError> {
        let train = &self.settings.train;
        let graph = train.graph().map_err(bench_error)?;
        let failed = |error: &dyn std::fmt::Display| StudyError::from(super::BadStudy::of(error));
        let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
        let path = folder.path().join(files::MODEL);
        let metadata = Metadata::new(&train.arch, train.res, 0.0);
        outcome::export(&path, &graph, &Weights::initial(&graph, 0), &metadata, None)?;
        let timed = detector::bench::bench(&path, rayon::current_num_threads(), 1, RUNS);
        Ok(timed.map_err(|error| failed(&error))?.throughput_img_s)
    }

    /// What a job takes at most.
    fn effort(&self, job: &Job) -> Effort {
        let attacked = self.attacked.chosen.len() as f64;
        let forwards = |forwards: f64| Effort { passes: 0.0, forwards };
        match &job.work {
            Work::Train => Effort::default(),
            Work::Evaluate => forwards(self.test.chosen.len() as f64),
            Work::CrossData(name) => {
                let data = self.cross.iter().find(|(known, _)| known == name);
                forwards(data.map_or(0, |(_, data)| data.chosen.len()) as f64)
            }
            Work::Corrupt => forwards(attacked * (1 + Corruption::ALL.len() * Corruption::LEVELS) as f64),
            Work::Attack(name) => {
                let plans = self.choice(name).map_or_else(Vec::new, |choice| self.settings.plans(choice));
                let of_all = plans.iter().map(effort).fold(Effort::default(), |sum, plan| Effort {
                    passes: sum.passes + plan.passes,
                    forwards: sum.forwards + plan.forwards,
                });
                Effort { passes: attacked * of_all.passes, forwards: attacked * of_all.forwards }
            }
            Work::Explain => {
                let options = Self::explaining();
                let shown = options.shown.min(self.explained.chosen.len());
                let a_picture = options.attack_steps + GRADIENTS + RADII * options.radius_steps;
                let around = surface::SIDE * surface::SIDE * shown;
                let passes = (a_picture * self.explained.chosen.len()) as f64 + FORWARD * around as f64;
                Effort { passes, forwards: 0.0 }
            }
            Work::Transfer => forwards(attacked * (1 + self.sources(job.seed).len()) as f64),
        }
    }
}

/// What a job or an attack takes at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Effort {
    /// Forward and backward passes of a picture to the pixels, on the device.
    passes: f64,
    /// Evaluations of a picture by tract.
    forwards: f64,
}

/// What an attack takes at most for a picture, with the judgement before and after.
fn effort(plan: &Plan) -> Effort {
    if plan.method.needs_gradients() {
        let usual = if plan.method.has_steps || plan.method.has_goal { USUAL_STEPS } else { 1 };
        let passes = (plan.steps.unwrap_or(usual) * plan.restarts.unwrap_or(1)) as f64;
        Effort { passes, forwards: 2.0 }
    } else {
        Effort { passes: 0.0, forwards: plan.queries.unwrap_or(plan.method.queries) as f64 + 2.0 }
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

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::threat::Norm;

    #[test]
    fn queries_are_counted_where_they_are_answered() {
        let plan = |name: &str| Plan::new(name.parse().unwrap(), Norm::Linf);
        let pgd = Plan { steps: Some(20), restarts: Some(3), ..plan("pgd") };
        assert_eq!(effort(&pgd), Effort { passes: 60.0, forwards: 2.0 });
        assert_eq!(effort(&plan("fgsm")), Effort { passes: 1.0, forwards: 2.0 });
        let square = Plan { queries: Some(500), ..plan("square") };
        assert_eq!(effort(&square), Effort { passes: 0.0, forwards: 502.0 });
    }
}
