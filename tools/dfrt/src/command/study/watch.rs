//! Progress of a study, on standard error.

use crate::command::attack::AttackProgress;
use crate::progress::{Stages, Task};
use crate::{lock, output, training};
use dfrt_runtime::attack::trial::Progress;
use dfrt_trainer::study::Observer;
use dfrt_trainer::train::run;
use dfrt_trainer::train::tensorboard::Unwritable;
use std::path::{Path, PathBuf};

/// Shows the progress of a study.
pub struct Watch {
    evaluated: Option<Task>,
    attacked: AttackProgress,
    /// Of the audit and the explanations.
    stages: Stages,
    tensorboard: Option<PathBuf>,
}

impl Watch {
    /// With a folder below `tensorboard`, named as that of its RUN, for the event files of each training.
    pub fn new(tensorboard: Option<PathBuf>) -> Self {
        let (attacked, stages) = (AttackProgress::default(), Stages::default());
        Self { evaluated: None, attacked, stages, tensorboard }
    }
}

impl Observer for Watch {
    fn arm(&mut self, name: &str, seed: u64) {
        self.stages = Stages::default();
        output::note(format!("== {name}, seed {seed}"));
    }

    fn training(&mut self, run: &str, epochs: usize) -> Result<Box<dyn run::Observer + '_>, Unwritable> {
        let events = self.tensorboard.as_ref().map(|folder| folder.join(run));
        Ok(Box::new(training::Watch::new(epochs, events.as_deref())?))
    }

    fn trained(&mut self, skipped: &[String], summary: &Path) {
        output::warn_skipped("files", skipped, Some(summary));
    }

    fn evaluated(&mut self, done: usize, total: usize) {
        self.stages = Stages::default();
        self.evaluated.get_or_insert_with(|| Task::new("evaluated")).set(done, total, "");
        if done == total {
            self.evaluated = None;
        }
    }

    fn attack(&mut self, name: &str) {
        self.stages = Stages::default();
        output::note(format!("-- {name}"));
        self.attacked = AttackProgress::default();
    }

    fn audited(&self, done: usize, total: usize) {
        self.stages.set("audited", done, total, "");
    }

    fn explained(&mut self, what: &str, done: usize, total: usize) {
        self.stages.set(what, done, total, "");
    }

    fn lock_taken_over(&mut self, out: &Path, holder: &str) {
        lock::note_taken_over(out, holder);
    }

    fn attacked(&self, name: &str, at: Progress) {
        self.attacked.set(name, at);
    }
}
