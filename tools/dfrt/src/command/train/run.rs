//! Running `dfrt train`.

use super::{Batch, RUN_FILES, Train};
use crate::command::options::{check_resume, check_unchanged};
use crate::conventions;
use crate::failure;
use crate::lock;
use crate::network;
use crate::output::{self, Lines};
use crate::paths;
use crate::training::{self, Watch};
use anyhow::{Result, bail};
use dfrt_runtime::results::run::Outcome;
use dfrt_runtime::results::run::files;
use dfrt_runtime::storage;
use dfrt_trainer::model::import::Source;
use dfrt_trainer::train::dataset;
use dfrt_trainer::train::run;
use dfrt_trainer::train::settings::Settings;
use std::path::Path;

impl Train {
    /// Trains the detector and writes the RUN.
    pub fn run(self) -> Result<()> {
        check_resume("train", self.resume, self.force)?;
        let _lock = lock::of(&self.out)?;
        let mut settings = if self.resume { self.resumed_settings()? } else { self.new_settings()? };
        if self.resume
            && let Some(outcome) = finished(&self.out)
        {
            output::note(format!("note: {} is finished already", self.out.display()));
            return self.print(&outcome);
        }
        settings.check().map_err(failure::usage)?;
        // Training reads these again. They are checked here before `--force` removes an earlier RUN.
        dataset::check(&settings)?;
        let engine = network::engine(self.device)?;
        if !self.resume {
            training::fit(&mut settings, self.batch == Some(Batch::Auto), &engine)?;
        }
        let mut watch = Watch::new(settings.total_epochs(), self.tensorboard.as_deref())?;
        if self.force {
            paths::remove(&self.out, &RUN_FILES)?;
        }
        paths::remove_partial_files(&self.out)?;
        // A run that was killed before its first checkpoint starts from the beginning.
        let resume = self.resume && self.out.join(files::LAST).exists();
        let outcome = run::train(&settings, &self.out, engine, resume, &mut watch)?;
        drop(watch);
        self.print(&outcome)
    }

    /// The settings of a new run.
    fn new_settings(&self) -> Result<Settings> {
        if !self.force && !paths::is_free(&self.out)? {
            bail!(
                "{}: exists already; pass --resume to continue it, --force to replace it, or choose another --out",
                self.out.display()
            );
        }
        let mut settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        self.apply(&mut settings)?;
        if settings.data.as_os_str().is_empty() {
            return Err(failure::usage("--data is missing; see `dfrt train --help`"));
        }
        if let Some(init) = settings.init.clone() {
            let source = Source::open(&init, &settings.checkpoint)?;
            conventions::resolve(&mut settings, &source)?;
        }
        Ok(settings)
    }

    /// The settings of the run to resume. Options and `--config` must not change them.
    fn resumed_settings(&self) -> Result<Settings> {
        let shown = self.out.display();
        let path = self.out.join(files::CONFIG);
        if !path.is_file() {
            bail!(
                "{shown}: holds no {}, so there is nothing to resume; start without --resume",
                files::CONFIG
            );
        }
        let settings = Settings::read(&path)?;
        let mut requested = match &self.config {
            Some(path) => Settings::read(path)?,
            None => settings.clone(),
        };
        self.apply(&mut requested)?;
        check_unchanged("run", &path, &settings, &requested)?;
        Ok(settings)
    }

    fn print(&self, outcome: &Outcome) -> Result<()> {
        let all = self.out.join(files::SUMMARY);
        output::warn_skipped("files", &outcome.skipped, Some(&all));
        if self.json {
            return output::json(outcome);
        }
        let auc = outcome.val_auc.map_or_else(|| "undefined".to_owned(), |auc| format!("{auc:.4}"));
        let early = if outcome.stopped_early { ", stopped early" } else { "" };
        let mut lines = Lines::default();
        lines.add("trained", format!("{} epochs, {} steps{early}", outcome.epochs, outcome.steps));
        lines.add("best epoch", format!("{}, validation AUC {auc}", outcome.best_epoch));
        lines.add("threshold", format!("{:.4}", outcome.threshold));
        lines.add("parameters", output::thousands(outcome.parameters as u64));
        lines.add("device", outcome.device.clone());
        lines.add("next", format!("dfrt attack --model {} --method square", self.out.display()));
        output::print(format!("{} ({}, {} px)\n{lines}", self.out.display(), outcome.arch, outcome.res))
    }
}

/// The outcome of a finished run; none if it is not finished.
fn finished(run: &Path) -> Option<Outcome> {
    let bytes = storage::read(&run.join(files::SUMMARY)).ok()?;
    serde_json::from_slice(&bytes).ok()
}
