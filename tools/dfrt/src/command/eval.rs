//! `dfrt eval`: clean metrics.

mod across;

use super::options::{options, use_threads};
use super::values::Names;
use crate::dataset;
use crate::model;
use crate::output::{self, Lines};
use crate::paths;
use crate::progress::Task;
use crate::threshold;
use anyhow::Result;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::evaluate;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::metrics::{Estimate, Metrics};
use dfrt_runtime::results::evaluation::scores_path;
use dfrt_runtime::results::evaluation::{Evaluation, Score};
use dfrt_runtime::sample::Split;
use std::path::{Path, PathBuf};

options! {
/// measure a model on clean pictures: accuracy, AUC, calibration, with 95 % intervals
#[argh(
    name = "eval",
    example = "{command_name} --model gr.onnx --data faces --out eval.json\n\
    {command_name} --model gr.onnx --data ffpp.csv --data celeb-df.csv --data dfdc.csv --out across.json",
    note = "Besides eval.json it writes scores.csv, the logit of every picture (besides NAME.json, \
    NAME-scores.csv). Intervals are bootstrapped over persons or videos. For pictures of one class \
    only there are accuracy, rates, log loss and calibration. Several --data give one table: \
    NAME.json holds `evaluations`, NAME.csv a line for each data set, its videos and its subsets."
)]
pub struct Eval {
    model,
    /// manifest or folder (default: the data set that the model names); several for a table
    /// of one model across data sets
    #[argh(option)]
    data: Vec<PathBuf>,
    split,
    /// subsets to measure on, a,b,…; if none of a class is named, all of it
    #[argh(option)]
    test_subsets: Vec<Names>,
    threshold, out_file, limit, threads, force, json, reading,
}
}

impl Eval {
    /// Evaluates the model; writes and prints the metrics.
    pub fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        if self.data.len() > 1 {
            return self.across();
        }
        if let Some(out) = &self.out {
            paths::check_file(out, self.force)?;
            paths::check_file(&scores_path(out), self.force)?;
        }
        let model = Model::find(&self.model)?;
        let mut oracle = TractOracle::new(model::load_as(&model, &self.reading())?);
        let metadata = oracle.detector().metadata();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        let data = self.data.first().map(PathBuf::as_path);
        let subsets = Names::all(&self.test_subsets);
        let data = dataset::open_subsets(data, metadata, split, &subsets, self.limit)?;
        model::check_classes(&model, oracle.detector(), &[&data.chosen])?;
        threshold::apply(&mut oracle, &model, self.threshold.as_ref(), &[&data.chosen])?;
        let (evaluation, scores) = evaluate(&model, &oracle, &data)?;
        if let Some(out) = &self.out {
            evaluation.write(out, &scores)?;
        }
        output::warn_skipped("unreadable pictures", &evaluation.skipped, self.out.as_deref());
        if self.fake_index.is_none() && classes_are_swapped(&evaluation) {
            output::note(
                "note: the AUC is below one half: if the file's classes are fake, real, pass --fake-index 0",
            );
        }
        if self.json {
            output::json(&evaluation)
        } else {
            output::print(table(&evaluation, self.out.as_deref()))
        }
    }
}

/// Whether the AUC shows that the guessed index of the fake class is wrong, for a file of another
/// program.
fn classes_are_swapped(evaluation: &Evaluation) -> bool {
    let guessed = evaluation.model.reading.as_ref().is_some_and(|reading| reading.fake_index == 1);
    guessed && evaluation.metrics.auc.is_some_and(|auc| auc.high < 0.5)
}

/// Evaluates `model`, loaded as `oracle`, on `data`.
///
/// # Errors
/// The model cannot be run, or no picture can be read.
pub fn evaluate(model: &Model, oracle: &TractOracle, data: &Chosen) -> Result<(Evaluation, Vec<Score>)> {
    let task = Task::new("evaluated");
    let progress = |done, total| task.set(done, total, "");
    Ok(evaluate::evaluate_chosen(oracle, &model.info(oracle.detector()), data, &progress)?)
}

fn table(evaluation: &Evaluation, out: Option<&Path>) -> String {
    let data = &evaluation.data;
    let mut text = format!(
        "{} on {} ({}): {} real, {} fake, threshold {:.4}{}\n",
        evaluation.model.path,
        data.path,
        data.split,
        data.n_real,
        data.n_fake,
        evaluation.threshold,
        evaluation.threshold_from.as_ref().map_or_else(String::new, |source| format!(" ({source})"))
    );
    let mut lines = Lines::default();
    let one_class = evaluation.undefined.is_some();
    for (name, estimate) in
        figures(&evaluation.metrics).into_iter().filter(|(_, it)| it.is_some() || !one_class)
    {
        lines.add(name, estimate.map_or_else(|| "undefined".to_owned(), |estimate| plain(&estimate)));
    }
    let rates = &evaluation.rates;
    for (name, rate) in
        [("reals called real", rates.true_negative_rate), ("fakes called fake", rates.true_positive_rate)]
    {
        if let Some(rate) = rate {
            lines.add(name, plain(&rate));
        }
    }
    for (subset, part) in evaluation.proper_subsets().filter(|_| !one_class) {
        let auc = part.metrics.auc.map_or_else(|| "undefined".to_owned(), |auc| plain(&auc));
        lines.add(format!("AUC of {subset}"), auc);
    }
    text.push_str(&lines.to_string());
    if let Some(reason) = &evaluation.undefined {
        text.push_str(&format!("\n{reason}"));
    }
    if let Some(out) = out {
        text.push_str(&format!("\nwritten to {} and {}", out.display(), scores_path(out).display()));
    }
    text
}

fn figures(metrics: &Metrics) -> [(&'static str, Option<Estimate>); 8] {
    [
        ("accuracy", metrics.accuracy),
        ("balanced accuracy", metrics.balanced_accuracy),
        ("AUC", metrics.auc),
        ("average precision", metrics.average_precision),
        ("equal error rate", metrics.eer),
        ("TPR at 1 % FPR", metrics.tpr_at_fpr_1),
        ("log loss", metrics.log_loss),
        ("calibration error", metrics.ece),
    ]
}

fn plain(estimate: &Estimate) -> String {
    format!("{:.3} ({:.3} to {:.3})", estimate.value, estimate.low, estimate.high)
}
