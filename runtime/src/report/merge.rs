//! The report of a study from the results that its folder holds.

use super::compare::comparisons;
use super::explanation::summarise;
use super::figures::figures;
use super::{Extras, ReportError};
use crate::attack::between;
use crate::results::attack::AttackReport;
use crate::results::audited::{self, Audited};
use crate::results::corruption::Corrupted;
use crate::results::evaluation::Evaluation;
use crate::results::explanation::Explanation;
use crate::results::explanation::one_model::OneModel;
use crate::results::jobs::{Job, JobList, LIST, Work};
use crate::results::run::files;
use crate::results::study::{Arm, Report};
use crate::results::transfer::Transfer;
use crate::results::{ResultError, json};
use crate::storage;
use std::collections::BTreeMap;
use std::path::Path;

/// Merges the results in the study's folder `dir` by its list of jobs. What is not there, or is of another
/// model than the RUN holds, is named in [`Report::missing`]; an arm and seed without an evaluation are left
/// out.
///
/// # Errors
/// There is no list of jobs; a result cannot be read.
pub fn merge(dir: &Path) -> Result<(Report, Extras), ReportError> {
    let Some(list) = JobList::read(dir)? else {
        return Err(ResultError::garbled(&dir.join(LIST), "missing: `dfrt study --plan` writes it").into());
    };
    let mut report = Report { config: list.config, environment: list.environment, ..Report::default() };
    let mut runs: Vec<(&str, Vec<&Job>)> = Vec::new();
    for job in &list.jobs {
        match runs.iter_mut().find(|(run, _)| *run == job.run) {
            Some((_, jobs)) => jobs.push(job),
            None => runs.push((&job.run, vec![job])),
        }
    }
    let mut explained = Vec::new();
    for (run, jobs) in runs {
        let found = arm(dir, run, &jobs, &mut report.missing)?;
        explained.extend(found.explained.zip(jobs.first().copied()));
        report.arms.extend(found.arm);
    }
    report.audit = audit(dir, &report.arms)?;
    report.explanation = explanation(explained, &mut report.missing)?;
    let extras = Extras::load(dir, &report);
    report.comparisons = comparisons(&report, &extras, 0)?;
    report.figures = figures(&report, &extras, 0)?;
    Ok((report, extras))
}

/// What the audit found, if it is of the data set that the first model was trained on.
fn audit(dir: &Path, arms: &[Arm]) -> Result<Option<Audited>, ReportError> {
    let path = dir.join(audited::FILE);
    if !path.exists() {
        return Ok(None);
    }
    let found: Audited = json::read(&path)?;
    let trained = arms.iter().find_map(|arm| arm.training.as_ref());
    Ok(Some(found).filter(|found| trained.is_none_or(|trained| trained.data_sha256 == found.data.sha256)))
}

/// Why the models are as robust as they are, of those that were measured on the pictures and in the way
/// of the first. The others are added to `missing`.
fn explanation(
    found: Vec<(OneModel, &Job)>,
    missing: &mut Vec<String>,
) -> Result<Option<Explanation>, ReportError> {
    let Some(basis) = found.first().map(|(first, _)| first.basis.clone()) else { return Ok(None) };
    let mut measured = Vec::with_capacity(found.len());
    for (one, job) in found {
        if one.basis == basis {
            measured.push(one.measured);
        } else {
            missing.push(Job { work: Work::Explain, ..job.clone() }.to_string());
        }
    }
    let mut explanation = summarise(&measured, basis)?;
    explanation.arms.iter_mut().for_each(|arm| arm.surfaces.clear());
    Ok(Some(explanation))
}

/// What a RUN holds.
struct Found {
    /// None without an evaluation.
    arm: Option<Arm>,
    explained: Option<OneModel>,
}

/// The results of one RUN. What is not there is added to `missing`.
fn arm(dir: &Path, run: &str, jobs: &[&Job], missing: &mut Vec<String>) -> Result<Found, ReportError> {
    let (mut eval, mut attacks, mut cross) =
        (None::<Evaluation>, Vec::<AttackReport>::new(), BTreeMap::new());
    let (mut corrupted, mut transfer, mut training) = (None::<Corrupted>, None::<Transfer>, None);
    let mut explained = None::<OneModel>;
    let model = storage::sha256_of_file(&dir.join(run).join(files::MODEL)).ok();
    // Without the model, as in a folder that was passed on, results are taken as they are.
    let is_of = |sha256: &str| model.as_ref().is_none_or(|model| model == sha256);
    for job in jobs {
        let path = job.result(dir);
        let there = path.exists()
            && match &job.work {
                Work::Train => {
                    training = Some(json::read(&path)?);
                    true
                }
                Work::Evaluate => {
                    eval = Some(json::read(&path)?).filter(|found: &Evaluation| is_of(&found.model.sha256));
                    eval.is_some()
                }
                Work::CrossData(name) => {
                    let found: Evaluation = json::read(&path)?;
                    let own = is_of(&found.model.sha256);
                    cross.extend(own.then(|| (name.clone(), found)));
                    own
                }
                Work::Corrupt => {
                    corrupted =
                        Some(json::read(&path)?).filter(|found: &Corrupted| is_of(&found.model.sha256));
                    corrupted.is_some()
                }
                Work::Attack(_) => {
                    let found: AttackReport = json::read(&path)?;
                    let own = is_of(&found.model.sha256);
                    attacks.extend(own.then_some(found));
                    own
                }
                Work::Transfer => {
                    transfer = Some(json::read(&path)?).filter(|found: &Transfer| is_of(&found.model_sha256));
                    transfer.is_some()
                }
                Work::Explain => {
                    explained = Some(json::read(&path)?)
                        .filter(|found: &OneModel| is_of(&found.measured.model.sha256));
                    explained.is_some()
                }
            };
        if !there {
            missing.push(job.to_string());
        }
    }
    between::add_gates(&mut attacks);
    let arm = eval.zip(jobs.first()).map(|(eval, job)| Arm {
        training,
        cross,
        corrupted,
        transfer,
        ..Arm::new(&job.arm, job.seed, run, eval, attacks)
    });
    Ok(Found { arm, explained })
}
