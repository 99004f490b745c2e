//! `dfrt eval` on several data sets: one model, one threshold, one table.

use super::{Eval, plain};
use crate::command::values::Names;
use crate::dataset;
use crate::failure;
use crate::model;
use crate::output;
use crate::paths;
use crate::threshold;
use anyhow::Result;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::metrics::{Estimate, Metrics};
use dfrt_runtime::report::tables;
use dfrt_runtime::results::evaluation::{CrossEvaluation, Evaluation, write_scores};
use dfrt_runtime::results::json;
use dfrt_runtime::sample::{Sample, Split};
use dfrt_runtime::storage;
use std::path::{Path, PathBuf};

impl Eval {
    /// Measures the model on every data set.
    pub(super) fn across(&self) -> Result<()> {
        if let Some(out) = &self.out {
            self.check_out(out)?;
        }
        let model = Model::find(&self.model)?;
        let mut oracle = TractOracle::new(model::load_as(&model, &self.reading())?);
        let metadata = oracle.detector().metadata();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        // All are opened first, so that an error in the last one is found before hours of work.
        let subsets = Names::all(&self.test_subsets);
        let open = |path: &PathBuf| dataset::open_subsets(Some(path), None, split, &subsets, self.limit);
        let data = self.data.iter().map(open).collect::<Result<Vec<_>>>()?;
        let measured: Vec<&[Sample]> = data.iter().map(|data| &data.chosen[..]).collect();
        model::check_classes(&model, oracle.detector(), &measured)?;
        threshold::apply(&mut oracle, &model, self.threshold.as_ref(), &measured)?;
        let mut evaluations = Vec::with_capacity(data.len());
        for (index, data) in data.iter().enumerate() {
            output::note(format!("== {}", data.name));
            let (evaluation, scores) = super::evaluate(&model, &oracle, data)?;
            if let Some(out) = &self.out {
                write_scores(&scores_path(out, index), &scores)?;
            }
            output::warn_skipped("unreadable pictures", &evaluation.skipped, self.out.as_deref());
            evaluations.push(evaluation);
        }
        let detector = oracle.detector();
        let cross = CrossEvaluation {
            model: model.info(detector),
            threshold: detector.threshold(),
            threshold_from: Some(detector.threshold_source().clone()),
            evaluations,
        };
        if let Some(out) = &self.out {
            storage::write(&table_path(out), &tables::across(&cross))?;
            json::write(out, &cross)?;
        }
        if self.json { output::json(&cross) } else { output::print(self.table(&cross)) }
    }

    /// Checks that all output files may be written.
    fn check_out(&self, out: &Path) -> Result<()> {
        if table_path(out) == out {
            return Err(failure::usage(format!(
                "{}: the result is JSON, and a table is written next to it as .csv; name it .json",
                out.display()
            )));
        }
        let scores = (0..self.data.len()).map(|index| scores_path(out, index));
        scores
            .chain([out.to_owned(), table_path(out)])
            .try_for_each(|path| paths::check_file(&path, self.force))
    }

    fn table(&self, cross: &CrossEvaluation) -> String {
        let mut rows = vec![
            ["data", "part", "real", "fake", "AUC", "AUC of videos", "balanced accuracy"].map(str::to_owned),
        ];
        cross.evaluations.iter().for_each(|evaluation| rows.extend(lines(evaluation)));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        let mut text = format!("{}, threshold {:.4}\n", cross.model.path, cross.threshold);
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text.push_str("in brackets: 95 % intervals over persons or videos");
        if let Some(source) = &cross.threshold_from {
            text.push_str(&format!("; the threshold is {source}"));
        }
        if let Some(out) = &self.out {
            text.push_str(&format!("\nwritten to {} and {}", out.display(), table_path(out).display()));
        }
        text
    }
}

/// NAME.csv next to NAME.json.
fn table_path(out: &Path) -> PathBuf {
    out.with_extension("csv")
}

/// NAME-1-scores.csv, … next to NAME.json, in the order of the data sets.
fn scores_path(out: &Path, index: usize) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{}-scores.csv", index + 1))
}

/// The rows of a data set: all of it, and each of its subsets.
fn lines(evaluation: &Evaluation) -> Vec<[String; 7]> {
    let line = |part: &str, [real, fake]: [usize; 2], metrics: &Metrics, videos: Option<Estimate>| {
        let cell =
            |estimate: Option<Estimate>| estimate.map_or_else(|| "undefined".to_owned(), |one| plain(&one));
        let videos = if part == "all" { cell(videos) } else { String::new() };
        let data = if part == "all" { evaluation.data.path.clone() } else { String::new() };
        let (auc, accuracy) = (cell(metrics.auc), cell(metrics.balanced_accuracy));
        [data, part.to_owned(), real.to_string(), fake.to_string(), auc, videos, accuracy]
    };
    let counts = [evaluation.data.n_real, evaluation.data.n_fake];
    let mut lines = vec![line("all", counts, &evaluation.metrics, evaluation.by_group.metrics.auc)];
    let subsets = evaluation.proper_subsets();
    lines.extend(subsets.map(|(name, part)| line(name, [part.n_real, part.n_fake], &part.metrics, None)));
    lines
}
