//! The report of a study from the results that its folder holds.

use super::compare::comparisons;
use super::figures::figures;
use super::{Extras, ReportError};
use crate::attack::between;
use crate::results::attack::AttackReport;
use crate::results::evaluation::Evaluation;
use crate::results::jobs::{Job, JobList, LIST, Work};
use crate::results::study::{Arm, Report};
use crate::results::{ResultError, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Merges the results in the study's folder `dir` by its list of jobs. What is not there is named in
/// [`Report::missing`]; an arm and seed without an evaluation are left out.
///
/// # Errors
/// There is no list of jobs; a result cannot be read.
pub fn merge(dir: &Path) -> Result<Report, ReportError> {
    let Some(list) = JobList::read(dir)? else {
        return Err(ResultError::garbled(&dir.join(LIST), "missing: `dfrt study --plan` writes it").into());
    };
    let mut report = Report {
        arms: Vec::new(),
        comparisons: Vec::new(),
        figures: Vec::new(),
        config: list.config,
        environment: list.environment,
        missing: Vec::new(),
    };
    let mut runs: Vec<(&str, Vec<&Job>)> = Vec::new();
    for job in &list.jobs {
        match runs.iter_mut().find(|(run, _)| *run == job.run) {
            Some((_, jobs)) => jobs.push(job),
            None => runs.push((&job.run, vec![job])),
        }
    }
    for (run, jobs) in runs {
        let (done, missing): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.result(dir).exists());
        report.missing.extend(missing.iter().map(ToString::to_string));
        report.arms.extend(arm(dir, run, &done)?);
    }
    let extras = Extras::load(dir, &report);
    report.comparisons = comparisons(&report, &extras, 0)?;
    report.figures = figures(&report, &extras, 0)?;
    Ok(report)
}

/// The results of one RUN; none without an evaluation.
fn arm(dir: &Path, run: &str, done: &[&Job]) -> Result<Option<Arm>, ReportError> {
    let (mut eval, mut attacks, mut cross) =
        (None::<Evaluation>, Vec::<AttackReport>::new(), BTreeMap::new());
    let (mut corrupted, mut transfer, mut training) = (None, None, None);
    for job in done {
        let path = job.result(dir);
        match &job.work {
            Work::Train => training = Some(json::read(&path)?),
            Work::Evaluate => eval = Some(json::read(&path)?),
            Work::CrossData(name) => drop(cross.insert(name.clone(), json::read(&path)?)),
            Work::Corrupt => corrupted = Some(json::read(&path)?),
            Work::Attack(_) => attacks.push(json::read(&path)?),
            Work::Transfer => transfer = Some(json::read(&path)?),
        }
    }
    between::add_gates(&mut attacks);
    let Some((eval, job)) = eval.zip(done.first()) else { return Ok(None) };
    let arm = Arm::new(&job.arm, job.seed, run, eval, attacks);
    Ok(Some(Arm { training, cross, corrupted, transfer, ..arm }))
}
