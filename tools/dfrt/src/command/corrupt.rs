//! `dfrt corrupt`: a detector on pictures with common corruptions (JPEG, noise, blur, …).

use super::options::{options, use_threads};
use super::values::List;
use crate::dataset;
use crate::lock;
use crate::model;
use crate::output::{self, Lines};
use crate::paths;
use crate::progress::Task;
use crate::threshold;
use anyhow::{Result, bail};
use dfrt_runtime::data::corruption::Corruption;
use dfrt_runtime::data::picture;
use dfrt_runtime::detector::corrupted;
use dfrt_runtime::detector::evaluate::Subject;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::metrics::Estimate;
use dfrt_runtime::report;
use dfrt_runtime::results::corruption::Corrupted;
use dfrt_runtime::sample::Split;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

options! {
/// measure a model on corrupted pictures: jpeg, noise, blur, pixelate, contrast, resize,
/// five levels each
#[argh(
    name = "corrupt",
    example = "{command_name} --model gr.onnx --data faces\n\
    {command_name} --model gr.onnx --only jpeg,resize --limit 400 --json",
    note = "Corruptions are applied to the picture that the detector sees, after cropping and resizing. The folder holds \
    corrupt.json, corrupt.csv and plots. Intervals are bootstrapped over persons or videos."
)]
pub struct Corrupt {
    model,
    /// manifest or folder (default: the data set that the model names)
    #[argh(option)]
    data: Option<PathBuf>,
    split, threshold,
    /// corruptions, a list of jpeg, gaussian-noise, gaussian-blur, pixelate, contrast, resize
    /// (default: all)
    #[argh(option)]
    only: Option<List<Corruption>>,
    limit, seed,
    /// folder for the results (default MODEL-corrupt)
    #[argh(option)]
    out: Option<PathBuf>,
    force, threads, json, reading,
}
}

/// The files and folders that it writes.
const RESULT_FILES: [&str; 3] = ["corrupt.json", "corrupt.csv", "plots"];

impl Corrupt {
    /// Measures the model on corrupted pictures; writes and prints the results.
    pub fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let model = Model::find(&self.model)?;
        let out = self.out.clone().unwrap_or_else(|| format!("{}-corrupt", model.stem()).into());
        let _lock = lock::of(&out)?;
        if !self.force && !paths::is_free(&out)? && RESULT_FILES.iter().any(|name| out.join(name).exists()) {
            bail!(
                "{}: holds results already; choose another --out, or replace them with --force",
                out.display()
            );
        }
        let mut oracle = TractOracle::new(model::load_as(&model, &self.reading())?);
        let metadata = oracle.detector().metadata();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        let data = dataset::open_subsets(self.data.as_deref(), metadata, split, &[], self.limit)?;
        model::check_classes(&model, oracle.detector(), &[&data.chosen])?;
        threshold::apply(&mut oracle, &model, self.threshold.as_ref(), &[&data.chosen])?;
        let detector = oracle.detector();
        let info = model.info(detector);
        let subject = Subject {
            model: &info,
            data: &data.name,
            split,
            threshold: detector.threshold(),
            threshold_from: Some(detector.threshold_source()),
            seed: self.seed,
        };
        let mut kinds = self.only.as_ref().map_or_else(|| Corruption::ALL.to_vec(), |only| only.0.clone());
        // Without repetition, in the order of the user.
        let mut named = HashSet::new();
        kinds.retain(|kind| named.insert(kind.name()));
        let task = Task::new("corrupted");
        let progress = |done, total| task.set(done, total, "");
        let found = corrupted::measure(&oracle, &data.with_ids(), &subject, &kinds, &progress)?;
        drop(task);
        if self.force {
            paths::remove(&out, &RESULT_FILES)?;
        }
        let example = data.chosen.iter().find_map(|sample| picture::load(&sample.path, info.res).ok());
        report::corrupted::write(&out, &found, example.as_ref())?;
        output::warn_skipped("unreadable pictures", &found.skipped, Some(&out.join("corrupt.json")));
        if self.json { output::json(&found) } else { output::print(table(&found, &out)) }
    }
}

/// Accuracy and AUC by level.
fn table(found: &Corrupted, out: &Path) -> String {
    let data = &found.data;
    let mut lines = Lines::default();
    let mut add = |name: &str, accuracy: Vec<Option<Estimate>>, auc: Vec<Option<Estimate>>| {
        lines.add(format!("{name}: accuracy"), row(&accuracy, output::percent));
        if found.undefined.is_none() {
            lines.add(format!("{name}: AUC"), row(&auc, |value| format!("{value:.3}")));
        }
    };
    add("clean", vec![found.clean.accuracy], vec![found.clean.auc]);
    for kind in &found.corruptions {
        let metrics = || kind.levels.iter().map(|level| &level.metrics);
        add(
            kind.name.name(),
            metrics().map(|metrics| metrics.accuracy).collect(),
            metrics().map(|metrics| metrics.auc).collect(),
        );
    }
    let undefined = found.undefined.as_ref().map_or_else(String::new, |reason| format!("\n{reason}"));
    let source = found.threshold_from.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
    format!(
        "{} on {} ({}): {} real, {} fake, threshold {:.4}{source}; levels 1 to 5, intervals in corrupt.json\n{lines}{undefined}\n\
        written to {}",
        found.model.path,
        data.path,
        data.split,
        data.n_real,
        data.n_fake,
        found.threshold,
        out.display()
    )
}

fn row(estimates: &[Option<Estimate>], format: impl Fn(f64) -> String) -> String {
    let text = |one: &Option<Estimate>| one.map_or_else(|| "undefined".to_owned(), |one| format(one.value));
    estimates.iter().map(text).collect::<Vec<_>>().join("  ")
}
