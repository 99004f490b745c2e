//! One model, one data set, one folder: an attack or a suite from its beginning, or from what
//! an interrupted one left, to its report.

use super::Attack;
use super::judge::{self, JudgeError, Judgement};
use super::resumption::Memory;
use super::suite::Suite;
use super::trace::{Header, Trace, TraceError};
use super::trial::{Progress, Subject, Trial};
use crate::data::selection::Chosen;
use crate::detector::session::TractOracle;
use crate::random;
use crate::results::evaluation::ModelInfo;
use crate::threat::Threat;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Pictures that a suite under a time budget takes through all its attacks before it
/// looks at the clock.
const ROUND: usize = 16;

/// What becomes of an attack's draws, answers and decisions.
#[derive(Clone, Copy, Debug)]
pub enum TraceFile<'a> {
    /// They are written there.
    Record(&'a Path),
    /// They come from there.
    Play(&'a Path),
}

/// What is attacked.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The model, as results name it.
    pub model: &'a ModelInfo,
    /// The same, to be asked.
    pub oracle: &'a TractOracle,
    /// The pictures.
    pub data: &'a Chosen,
    /// Where results go.
    pub folder: &'a Path,
    /// Whether to go on with what lies there.
    pub resume: bool,
    /// When nothing new is begun.
    pub deadline: Option<Instant>,
    /// What is recorded or played.
    pub trace: Option<TraceFile<'a>>,
    /// Told the name of the attack in hand and how far it is.
    pub progress: &'a (dyn Fn(&str, Progress) + Sync),
}

/// Why there is no judgement.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The judge's.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// A trace that cannot be written or is another attack's.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

impl Case<'_> {
    /// Judges one attack.
    ///
    /// # Errors
    /// As [`judge::judge`], and a trace that cannot be written or is another attack's.
    pub fn judge(&self, attack: &dyn Attack, threat: Threat) -> Result<Judgement, CaseError> {
        let subjects = Subject::of(self.data);
        self.on_trial(threat, &|at| (self.progress)(attack.name(), at), |trial| {
            let header = Header::of(attack, trial.threat, trial.threshold, trial.model);
            let trace = match self.trace {
                None => None,
                Some(TraceFile::Record(path)) => Some(Trace::record(path, &header, self.resume)?),
                Some(TraceFile::Play(path)) => Some(Trace::play(path, &header)?),
            };
            let trial = Trial { trace: trace.as_ref(), ..*trial };
            Ok(judge::judge(attack, self.oracle, &subjects, &trial)?)
        })
    }

    /// Judges `attacks`, each on what the earlier ones left, under the `name` of the suite.
    ///
    /// # Errors
    /// As [`Case::judge`].
    pub fn suite(
        &self,
        name: &str,
        attacks: &[Box<dyn Attack + '_>],
        threat: Threat,
    ) -> Result<Judgement, CaseError> {
        let mut subjects = Subject::of(self.data);
        let all = subjects.len();
        if self.deadline.is_some() {
            // Whatever is reached in time is then no first people or classes of a list.
            subjects.sort_by_key(|subject| random::key(0, &["time budget".into(), subject.id.into()]));
        }
        let (mut reached, memory) = (0, Arc::new(Memory::default()));
        loop {
            let resume = self.resume || reached > 0;
            reached = if self.deadline.is_some() { all.min(reached + ROUND) } else { all };
            let in_hand = Mutex::new(String::new());
            let progress = |at| (self.progress)(&in_hand.lock().unwrap_or_else(PoisonError::into_inner), at);
            let judgement = self.on_trial(threat, &progress, |trial| {
                // Between rounds, not within one: a picture goes through all or none.
                let trial = Trial { resume, deadline: None, ..*trial };
                let suite = Suite::new(self.oracle, &subjects[..reached], trial);
                let mut suite = suite.remembering(&memory);
                for attack in attacks {
                    if suite.standing().is_empty() {
                        break;
                    }
                    attack.name().clone_into(&mut in_hand.lock().unwrap_or_else(PoisonError::into_inner));
                    suite.stage(attack.as_ref())?;
                }
                Ok(suite.finish(name, all - reached)?)
            })?;
            if reached == all || self.deadline.is_some_and(|end| Instant::now() >= end) {
                return Ok(judgement);
            }
        }
    }

    fn on_trial<T>(
        &self,
        threat: Threat,
        progress: &(dyn Fn(Progress) + Sync),
        work: impl FnOnce(&Trial<'_>) -> Result<T, CaseError>,
    ) -> Result<T, CaseError> {
        let detector = self.oracle.detector();
        work(&Trial {
            threshold: detector.threshold(),
            threshold_from: Some(detector.threshold_source()),
            split: self.data.split,
            out: Some(self.folder),
            resume: self.resume,
            deadline: self.deadline,
            progress,
            ..Trial::new(self.model, &self.data.name, threat)
        })
    }
}
