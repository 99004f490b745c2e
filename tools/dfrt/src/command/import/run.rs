//! Running `dfrt import`.

use super::Import;
use crate::command::train::RUN_FILES;
use crate::conventions;
use crate::failure;
use crate::lock;
use crate::output::{self, Lines};
use crate::paths;
use anyhow::{Result, bail};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::import::{Choices, Source};
use dfrt_trainer::train::adoption::{self, Adoption};
use dfrt_trainer::train::settings::Settings;

impl Import {
    /// Reads the weights and writes the RUN.
    pub fn run(self) -> Result<()> {
        let _lock = lock::of(&self.out)?;
        if !self.force && !paths::is_free(&self.out)? {
            bail!(
                "{}: exists already; pass --force to replace it, or choose another --out",
                self.out.display()
            );
        }
        let mut choices = Choices::default();
        conventions::merge_choices(&mut choices, self.choices())?;
        let source = Source::open(&self.file, &choices)?;
        let mut settings = self.settings(&source, choices)?;
        conventions::resolve(&mut settings, &source)?;
        settings.check().map_err(failure::usage)?;
        let imported = source.weights(&settings.graph()?, settings.seed)?;
        if self.force {
            paths::remove(&self.out, &RUN_FILES)?;
        }
        paths::remove_partial_files(&self.out)?;
        let adoption = adoption::adopt(&settings, &source, &imported, self.threshold, &self.out)?;
        if imported.head_name.is_none() {
            output::note("note: the last layer is new: train it before you use a logit");
        }
        self.print(&adoption)
    }

    fn settings(&self, source: &Source, choices: Choices) -> Result<Settings> {
        let from_file = || match &source.arch {
            Some(name) => Architecture::named(name).map(Some),
            None => Ok(source.stated.arch.or_else(|| source.recognise())),
        };
        let Some(arch) = self.arch.map_or_else(from_file, |arch| Ok(Some(arch)))? else {
            bail!(
                "{}: fits no architecture of dfrt; name one with --arch to see what differs",
                self.file.display()
            );
        };
        let stated = source.metadata.as_ref().map(|metadata| metadata.res).or(source.stated.res);
        Ok(Settings {
            arch: arch.name.to_owned(),
            res: self.res.or(stated).unwrap_or(arch.res),
            data: self.data.as_deref().map(paths::absolute).transpose()?.unwrap_or_default(),
            init: Some(paths::absolute(&self.file)?),
            checkpoint: choices,
            seed: self.seed,
            conventions: self.conventions(arch.name)?,
            ..Settings::default()
        })
    }

    fn print(&self, adoption: &Adoption) -> Result<()> {
        if self.json {
            return output::json(adoption);
        }
        let mut lines = Lines::default();
        lines.add("entries", format!("{} of {} ({})", adoption.found, adoption.entries, adoption.names));
        lines.add("parameters", output::thousands(adoption.parameters as u64));
        lines.add("threshold", format!("{:.4}", adoption.threshold));
        lines.add("next", format!("dfrt eval --model {} --data DATA", self.out.display()));
        output::print(format!("{} ({}, {} px)\n{lines}", self.out.display(), adoption.arch, adoption.res))
    }
}
