//! Running `dfrt explain`.

use super::Explain;
use super::models::{self, Named};
use crate::command::options::use_threads;
use crate::dataset;
use crate::progress::Stages;
use crate::{failure, lock, network, output, paths};
use anyhow::{Result, bail};
use dfrt_runtime::data::picture;
use dfrt_runtime::report::explanation::images;
use dfrt_runtime::results::explanation::{FILE, IMAGES, TABLE, TEXT};
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;
use dfrt_runtime::threat::Norm;
use dfrt_trainer::explain::{self, ExplainError, Explained, LIMIT, Options};
use serde_json::json;
use std::path::{Path, PathBuf};

impl Explain {
    /// Explains the models; writes and prints the sentences.
    pub fn run(self) -> Result<()> {
        let options = self.options()?;
        use_threads(self.threads)?;
        if let Some(image) = &self.image {
            self.check_alone()?;
            return self.show(image, &options);
        }
        dataset::check_limit(self.limit)?;
        let models = models::named(&self.model)?;
        let out = self.out.clone().unwrap_or_else(|| default_folder(&models));
        let _lock = lock::of(&out)?;
        let own = [FILE, TEXT, TABLE, IMAGES];
        if !self.force && !paths::is_free(&out)? && own.iter().any(|name| out.join(name).exists()) {
            bail!(
                "{}: holds an explanation already; choose another --out, or replace it with --force",
                out.display()
            );
        }
        let (subjects, metadata) = models::load(&models, &network::engine(self.device)?)?;
        explain::check(&subjects, &options).map_err(usage)?;
        let metadata = metadata.as_ref();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        let limit = Some(self.limit.unwrap_or(LIMIT));
        let data = dataset::open_subsets(self.data.as_deref(), metadata, split, &[], limit)?;
        let shown = Stages::default();
        let progress = |what: &str, done, total| shown.set(what, done, total, "");
        let found = explain::explain(&subjects, &data, &options, &progress)?;
        drop(shown);
        if self.force {
            paths::remove(&out, &own)?;
        }
        found.write(&out)?;
        output::warn_skipped("unreadable pictures", &found.explanation.skipped, Some(&out.join(FILE)));
        match self.json {
            true => output::json(&found.explanation),
            false => output::print(text(&found, &out)),
        }
    }

    /// The options of the measurement.
    fn options(&self) -> Result<Options> {
        let mut options = Options { seed: self.seed, ..Options::default() };
        match self.eps.0[..] {
            [] => {}
            [radius] => options.eps_255 = radius.threat(Norm::Linf)?.eps_255,
            _ => return Err(failure::usage("--eps: explain shows one attack; give one radius")),
        }
        if let Some(taps) = &self.taps {
            options.taps = taps.0.clone();
        }
        options.shown = self.pictures.unwrap_or(options.shown);
        options.batch = self.batch.unwrap_or(options.batch);
        Ok(options)
    }

    /// Checks that `--image` comes without options on a data set.
    fn check_alone(&self) -> Result<()> {
        let given = [
            ("--data", self.data.is_some()),
            ("--split", self.split.is_some()),
            ("--limit", self.limit.is_some()),
            ("--pictures", self.pictures.is_some()),
            ("--taps", self.taps.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(failure::usage(format!("--image and {option} exclude each other"))),
            None => Ok(()),
        }
    }

    /// Shows one picture of unknown class under every model.
    fn show(&self, image: &Path, options: &Options) -> Result<()> {
        let models = models::named(&self.model)?;
        let stem = image.file_stem().unwrap_or_default().to_string_lossy();
        let out = self.out.clone().unwrap_or_else(|| format!("{stem}-explain.png").into());
        if out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
            return Err(failure::usage(format!(
                "--out {}: with --image the result is a picture; give a name that ends with .png",
                out.display()
            )));
        }
        paths::check_file(&out, self.force)?;
        let (subjects, _) = models::load(&models, &network::engine(self.device)?)?;
        explain::check(&subjects, options).map_err(usage)?;
        let pixels = picture::load(image, subjects[0].network.graph.res)?;
        let views = explain::show(&subjects, &pixels, options)?;
        storage::write(&out, &images::sheet(&views)?)?;
        let line = |view: &images::View| {
            let [before, after] = view.logits;
            json!({
                "name": view.model,
                "threshold": view.threshold,
                "called": view.called(before).name(),
                "logit": before,
                "attacked_called": view.called(after).name(),
                "attacked_logit": after,
            })
        };
        if self.json {
            let models: Vec<_> = views.iter().map(line).collect();
            let image = image.display().to_string();
            return output::json(&json!({ "image": image, "eps_255": options.eps_255, "models": models }));
        }
        let mut lines = output::Lines::default();
        for view in &views {
            let [before, after] = view.logits;
            let says = |logit: f64| format!("{} ({logit:.2})", view.called(logit));
            lines.add(
                &view.model,
                format!("{}, after PGD at {}/255 {}", says(before), options.eps_255, says(after)),
            );
        }
        output::print(format!("{}: called\n{lines}\nwritten to {}", image.display(), out.display()))
    }
}

/// What the options asked for and no network can be wrong usage.
fn usage(error: ExplainError) -> anyhow::Error {
    match error {
        ExplainError::Taps { .. } | ExplainError::Name(_) | ExplainError::Resolutions { .. } => {
            failure::usage(error)
        }
        other => other.into(),
    }
}

/// The default folder: the names of the arms, and `explain`.
fn default_folder(models: &[Named]) -> PathBuf {
    let mut names: Vec<&str> = models.iter().map(|model| model.arm.as_str()).collect();
    names.dedup();
    format!("{}-explain", names.join("-")).into()
}

fn text(found: &Explained, out: &Path) -> String {
    let sentences = found.explanation.sentences.iter().map(|sentence| {
        let mark = match (sentence.arm.is_empty(), sentence.supported) {
            (true, _) => "",
            (false, true) => "supported: ",
            (false, false) => "not supported: ",
        };
        format!("{mark}{}", sentence.text)
    });
    format!("{}\nwritten to {}", sentences.collect::<Vec<_>>().join("\n"), out.display())
}
