//! A clean evaluation: the object of eval.json, and scores.csv, which has the logit of every
//! picture, as paired statistics need.

use super::{ResultError, json, table};
use crate::metrics::{Estimate, Metrics};
use crate::reading::Reading;
use crate::sample::{Label, Sample, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The usual name of the evaluation's file.
pub const FILE: &str = "eval.json";

/// Which model was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelInfo {
    /// The file or RUN as the user named it.
    pub path: String,
    /// SHA-256 of the model's file.
    pub sha256: String,
    /// `efficientnet-b0`, …; "unknown" for a foreign file.
    pub arch: String,
    /// Side of its input in pixels.
    pub res: usize,
    /// How a foreign file was read, so that it can be read so again; none for a file
    /// that dfrt exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// Which data it was evaluated on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataInfo {
    /// The folder or manifest as the user named it.
    pub path: String,
    /// "train", "val" or "test".
    pub split: String,
    /// Real pictures scored.
    pub n_real: usize,
    /// Fake pictures scored.
    pub n_fake: usize,
}

/// Metrics of a part of the data, with its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartMetrics {
    /// Real pictures (of the whole split where the part has fakes only).
    pub n_real: usize,
    /// Fake pictures (of the whole split where the part has reals only).
    pub n_fake: usize,
    /// Its metrics.
    pub metrics: Metrics,
}

/// The object of eval.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluation {
    /// The model.
    pub model: ModelInfo,
    /// The data.
    pub data: DataInfo,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where that came from; unknown in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_from: Option<ThresholdSource>,
    /// Per picture.
    pub metrics: Metrics,
    /// Per picture and class.
    // Files from before 2026-11-28 lack it.
    #[serde(default)]
    pub rates: Rates,
    /// Why figures are null, where there are pictures of one class alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// Per subset; a subset of one class is joined by the whole other class.
    pub by_subset: BTreeMap<String, PartMetrics>,
    /// Scores averaged over a video or person and class first.
    pub by_group: PartMetrics,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
}

impl Evaluation {
    /// The subsets that are not the whole again: a subset of one class is joined by the whole
    /// other class, and where there is one of each class, both are everything.
    pub fn proper_subsets(&self) -> impl Iterator<Item = (&String, &PartMetrics)> {
        let whole = (self.data.n_real, self.data.n_fake);
        self.by_subset.iter().filter(move |(_, part)| (part.n_real, part.n_fake) != whole)
    }
}

/// One model on several data sets: the object that `dfrt eval` with several of them gives.
/// The model and its threshold are the same everywhere, as nothing is fitted to a test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossEvaluation {
    /// The model.
    pub model: ModelInfo,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where that came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_from: Option<ThresholdSource>,
    /// One a data set, in the order asked for.
    pub evaluations: Vec<Evaluation>,
}

/// Shares of each class called rightly at the threshold; none of a class without pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// Of the fakes, the share called fake.
    pub true_positive_rate: Option<Estimate>,
    /// Of the real pictures, the share called real.
    pub true_negative_rate: Option<Estimate>,
}

/// Where a threshold came from: the object `threshold_from` of results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum ThresholdSource {
    /// The model's file names it.
    Model,
    /// Nobody named one: logit 0, probability one half.
    Default,
    /// The user named it.
    Given {
        /// As it was written: `0.7`, `p:0.6`.
        #[serde(rename = "as")]
        text: String,
    },
    /// The one of highest balanced accuracy on validation pictures.
    Validation {
        /// The data set as the user named it.
        data: String,
        /// Its part: `val`.
        split: String,
        /// Real pictures scored.
        n_real: usize,
        /// Fake pictures scored.
        n_fake: usize,
        /// The balanced accuracy there.
        balanced_accuracy: f64,
    },
}

