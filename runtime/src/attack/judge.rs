//! The judge: asks the clean logits, has the attack propose, and decides by the
//! 8-bit pictures alone (judge/verdict.rs). An attack never reports its own success.

use super::gates;
use super::query::Query;
use super::resumption::{self, Memory};
use super::summary::{self, Summary};
use super::trace;
use super::trial::{Progress, Subject, Trial};
use super::{Attack, NormError, Proposal, Target, planes};
use crate::data::batch::Batch;
use crate::data::picture::{self, PictureError};
use crate::detector::oracle::{Oracle, OracleError};
use crate::random;
use crate::results::ResultError;
use crate::results::attack::distances::MinimalDistance;
use crate::results::attack::folder::{AttackFolder, AttackFolderError};
use crate::results::attack::journal::{Entry, Finding, Journal};
use crate::results::attack::settings::Settings;
use crate::results::attack::{AttackReport, Gate, SampleResult};
use crate::sample::Split;
use crate::sample::is_right;
use crate::storage;
use image::RgbImage;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Pictures asked twice for the gate on repeated forwards.
pub(super) const REPEATED: usize = 32;
/// Pictures on which an attack makes its own checks.
const CHECKED: usize = 4;

/// The verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The object of attack.json.
    pub report: AttackReport,
    /// The lines of samples.csv, by rising id.
    pub samples: Vec<SampleResult>,
    /// What the report needs beyond them, in the same order.
    pub findings: Vec<Finding>,
}

/// Why an attack could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// No picture at all, or none that can be read.
    #[error("{data}: nothing to attack in the split {split}: {reason}")]
    Nothing {
        /// The data set.
        data: String,
        /// The split.
        split: Split,
        /// Why.
        reason: String,
    },
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A result could not be saved or read back.
    #[error(transparent)]
    AttackFolder(#[from] AttackFolderError),
    /// A file of results cannot be read, written or understood.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The attack does not search balls of that norm.
    #[error(transparent)]
    Norm(#[from] NormError),
    /// The attack broke its contract.
    #[error("{method}: {reason}; this is a fault of the attack, please report it")]
    Contract {
        /// The attack.
        method: String,
        /// What it did.
        reason: String,
    },
}

/// Judges `attack` on `subjects` through `oracle`.
///
/// With `trial.out`, everything is saved as it comes, and a run that was killed
/// goes on with `trial.resume`: pictures judged under the same settings are not
/// attacked again, and the result is that of an uninterrupted run but for seconds. A
/// picture is known by the content of its file; one that has changed is judged anew.
/// Pictures run a thread each where the attack takes one at a time.
///
/// # Errors
/// Nothing to attack, a model that fails, a folder that cannot be written or
/// holds another result, an attack that breaks its contract.
pub fn judge(
    attack: &dyn Attack,
    oracle: &dyn Oracle,
    subjects: &[Subject],
    trial: &Trial<'_>,
) -> Result<Judgement, JudgeError> {
    judge_remembering(attack, oracle, subjects, trial, &Memory::default())
}

/// The same; what `memory` knows of the files is not looked at again.
pub(super) fn judge_remembering(
    attack: &dyn Attack,
    oracle: &dyn Oracle,
    subjects: &[Subject],
    trial: &Trial<'_>,
    memory: &Memory,
) -> Result<Judgement, JudgeError> {
    let start = Instant::now();
    let mut judging = Judging::open(attack, oracle, subjects, trial, memory)?;
    if let Some(judgement) = judging.finished(subjects) {
        return Ok(judgement);
    }
    let deterministic = judging.repeat(subjects)?;
    let checks = judging.checks(subjects)?;
    let earlier = std::mem::take(&mut judging.earlier);
    let entries = judging.all(subjects, earlier)?;
    let skipped = judging.skipped.into_inner().unwrap_or_default();
    let (data, split) = (trial.data.to_owned(), trial.split);
    if entries.is_empty() {
        let reason = match skipped.into_iter().next() {
            Some(line) => line,
            None if subjects.is_empty() => "it has no picture; name another --split or --data".to_owned(),
            None => "the time ran out before the first picture; give it a longer --time-budget".to_owned(),
        };
        return Err(JudgeError::Nothing { data, split, reason });
    }
    let mut gates = summary::own_gates(&entries, deterministic);
    gates.extend(checks);
    gates.extend(summary::outcome_gates(&entries, Some(subjects), trial.threshold as f32));
    let summary = Summary::of(&entries, trial.threshold as f32, gates);
    let mut report = summary.report(attack.name(), attack.parameters(trial.threat), trial);
    report.not_reached = subjects.len() - entries.len() - skipped.len();
    report.skipped = skipped;
    report.minimal_distance = attack.measures(trial.threat).map(|norm| {
        let samples = entries.iter().map(|entry| &entry.result);
        MinimalDistance::of(samples, trial.threshold as f32, norm, trial.threat)
    });
    report.seconds = start.elapsed().as_secs_f64();
    let (samples, findings): (Vec<_>, Vec<_>) =
        entries.into_iter().map(|entry| (entry.result, entry.finding)).unzip();
    if let Some((files, _)) = &judging.record {
        files.publish(&report, &samples)?;
    }
    Ok(Judgement { report, samples, findings })
}

/// The judging of one attack, under way.
struct Judging<'a> {
    attack: &'a dyn Attack,
    oracle: &'a dyn Oracle,
    trial: &'a Trial<'a>,
    memory: &'a Memory,
    record: Option<(AttackFolder, Journal)>,
    earlier: Vec<Entry>,
    skipped: Mutex<Vec<String>>,
    progress: Mutex<Progress>,
}

