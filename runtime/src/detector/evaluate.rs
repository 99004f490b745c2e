//! Evaluation on clean pictures: their logits, and the metrics computed from them.

use super::oracle::{Oracle, OracleError};
use super::session::TractOracle;
use crate::data::batch::Batch;
use crate::data::picture::{self, PictureError};
use crate::data::selection::Chosen;
use crate::metrics::{decisions, intervals};
use crate::results::evaluation::{
    DataInfo, Evaluation, ModelInfo, PartMetrics, Rates, Score, ThresholdSource,
};
use crate::sample::{Label, Sample, Split};
use image::RgbImage;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Pictures decoded and scored at a time: 40 MB of floats at 224 px.
const CHUNK: usize = 64;

/// The model and data set of an evaluation, as eval.json names them.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a ModelInfo,
    /// The data set as the user named it.
    pub data: &'a str,
    /// The split.
    pub split: Split,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where the threshold came from.
    pub threshold_from: Option<&'a ThresholdSource>,
    /// The seed of the bootstrap.
    pub seed: u64,
}

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// No picture at all.
    #[error("{data}: the split {split} has no picture; name another --split or --data")]
    Empty {
        /// The data set.
        data: String,
        /// The split.
        split: Split,
    },
    /// No picture that can be read.
    #[error("{data}: none of the {n} pictures of the split {split} can be read, the first: {first}")]
    Unreadable {
        /// The data set.
        data: String,
        /// The split.
        split: Split,
        /// Pictures tried.
        n: usize,
        /// What was wrong with the first.
        first: String,
    },
    /// Logits that are not finite.
    #[error(
        "{model}: gives no finite number on {count} of {n} pictures, the first: {first}; its weights or its reading are wrong (`dfrt inspect {model}`)"
    )]
    NotFinite {
        /// The model.
        model: String,
        /// Pictures without a finite logit.
        count: usize,
        /// Pictures scored.
        n: usize,
        /// The first of them.
        first: String,
    },
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
}

/// Scores `samples` with `oracle` and computes every clean metric. A picture that cannot be read
/// is skipped and listed. A score's id is the picture's index in `samples`. `progress` is called
/// after each chunk with (pictures done, all).
///
/// # Errors
/// There is no picture, none can be read, or the model fails.
pub fn evaluate(
    oracle: &dyn Oracle,
    samples: &[Sample],
    subject: &Subject<'_>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Evaluation, Vec<Score>), EvaluateError> {
    evaluate_with_ids(oracle, &by_index(samples), subject, progress)
}

fn evaluate_with_ids(
    oracle: &dyn Oracle,
    samples: &[(u64, &Sample)],
    subject: &Subject<'_>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Evaluation, Vec<Score>), EvaluateError> {
    let (data, split) = (subject.data.to_owned(), subject.split);
    if samples.is_empty() {
        return Err(EvaluateError::Empty { data, split });
    }
    let (scores, skipped) = score_with_ids(oracle, samples, progress)?;
    if scores.is_empty() {
        let first = skipped.into_iter().next().unwrap_or_default();
        return Err(EvaluateError::Unreadable { data, split, n: samples.len(), first });
    }
    check_finite(&subject.model.path, &scores)?;
    let all = Part::of(scores.iter());
    let evaluation = Evaluation {
        model: subject.model.clone(),
        data: DataInfo {
            path: data,
            split: split.to_string(),
            n_real: all.count(Label::Real),
            n_fake: all.count(Label::Fake),
        },
        threshold: subject.threshold,
        threshold_from: subject.threshold_from.cloned(),
        metrics: all.metrics(subject).metrics,
        rates: all.rates(subject),
        undefined: all.only_class().map(undefined),
        by_subset: by_subset(&scores, subject),
        by_group: all.averaged().metrics(subject),
        skipped,
    };
    Ok((evaluation, scores))
}

/// Evaluates `oracle` at its own threshold on the pictures of `data`. `model` names it in the
/// results. A score's id is the picture's index in the split, as in attacks.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_chosen(
    oracle: &TractOracle,
    model: &ModelInfo,
    data: &Chosen,
    progress: &dyn Fn(usize, usize),
) -> Result<(Evaluation, Vec<Score>), EvaluateError> {
    let detector = oracle.detector();
    let subject = Subject {
        model,
        data: &data.name,
        split: data.split,
        threshold: detector.threshold(),
        threshold_from: Some(detector.threshold_source()),
        seed: 0,
    };
    evaluate_with_ids(oracle, &data.with_ids(), &subject, progress)
}

/// Checks that every score is finite: metrics of NaN would look like valid ones.
///
/// # Errors
/// Some are not: how many, and the first such picture.
pub(super) fn check_finite(model: &str, scores: &[Score]) -> Result<(), EvaluateError> {
    let mut wrong = scores.iter().filter(|score| !score.logit.is_finite());
    let Some(first) = wrong.next() else { return Ok(()) };
    Err(EvaluateError::NotFinite {
        model: model.to_owned(),
        count: 1 + wrong.count(),
        n: scores.len(),
        first: first.sample.path.display().to_string(),
    })
}

/// The logits of `samples`, and a line for each picture that cannot be read. A score's id is the
/// picture's index in `samples`.
///
/// # Errors
/// The model fails.
pub fn score(
    oracle: &dyn Oracle,
    samples: &[Sample],
    progress: &dyn Fn(usize, usize),
) -> Result<(Vec<Score>, Vec<String>), OracleError> {
    score_with_ids(oracle, &by_index(samples), progress)
}

fn by_index(samples: &[Sample]) -> Vec<(u64, &Sample)> {
    (0..).zip(samples).collect()
}

