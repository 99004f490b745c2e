//! One model, one data set, one folder: what attacks are judged on, and how far they are.

use crate::dataset::Dataset;
use crate::model::Model;
use crate::output;
use crate::progress::Task;
use anyhow::Result;
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::judge::{self, Judgement};
use dfrt_runtime::attack::resumption::Memory;
use dfrt_runtime::attack::suite::Suite;
use dfrt_runtime::attack::tape::{Header, Tape};
use dfrt_runtime::attack::trial::{Progress, Subject, Trial};
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::random;
use dfrt_runtime::threat::Threat;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Pictures that a suite under a time budget takes through all its attacks before it
/// looks at the clock.
const ROUND: usize = 16;

/// What becomes of an attack's draws, answers and decisions.
#[derive(Clone, Copy, Debug)]
pub enum TapeFile<'a> {
    /// They are written there.
    Record(&'a Path),
    /// They come from there.
    Play(&'a Path),
}

/// What is attacked.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The model.
    pub model: &'a Model,
    /// The same, to be asked.
    pub oracle: &'a TractOracle,
    /// The pictures.
    pub data: &'a Dataset,
    /// Where results go.
    pub folder: &'a Path,
    /// Whether to go on with what lies there.
    pub resume: bool,
    /// When nothing new is begun.
    pub deadline: Option<Instant>,
    /// What is recorded or played.
    pub tape: Option<TapeFile<'a>>,
}

impl Case<'_> {
    /// Judges one attack.
    ///
    /// # Errors
    /// As [`judge::judge`], and a tape that cannot be written or is another attack's.
    pub fn judge(&self, attack: &dyn Attack, threat: Threat) -> Result<Judgement> {
        let speaker = Speaker::default();
        speaker.begin(attack.name());
        let subjects = self.subjects();
        self.on_trial(threat, &|at| speaker.say(at), |trial| {
            let header = Header::of(attack, trial.threat, trial.threshold, trial.model);
            let tape = match self.tape {
                None => None,
                Some(TapeFile::Record(path)) => Some(Tape::record(path, &header, self.resume)?),
                Some(TapeFile::Play(path)) => Some(Tape::play(path, &header)?),
            };
            let trial = Trial { tape: tape.as_ref(), ..*trial };
            Ok(judge::judge(attack, self.oracle, &subjects, &trial)?)
        })
    }

    /// Judges `attacks`, each on what the earlier ones left, under the `name` of the suite.
    ///
    /// # Errors
    /// As [`Case::judge`].
    pub fn suite(&self, name: &str, attacks: &[Box<dyn Attack + '_>], threat: Threat) -> Result<Judgement> {
        let speaker = Speaker::default();
        let mut subjects = self.subjects();
        let all = subjects.len();
        if self.deadline.is_some() {
            // Whatever is reached in time is then no first people or classes of a list.
            subjects.sort_by_key(|subject| random::key(0, &["time budget".into(), subject.id.into()]));
        }
        let (mut reached, memory) = (0, Arc::new(Memory::default()));
        loop {
            let resume = self.resume || reached > 0;
            reached = if self.deadline.is_some() { all.min(reached + ROUND) } else { all };
            let judgement = self.on_trial(threat, &|at| speaker.say(at), |trial| {
                // Between rounds, not within one: a picture goes through all or none.
                let trial = Trial { resume, deadline: None, ..*trial };
                let suite = Suite::new(self.oracle, &subjects[..reached], trial);
                let mut suite = suite.remembering(&memory);
                for attack in attacks {
                    if suite.standing().is_empty() {
                        break;
                    }
                    speaker.begin(attack.name());
                    suite.stage(attack.as_ref())?;
                }
                Ok(suite.finish(name, all - reached)?)
            })?;
            if reached == all || self.deadline.is_some_and(|end| Instant::now() >= end) {
                return Ok(judgement);
            }
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        Subject::of_split(&self.data.all, &self.data.chosen)
    }

    fn on_trial<T>(
        &self,
        threat: Threat,
        progress: &(dyn Fn(Progress) + Sync),
        work: impl FnOnce(&Trial<'_>) -> Result<T>,
    ) -> Result<T> {
        let detector = self.oracle.detector();
        work(&Trial {
            threat,
            threshold: detector.threshold(),
            threshold_from: Some(detector.threshold_source()),
            model: &self.model.info(detector),
            data: &self.data.name,
            split: self.data.split,
            out: Some(self.folder),
            resume: self.resume,
            deadline: self.deadline,
            tape: None,
            progress,
        })
    }
}

/// Says how far the attack in hand is; and once, what of an earlier run does not hold.
#[derive(Default)]
struct Speaker(Mutex<Option<(Task, Instant)>>, AtomicBool);

impl Speaker {
    /// From now on the attack in hand is `name`.
    fn begin(&self, name: &str) {
        let mut task = self.0.lock().expect("no holder panics");
        // The bar of the one before ends before the next begins.
        task.take();
        *task = Some((Task::new(name.to_owned()), Instant::now()));
        self.1.store(false, Ordering::Relaxed);
    }

    fn say(&self, at: Progress) {
        let task = self.0.lock().expect("no holder panics");
        let Some((task, start)) = task.as_ref() else { return };
        if at.changed > 0 && !self.1.swap(true, Ordering::Relaxed) {
            output::note(format!(
                "note: {} pictures have changed since, or are damaged: they are attacked anew",
                at.changed
            ));
        }
        let robust = (at.attacked - at.successes) as f64 / at.done.max(1) as f64;
        let spent = (at.queries - at.queries_before) as f64;
        let pace = spent / start.elapsed().as_secs_f64().max(1e-3);
        let remark = match at.done {
            0 => String::new(),
            _ => format!("robust accuracy {} so far, {pace:.0} queries/s", output::percent(robust)),
        };
        task.set(at.done, at.total, &remark);
    }
}