/// A subject's picture and what the model says to it.
struct Clean<'a> {
    subject: &'a Subject,
    picture: RgbImage,
    source_sha256: String,
    logit: f32,
}

impl<'a> Judging<'a> {
    fn open(
        attack: &'a dyn Attack,
        oracle: &'a dyn Oracle,
        subjects: &[Subject],
        trial: &'a Trial<'a>,
        memory: &'a Memory,
    ) -> Result<Self, JudgeError> {
        NormError::check(attack.name(), attack.norms(), trial.threat.norm)?;
        if trial.trace.is_some() && attack.batch() > 1 {
            return Err(trace::together().into());
        }
        let (mut earlier, mut changed) = (Vec::new(), 0);
        let record = match trial.out {
            Some(folder) => {
                let (files, settings) = (AttackFolder::new(folder), Settings::of(attack, trial));
                let found = Journal::earlier(&files, &settings, trial.resume)?;
                if let Some(found) = found {
                    (earlier, changed) = resumption::still_true(&files, found.entries, subjects, memory)?;
                }
                let journal = Journal::begin(&files, &settings, &earlier)?;
                Some((files, journal))
            }
            None => None,
        };
        let progress = Mutex::new(Progress { changed, ..Progress::default() });
        Ok(Self { attack, oracle, trial, memory, record, earlier, skipped: Mutex::default(), progress })
    }

    /// What an earlier run published, where every subject's entry of it still holds and nothing
    /// was left out: then there is nothing to do.
    fn finished(&self, subjects: &[Subject]) -> Option<Judgement> {
        let (files, _) = self.record.as_ref()?;
        let report = files.report().ok()?;
        let samples = files.samples().ok()?;
        let known: HashMap<u64, &Entry> = self.earlier.iter().map(|entry| (entry.result.id, entry)).collect();
        let entries: Option<Vec<&Entry>> =
            subjects.iter().map(|subject| known.get(&subject.id).copied()).collect();
        let mut entries = entries?;
        entries.sort_by_key(|entry| entry.result.id);
        let same = |(sample, entry): (&SampleResult, &&Entry)| {
            // NaN logits are the same, too.
            format!("{sample:?}") == format!("{:?}", entry.result)
        };
        let complete = samples.len() == entries.len() && samples.iter().zip(&entries).all(same);
        let as_named = report.data.path == self.trial.data && report.model.path == self.trial.model.path;
        if !(complete && as_named && report.n == samples.len() && report.not_reached == 0) {
            return None;
        }
        let findings = entries.iter().map(|entry| entry.finding).collect();
        let entries: Vec<Entry> = entries.into_iter().cloned().collect();
        self.advance_by_earlier(subjects.len(), &entries);
        Some(Judgement { report, samples, findings })
    }

    /// Asks the first pictures twice.
    fn repeat(&self, subjects: &[Subject]) -> Result<Gate, JudgeError> {
        let pictures = subjects[..subjects.len().min(REPEATED)].par_iter();
        let pictures: Vec<_> = pictures.filter_map(|subject| self.load(subject).ok()).collect();
        let ask = || -> Result<Vec<f32>, OracleError> {
            let chunks = pictures.chunks(self.attack.batch().max(1));
            let logits: Result<Vec<_>, _> =
                chunks.map(|chunk| self.oracle.logits(&Batch::of(self.oracle.res(), chunk))).collect();
            Ok(logits?.concat())
        };
        Ok(gates::deterministic(&ask()?, &ask()?))
    }