fn score_with_ids(
    oracle: &dyn Oracle,
    samples: &[(u64, &Sample)],
    progress: &dyn Fn(usize, usize),
) -> Result<(Vec<Score>, Vec<String>), OracleError> {
    let (mut scores, skipped) =
        score_versions(oracle, samples, 1, &|_, _, picture| picture.clone(), progress)?;
    Ok((scores.remove(0), skipped))
}

/// The logits of `versions` versions of every picture of `samples`, each with its id: a list for
/// each version, aligned with the readable samples. `change` makes a version (0, 1, …) of a picture
/// and gets the picture's id; each picture is read once. `progress` counts pictures of all versions.
///
/// # Errors
/// The model fails.
pub fn score_versions(
    oracle: &dyn Oracle,
    samples: &[(u64, &Sample)],
    versions: usize,
    change: &(dyn Fn(usize, u64, &RgbImage) -> RgbImage + Sync),
    progress: &dyn Fn(usize, usize),
) -> Result<(Vec<Vec<Score>>, Vec<String>), OracleError> {
    let mut scores = vec![Vec::with_capacity(samples.len()); versions];
    let mut skipped = Vec::new();
    for (index, chunk) in samples.chunks(CHUNK).enumerate() {
        let loaded: Vec<Result<_, PictureError>> =
            chunk.par_iter().map(|(_, sample)| picture::load(&sample.path, oracle.res())).collect();
        let mut readable = Vec::with_capacity(chunk.len());
        for (&(id, sample), picture) in chunk.iter().zip(loaded) {
            match picture {
                Ok(picture) => readable.push((id, sample, picture)),
                Err(error) => skipped.push(error.to_string()),
            }
        }
        for (version, scores) in scores.iter_mut().enumerate() {
            let changed: Vec<RgbImage> =
                readable.par_iter().map(|(id, _, picture)| change(version, *id, picture)).collect();
            let logits = oracle.logits(&Batch::of(oracle.res(), &changed))?;
            let scored = readable.iter().zip(logits);
            scores.extend(scored.map(|((id, sample, _), logit)| Score {
                id: *id,
                sample: (*sample).clone(),
                logit,
            }));
            progress(versions * index * CHUNK + (version + 1) * chunk.len(), versions * samples.len());
        }
    }
    Ok((scores, skipped))
}

/// Logits, labels and groups, aligned.
#[derive(Default)]
struct Part<'a> {
    logits: Vec<f32>,
    labels: Vec<Label>,
    groups: Vec<&'a str>,
}

impl<'a> Part<'a> {
    fn of(scores: impl Iterator<Item = &'a Score>) -> Self {
        let mut part = Self::default();
        scores.for_each(|score| part.push(score.logit, score.sample.label, &score.sample.group));
        part
    }

    fn push(&mut self, logit: f32, label: Label, group: &'a str) {
        self.logits.push(logit);
        self.labels.push(label);
        self.groups.push(group);
    }

    fn count(&self, label: Label) -> usize {
        self.labels.iter().filter(|&&other| other == label).count()
    }

    /// The mean logit of each group and class.
    fn averaged(&self) -> Self {
        let mut sums: BTreeMap<(&str, Label), (f64, u32)> = BTreeMap::new();
        for ((&logit, &label), &group) in self.logits.iter().zip(&self.labels).zip(&self.groups) {
            let sum = sums.entry((group, label)).or_default();
            *sum = (sum.0 + f64::from(logit), sum.1 + 1);
        }
        let mut part = Self::default();
        for ((group, label), (sum, n)) in sums {
            part.push((sum / f64::from(n)) as f32, label, group);
        }
        part
    }

    /// The class of all pictures; `None` where there are two.
    fn only_class(&self) -> Option<Label> {
        let first = *self.labels.first()?;
        self.labels.iter().all(|label| *label == first).then_some(first)
    }

    fn rates(&self, subject: &Subject<'_>) -> Rates {
        let right = decisions::right(&self.logits, &self.labels, subject.threshold as f32);
        let of = |label: Label| {
            let pictures =
                right.iter().zip(&self.groups).zip(&self.labels).filter(|(_, other)| **other == label);
            let (flags, groups): (Vec<bool>, Vec<&str>) =
                pictures.map(|((right, group), _)| (*right, *group)).unzip();
            intervals::rate(&flags, &groups, subject.seed)
        };
        Rates { true_positive_rate: of(Label::Fake), true_negative_rate: of(Label::Real) }
    }

    fn metrics(&self, subject: &Subject<'_>) -> PartMetrics {
        let threshold = subject.threshold as f32;
        PartMetrics {
            n_real: self.count(Label::Real),
            n_fake: self.count(Label::Fake),
            metrics: intervals::metrics(&self.logits, &self.labels, &self.groups, threshold, subject.seed),
        }
    }
}

/// The message on metrics that are undefined because all pictures are of class `label`.
pub fn undefined(label: Label) -> String {
    format!(
        "all pictures are {label}: balanced accuracy, AUC, average precision, equal error rate and TPR at 1 % FPR \
        compare two classes and are undefined"
    )
}

fn by_subset(scores: &[Score], subject: &Subject<'_>) -> BTreeMap<String, PartMetrics> {
    let mut labels: BTreeMap<&str, Vec<Label>> = BTreeMap::new();
    for Score { sample, .. } in scores {
        let known = labels.entry(&sample.subset).or_default();
        if !known.contains(&sample.label) {
            known.push(sample.label);
        }
    }
    let part = |(subset, labels): (&str, Vec<Label>)| {
        let belongs = |sample: &Sample| sample.subset == subset || !labels.contains(&sample.label);
        let part = Part::of(scores.iter().filter(|score| belongs(&score.sample)));
        (subset.to_owned(), part.metrics(subject))
    };
    labels.into_iter().map(part).collect()
}