impl std::fmt::Display for ThresholdSource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model => out.write_str("the model's"),
            Self::Default => out.write_str("the default, the model names none"),
            Self::Given { text } => write!(out, "--threshold {text}"),
            Self::Validation { data, split, n_real, n_fake, balanced_accuracy } => write!(
                out,
                "chosen on {data} ({split}: {n_real} real, {n_fake} fake), balanced accuracy there {:.1} %",
                100.0 * balanced_accuracy
            ),
        }
    }
}

/// The logit of one picture: a line of scores.csv.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Line", into = "Line")]
pub struct Score {
    /// The picture's place in the manifest's split.
    pub id: u64,
    /// The picture; whom it shows is not kept.
    pub sample: Sample,
    /// What the model said; positive for fake.
    pub logit: f32,
}

/// The columns of scores.csv.
#[derive(Serialize, Deserialize)]
struct Line {
    // Files from before 2026-11-28 lack it.
    #[serde(default)]
    id: u64,
    path: String,
    label: Label,
    subset: String,
    group: String,
    split: Split,
    logit: f32,
}

impl From<Line> for Score {
    fn from(line: Line) -> Self {
        let sample = Sample::new(line.path, line.label, line.subset, line.group, line.split);
        Self { id: line.id, sample, logit: line.logit }
    }
}

impl From<Score> for Line {
    fn from(Score { id, sample, logit }: Score) -> Self {
        let path = sample.path.to_string_lossy().into_owned();
        let Sample { label, subset, group, split, .. } = sample;
        Self { id, path, label, subset, group, split, logit }
    }
}

impl Evaluation {
    /// Writes the evaluation to `path` and its `scores` beside it ([`scores_path`]).
    ///
    /// # Errors
    /// A file cannot be written; an earlier one stays.
    pub fn write(&self, path: &Path, scores: &[Score]) -> Result<(), ResultError> {
        write_scores(&scores_path(path), scores)?;
        json::write(path, self)
    }
}

/// Where the scores of the evaluation at `path` are: scores.csv beside eval.json,
/// NAME-scores.csv beside another NAME.json.
pub fn scores_path(path: &Path) -> PathBuf {
    match path.file_stem().and_then(std::ffi::OsStr::to_str) {
        None | Some("eval") => path.with_file_name("scores.csv"),
        Some(stem) => path.with_file_name(format!("{stem}-scores.csv")),
    }
}

/// Writes scores.csv: `id,path,label,subset,group,split,logit`.
///
/// # Errors
/// The file cannot be written.
pub fn write_scores(path: &Path, scores: &[Score]) -> Result<(), ResultError> {
    table::write(path, scores)
}

/// Reads scores.csv.
///
/// # Errors
/// It is missing or a line is no score.
pub fn read_scores(path: &Path) -> Result<Vec<Score>, ResultError> {
    table::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_back_and_a_wrong_cell_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = scores_path(&folder.path().join(FILE));
        let sample = Sample::new("a, b.png", Label::Fake, "s", "g", Split::Test);
        let scores = [Score { id: 7, sample, logit: 0.1 + 0.2 }];
        write_scores(&path, &scores).unwrap();
        assert_eq!(read_scores(&path).unwrap(), scores);
        // As versions before there were ids wrote them.
        std::fs::write(&path, "path,label,subset,group,split,logit\na.png,fake,s,g,test,-1.5\n").unwrap();
        assert_eq!(read_scores(&path).unwrap()[0].logit, -1.5);
        std::fs::write(&path, "path,label,subset,group,split,logit\na.png,fake,s,g,test,maybe\n").unwrap();
        let error = read_scores(&path).unwrap_err().to_string();
        assert!(error.contains("scores.csv") && error.contains("line: 2"), "{error}");
        let absent = read_scores(&folder.path().join("none.csv")).unwrap_err().to_string();
        assert!(absent.contains("cannot be read"), "{absent}");
        assert_eq!(scores_path(Path::new("out/gr.json")), Path::new("out/gr-scores.csv"));
    }
}
