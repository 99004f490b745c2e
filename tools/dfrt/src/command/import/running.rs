//! Running `dfrt import`.

use super::Import;
use crate::command::train::RUN_FILES;
use crate::conventions;
use crate::failure;
use crate::lock;
use crate::output::{self, Lines};
use crate::place;
use anyhow::{Result, bail};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::import::{Choices, Source};
use dfrt_trainer::train::adoption::{self, Adoption};
use dfrt_trainer::train::settings::Settings;

impl Import {
    /// Does it.
    pub fn run(self) -> Result<()> {
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(failure::usage("--threshold is no finite number; give a logit"));
        }
        let _lock = lock::of(&self.out)?;
        if !self.force && !place::is_free(&self.out)? {
            bail!(
                "{}: exists already; pass --force to replace it, or choose another --out",
                self.out.display()
            );
        }
        let mut choices = Choices::default();
        conventions::choose(
            &mut choices,
            Choices {
                key: self.key.clone(),
                prefix: self.prefix.clone(),
                head: self.head.clone(),
                fake_index: self.fake_index,
                new_head: self.new_head,
                leave_out: super::super::listed(&self.leave_out),
            },
        )?;
        let source = Source::open(&self.file, &choices)?;
        let mut settings = self.settings(&source, choices)?;
        conventions::settle(&mut settings, &source)?;
        settings.check().map_err(failure::usage)?;
        let imported = source.weights(&settings.graph()?, settings.seed)?;
        if self.force {
            place::clear(&self.out, &RUN_FILES)?;
        }
        place::sweep(&self.out)?;
        let adoption = adoption::adopt(&settings, &source, &imported, self.threshold, &self.out)?;
        if imported.head_name.is_none() {
            output::note("note: the last layer is fresh: train before you trust a logit");
        }
        self.tell(&adoption)
    }

    fn settings(&self, source: &Source, choices: Choices) -> Result<Settings> {
        let own = || source.stated.arch.or_else(|| source.recognise()).map(|found| found.name.to_owned());
        let Some(arch) = self.arch.clone().or_else(|| source.arch.clone()).or_else(own) else {
            bail!("{}: fits no architecture of dfrt; name one with --arch to learn why", self.file.display());
        };
        let asked = conventions::asked(
            &arch,
            self.family.as_deref(),
            self.padding.as_deref(),
            self.bn_eps,
            self.mean.map(|mean| mean.0),
            self.std.map(|std| std.0),
        );
        let told = source.metadata.as_ref().map(|metadata| metadata.res).or(source.stated.res);
        let own = Architecture::named(&arch)?.res;
        Ok(Settings {
            arch,
            res: self.res.or(told).unwrap_or(own),
            data: self.data.as_deref().map(place::absolute).transpose()?.unwrap_or_default(),
            init: Some(place::absolute(&self.file)?),
            checkpoint: choices,
            seed: self.seed,
            conventions: asked?,
            ..Settings::default()
        })
    }

    fn tell(&self, adoption: &Adoption) -> Result<()> {
        if self.json {
            return output::json(adoption);
        }
        let mut lines = Lines::default();
        lines.add("entries", format!("{} of {} ({})", adoption.found, adoption.entries, adoption.names));
        lines.add("parameters", output::thousands(adoption.parameters as u64));
        lines.add("threshold", format!("{:.4}", adoption.threshold));
        lines.add("next", format!("dfrt eval --model {} --data DATA", self.out.display()));
        output::say(format!("{} ({}, {} px)\n{lines}", self.out.display(), adoption.arch, adoption.res))
    }
}
