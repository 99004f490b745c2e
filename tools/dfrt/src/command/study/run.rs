//! Running `dfrt study`.

use super::Study;
use super::watch::Watch;
use super::{plan, table};
use crate::command::attack::Radius;
use crate::command::options::{check_resume, set};
use crate::command::values::{List, Names, Numbers};
use crate::dataset;
use crate::lock;
use crate::{conventions, failure, network, output, paths, training};
use anyhow::{Result, bail};
use dfrt_runtime::results::study::CONFIG;
use dfrt_runtime::sample::Split;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::model::conventions::Conventions;
use dfrt_trainer::model::import::{Choices, Source};
use dfrt_trainer::study;
use dfrt_trainer::study::preset::Preset;
use dfrt_trainer::study::settings::StudySettings;
use std::path::{Path, PathBuf};

impl Study {
    /// Runs or resumes the study; writes and prints its report.
    pub fn run(self) -> Result<()> {
        check_resume("study", self.resume, self.force)?;
        let mut settings = self.settings()?;
        settings.check().map_err(|error| failure::usage(format!("{error:#}")))?;
        let _lock = lock::of(&self.out)?;
        // A job of a planned study is one of several calls for the same folder.
        let begun = self.resume || self.plan || self.status || self.job.is_some();
        if !begun && !self.force && !paths::is_free(&self.out)? {
            bail!(
                "{}: exists already; pass --resume to continue it, --force to replace it, or choose another --out",
                self.out.display()
            );
        }
        let engine = network::engine(self.device)?;
        fit(&mut settings, &engine)?;
        let test = dataset::open(Some(&settings.train.data), None, Split::Test, settings.train.limit)?;
        let of_test = |path: &PathBuf| dataset::open(Some(path), None, Split::Test, settings.train.limit);
        let cross = settings.cross_data.iter().map(of_test).collect::<Result<_>>()?;
        let study = study::Study::open(&settings, &self.out, engine, test, cross)?;
        if self.force {
            let arms = study::run_folders(&settings);
            let own: Vec<&str> = study::OWN.into_iter().chain(arms.iter().map(String::as_str)).collect();
            paths::remove(&self.out, &own)?;
        }
        if self.plan || self.status {
            return self.print_plan(&study);
        }
        let mut watch = Watch::new(self.tensorboard.clone());
        if let Some(number) = self.job {
            let job = study.run_job(number, &mut watch)?;
            return output::print(format!("{number}. {job}: {}", job.result(&self.out).display()));
        }
        let (report, written) = study.run(&mut watch)?;
        output::warn_skipped("parts of the report", &written.missing, None);
        if self.json {
            return output::json(&report);
        }
        settings.preset.and_then(Preset::note).into_iter().for_each(output::note);
        output::print(table::table(&report))?;
        output::print(format!("report: {}", self.out.join("report.html").display()))
    }

    /// The settings of `--config`, of the earlier study with `--resume`, or the defaults, changed by
    /// the options.
    fn settings(&self) -> Result<StudySettings> {
        let earlier = self.out.join(CONFIG);
        let mut settings = match &self.config {
            Some(_) if self.preset.is_some() => {
                return Err(failure::usage(
                    "--preset and --config exclude each other: both say what to start from",
                ));
            }
            Some(path) => StudySettings::read(path)?,
            None if self.preset.is_some() => self.preset.map(Preset::settings).unwrap_or_default(),
            None if !self.force && earlier.exists() => StudySettings::read(&earlier)?,
            None => StudySettings::default(),
        };
        self.apply(&mut settings)?;
        self.check_units(&settings)?;
        if settings.train.data.as_os_str().is_empty() {
            return Err(failure::usage("--data is missing; see `dfrt study --help`"));
        }
        if let Some(init) = settings.train.init.clone() {
            let source = Source::open(&init, &settings.train.checkpoint)?;
            conventions::resolve(&mut settings.train, &source)?;
        }
        if earlier.exists() && !self.force {
            let begun_with = StudySettings::read(&earlier)?;
            // The part of the batch that fitted the device then is kept.
            settings.train.micro_batch = settings.train.micro_batch.or(begun_with.train.micro_batch);
        }
        Ok(settings)
    }