    /// The attack's own checks, on the first pictures.
    fn checks(&self, subjects: &[Subject]) -> Result<Vec<Gate>, JudgeError> {
        let target = |subject: &Subject| {
            let picture = self.load(subject).ok()?;
            Some(Target { id: subject.id, label: subject.sample.label, picture })
        };
        let targets: Vec<Target> = subjects.iter().take(CHECKED).filter_map(target).collect();
        Ok(self.attack.checks(&targets, self.trial.threat)?)
    }

    /// Every subject's entry, by rising id, but for those that cannot be read.
    fn all(&self, subjects: &[Subject], earlier: Vec<Entry>) -> Result<Vec<Entry>, JudgeError> {
        let mut known: HashMap<u64, Entry> =
            earlier.into_iter().map(|entry| (entry.result.id, entry)).collect();
        let (mut entries, mut pending) = (Vec::with_capacity(subjects.len()), Vec::new());
        for subject in subjects {
            match known.remove(&subject.id) {
                Some(entry) => entries.push(entry),
                None => pending.push(subject),
            }
        }
        self.advance_by_earlier(subjects.len(), &entries);
        if self.trial.deadline.is_some() {
            // Whatever is reached in time is then no first people or classes of a list.
            pending.sort_by_key(|subject| random::key(0, &["time budget".into(), subject.id.into()]));
        }
        let in_time = || self.trial.deadline.is_none_or(|end| Instant::now() < end);
        let decide = |chunk: &[&Subject]| match in_time() {
            true => self.together(chunk, subjects.len()),
            false => Ok(Vec::new()),
        };
        let judged: Result<Vec<_>, _> = match self.attack.batch() {
            // One after the other in their order, a thread each.
            0 | 1 => pending.chunks(1).par_bridge().map(decide).collect(),
            size => pending.chunks(size).map(decide).collect(),
        };
        entries.extend(judged?.into_iter().flatten());
        entries.sort_by_key(|entry| entry.result.id);
        Ok(entries)
    }

    /// Judges a few subjects together and puts what was found on record.
    fn together(&self, subjects: &[&Subject], total: usize) -> Result<Vec<Entry>, JudgeError> {
        let start = Instant::now();
        let clean = self.clean(subjects)?;
        let threshold = self.trial.threshold as f32;
        let (right, wrong): (Vec<_>, Vec<_>) =
            clean.into_iter().partition(|clean| is_right(clean.logit, clean.subject.sample.label, threshold));
        let mut entries: Vec<Entry> = wrong.iter().map(missed).collect();
        entries.extend(self.attacked(&right)?);
        let seconds = start.elapsed().as_secs_f64() / entries.len().max(1) as f64;
        for entry in &mut entries {
            entry.result.seconds = seconds;
            if let Some((files, journal)) = &self.record {
                journal.append(entry)?;
                self.memory.keep(files.path(), entry.result.id);
            }
        }
        self.advance(total, &entries);
        Ok(entries)
    }

    fn load(&self, subject: &Subject) -> Result<RgbImage, PictureError> {
        picture::load(&subject.sample.path, self.oracle.res())
    }