    /// Writes the plan, and prints one line for each unit of work.
    fn print_plan(&self, study: &study::Study<'_>) -> Result<()> {
        let jobs = study.write_plan()?;
        let estimate = if self.plan { study.estimate()? } else { study.status()? };
        if self.json {
            let list: Vec<_> =
                jobs.iter().zip(&estimate.jobs).map(|(job, planned)| plan::entry(job, planned)).collect();
            return output::json(&list);
        }
        output::print(plan::table(&jobs, &estimate))
    }

    /// Checks the units of the radii in the options or in the file of `--config`. Those of an
    /// earlier study were checked when it began.
    fn check_units(&self, settings: &StudySettings) -> Result<()> {
        let radii: Vec<Radius> = match (&self.eps, &self.config) {
            (Some(List(radii)), _) => radii.clone(),
            (None, Some(_)) => settings.eps.iter().copied().map(Radius::Number).collect(),
            (None, None) => Vec::new(),
        };
        radii.iter().try_for_each(|radius| radius.check_unit(settings.norm, settings.train.res))
    }

    /// Changes `settings` by the options.
    fn apply(&self, settings: &mut StudySettings) -> Result<()> {
        if let Some(List(arms)) = &self.arms {
            settings.arms.clone_from(arms);
        }
        if let Some(Numbers(seeds)) = &self.seeds {
            settings.seeds.clone_from(seeds);
        }
        if let Some(List(attacks)) = &self.attacks {
            settings.attacks.clone_from(attacks);
        }
        set(&mut settings.norm, &self.norm);
        if let Some(List(radii)) = &self.eps {
            for radius in radii {
                radius.threat(settings.norm)?;
            }
            settings.eps = radii.iter().map(|radius| radius.number(settings.norm)).collect();
        }
        set(&mut settings.steps, &self.steps);
        set(&mut settings.restarts, &self.restarts);
        set(&mut settings.queries, &self.queries);
        set(&mut settings.attack_limit, &self.attack_limit);
        set(&mut settings.explain, &self.explain);
        settings.corruptions |= self.corruptions;
        let named = Names::all(&self.cross_data);
        if !named.is_empty() {
            settings.cross_data =
                named.iter().map(|path| paths::absolute(Path::new(path))).collect::<Result<_>>()?;
        }
        let selection = &mut settings.train.selection;
        selection.by = self.select.or(selection.by);
        selection.eps = self.robust_eps.or(selection.eps);
        set(&mut selection.pictures, &self.robust_pictures);
        set(&mut settings.gr.taps, &self.taps.as_ref().map(|taps| taps.0.clone()));
        set(&mut settings.gr.radius, &self.r);
        set(&mut settings.gr.alpha, &self.alpha);
        let train = &mut settings.train;
        if let Some(data) = &self.data {
            train.data = paths::absolute(data)?;
        }
        if let Some(init) = &self.init {
            train.init = Some(paths::absolute(init)?);
        }
        if let Some(arch) = self.arch {
            arch.name.clone_into(&mut train.arch);
            if self.config.is_none() && self.preset.is_none() && !self.resume {
                train.res = arch.res;
            }
        }
        let choices = Choices {
            key: self.key.clone(),
            prefix: self.prefix.clone(),
            new_head: self.new_head,
            ..Choices::default()
        };
        if train.init.is_none() && choices != Choices::default() {
            return Err(failure::usage("--key, --prefix and --new-head need --init, which is missing"));
        }
        conventions::merge_choices(&mut train.checkpoint, choices)?;
        let given = conventions::from_options(&train.arch, self.family, Conventions::default())?;
        train.conventions = given.or(train.conventions);
        set(&mut train.res, &self.res);
        set(&mut train.epochs, &self.epochs);
        set(&mut train.batch, &self.batch);
        set(&mut train.lr, &self.lr);
        train.limit = self.limit.or(train.limit);
        train.masks &= !self.no_masks;
        settings.set_default_eps();
        Ok(())
    }
}

/// Sets the largest part of a batch that fits the device in every arm: the same for all arms.
fn fit(settings: &mut StudySettings, engine: &Engine) -> Result<()> {
    for arm in settings.arms.clone() {
        let mut training = settings.training(&arm, 0);
        training::fit(&mut training, false, engine)?;
        let smaller = [settings.train.micro_batch, training.micro_batch].into_iter().flatten().min();
        settings.train.micro_batch = smaller;
    }
    Ok(())
}