    /// The subjects that can be read, with their clean logits.
    fn clean<'s>(&self, subjects: &[&'s Subject]) -> Result<Vec<Clean<'s>>, JudgeError> {
        let load = |subject: &&Subject| {
            let bytes = picture::read(&subject.sample.path)?;
            let kept = self.record.is_some();
            let sha256 = if kept { storage::sha256(&bytes) } else { String::new() };
            let whole = picture::decode(&bytes, &subject.sample.path)?;
            Ok((picture::prepare(&whole, self.oracle.res()), sha256))
        };
        let loaded: Vec<Result<_, PictureError>> = subjects.par_iter().map(load).collect();
        let mut pictures = Vec::with_capacity(subjects.len());
        for (&subject, picture) in subjects.iter().zip(loaded) {
            match picture {
                Ok((picture, sha256)) => pictures.push((subject, picture, sha256)),
                Err(error) => {
                    let mut skipped = self.skipped.lock().expect("no holder panics");
                    skipped.push(error.to_string());
                    skipped.sort();
                }
            }
        }
        let logits = self.ask(pictures.iter().map(|(_, picture, _)| planes(picture)))?;
        let clean = pictures.into_iter().zip(logits);
        Ok(clean
            .map(|((subject, picture, source_sha256), logit)| Clean {
                subject,
                picture,
                source_sha256,
                logit,
            })
            .collect())
    }

    fn ask(&self, pictures: impl Iterator<Item = Vec<f32>>) -> Result<Vec<f32>, JudgeError> {
        let batch = Batch { res: self.oracle.res(), values: pictures.flatten().collect() };
        let logits = if batch.is_empty() { Vec::new() } else { self.oracle.logits(&batch)? };
        if logits.len() == batch.len() {
            return Ok(logits);
        }
        let text = format!("{} logits for {} pictures", logits.len(), batch.len());
        Err(OracleError(text).into())
    }

    /// Has the attack propose for pictures that are classified rightly.
    fn attacked(&self, clean: &[Clean<'_>]) -> Result<Vec<Entry>, JudgeError> {
        if clean.is_empty() {
            return Ok(Vec::new());
        }
        let target = |clean: &Clean<'_>| Target {
            id: clean.subject.id,
            label: clean.subject.sample.label,
            picture: clean.picture.clone(),
        };
        let targets: Vec<_> = clean.iter().map(target).collect();
        let query = |target| {
            let query = Query::new(target, self.oracle, self.trial.threshold as f32);
            match self.trial.trace {
                Some(trace) => Ok(query.recorded(trace.begin(target.id)?)),
                None => Ok(query),
            }
        };
        let queries = targets.iter().map(query).collect::<Result<Vec<_>, OracleError>>()?;
        let proposals = self.attack.propose(&queries, self.trial.threat);
        let spent: Vec<_> = queries.iter().map(|query| (query.spent(), query.never_differed())).collect();
        if let Some(trace) = self.trial.trace {
            for query in queries {
                let id = query.target().id;
                if let Some(recorder) = query.into_recorder() {
                    trace.end(id, recorder, proposals.is_ok())?;
                }
            }
        }
        let mut proposals = proposals?;
        self.check(&targets, &proposals)?;
        let mut miscounted = false;
        for (proposal, (asked, never_differed)) in proposals.iter_mut().zip(spent) {
            let gradients = proposal.gradients.evaluated;
            miscounted |= proposal.queries < gradients;
            proposal.queries += asked;
            if gradients == 0 {
                proposal.never_differed = never_differed;
            }
        }
        self.decide(clean, &proposals, miscounted)
    }

    fn check(&self, targets: &[Target], proposals: &[Proposal]) -> Result<(), JudgeError> {
        let broken = |reason| Err(JudgeError::Contract { method: self.attack.name().to_owned(), reason });
        if targets.len() != proposals.len() {
            return broken(format!("{} proposals for {} pictures", proposals.len(), targets.len()));
        }
        let size = 3 * self.oracle.res() * self.oracle.res();
        match proposals.iter().find(|proposal| proposal.values.len() != size) {
            Some(proposal) => broken(format!("{} values instead of {size}", proposal.values.len())),
            None => Ok(()),
        }
    }

    /// Counts what an earlier run judged; its queries are no part of this one's pace.
    fn advance_by_earlier(&self, total: usize, entries: &[Entry]) {
        let queries = entries.iter().map(|entry| entry.result.queries).sum();
        self.progress.lock().expect("no holder panics").queries_before = queries;
        self.advance(total, entries);
    }

    fn advance(&self, total: usize, entries: &[Entry]) {
        let mut progress = self.progress.lock().expect("no holder panics");
        progress.total = total;
        for Entry { result, finding, .. } in entries {
            progress.done += 1;
            progress.attacked += usize::from(finding.attacked);
            progress.successes += usize::from(result.success);
            progress.queries += result.queries;
        }
        (self.trial.progress)(*progress);
    }
}

/// The entry of a picture that was classified wrongly before.
fn missed(clean: &Clean<'_>) -> Entry {
    let non_finite = u32::from(!clean.logit.is_finite());
    let finding = Finding { non_finite, ..Finding::default() };
    Entry { result: untouched(clean), finding, source_sha256: clean.source_sha256.clone() }
}

fn untouched(clean: &Clean<'_>) -> SampleResult {
    SampleResult {
        id: clean.subject.id,
        label: clean.subject.sample.label,
        clean_logit: clean.logit,
        adv_logit: clean.logit,
        success: false,
        queries: 0,
        linf_255: 0,
        l2: 0.0,
        seconds: 0.0,
        path: clean.subject.shown(),
        clean_sha256: String::new(),
        adv_sha256: String::new(),
        attack: String::new(),
        distance: None,
        queries_to_success: None,
    }
}

mod verdict;
