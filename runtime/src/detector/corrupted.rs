//! A detector on corrupted pictures: the content of corrupt.json.

use super::evaluate::{self, EvaluateError, Subject};
use super::oracle::Oracle;
use crate::data::corruption::Corruption;
use crate::metrics::{Estimate, Metrics, intervals};
use crate::results::corruption::{Corrupted, Kind, Level};
use crate::results::evaluation::{DataInfo, Score};
use crate::sample::{Label, Sample, is_right};
use image::RgbImage;

/// Scores `samples`, each with its id, at every level of the corruptions `kinds`. The id keys the
/// picture's noise, so it must be the same whichever other pictures are chosen
/// ([`Chosen::with_ids`](crate::data::selection::Chosen::with_ids)). `progress` is called after
/// each chunk with (pictures done, all), counted over all levels.
///
/// # Errors
/// There is no picture, none can be read, or the model fails.
pub fn measure(
    oracle: &dyn Oracle,
    samples: &[(u64, &Sample)],
    subject: &Subject<'_>,
    kinds: &[Corruption],
    progress: &dyn Fn(usize, usize),
) -> Result<Corrupted, EvaluateError> {
    let (data, split) = (subject.data.to_owned(), subject.split);
    if samples.is_empty() {
        return Err(EvaluateError::Empty { data, split });
    }
    let levels: Vec<(Corruption, usize)> =
        kinds.iter().flat_map(|&kind| (1..=Corruption::LEVELS).map(move |level| (kind, level))).collect();
    // The first version is the clean one.
    let change = |version: usize, id, picture: &_| match version.checked_sub(1) {
        None => RgbImage::clone(picture),
        Some(at) => levels[at].0.apply(picture, levels[at].1, (subject.seed, id)),
    };
    let (versions, skipped) = evaluate::score_versions(oracle, samples, 1 + levels.len(), &change, progress)?;
    let (scores, worse) = (&versions[0], &versions[1..]);
    if scores.is_empty() {
        let first = skipped.into_iter().next().unwrap_or_default();
        return Err(EvaluateError::Unreadable { data, split, n: samples.len(), first });
    }
    for scores in &versions {
        evaluate::check_finite(&subject.model.path, scores)?;
    }
    let corruptions = kinds.iter().zip(worse.chunks(Corruption::LEVELS));
    let corruptions = corruptions.map(|(&name, scores)| kind(name, scores, subject)).collect();
    let count = |label| scores.iter().filter(|score| score.sample.label == label).count();
    let only = [Label::Real, Label::Fake].into_iter().find(|label| count(*label) == scores.len());
    let undefined = only.map(evaluate::undefined);
    Ok(Corrupted {
        model: subject.model.clone(),
        data: DataInfo {
            path: data,
            split: split.to_string(),
            n_real: count(Label::Real),
            n_fake: count(Label::Fake),
        },
        threshold: subject.threshold,
        threshold_from: subject.threshold_from.cloned(),
        undefined,
        seed: subject.seed,
        clean: metrics(scores, subject),
        corruptions,
        skipped,
    })
}

/// The figures of one corruption from the scores at its levels.
fn kind(name: Corruption, scores: &[Vec<Score>], subject: &Subject<'_>) -> Kind {
    let levels: Vec<Level> = (1..)
        .zip(name.parameters())
        .zip(scores)
        .map(|((level, parameter), scores)| {
            let rate = |label| rate(scores, label, subject.threshold as f32);
            Level {
                level,
                parameter,
                metrics: metrics(scores, subject),
                true_negative_rate: rate(Label::Real),
                true_positive_rate: rate(Label::Fake),
            }
        })
        .collect();
    let mean = |of: fn(&Metrics) -> Option<Estimate>| {
        let values: Option<Vec<f64>> =
            levels.iter().map(|level| of(&level.metrics).map(|one| one.value)).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    let (mean_accuracy, mean_auc) = (mean(|metrics| metrics.accuracy), mean(|metrics| metrics.auc));
    Kind { name, levels, mean_accuracy, mean_auc }
}

fn metrics(scores: &[Score], subject: &Subject<'_>) -> Metrics {
    let logits: Vec<f32> = scores.iter().map(|score| score.logit).collect();
    let labels: Vec<Label> = scores.iter().map(|score| score.sample.label).collect();
    let groups: Vec<&str> = scores.iter().map(|score| score.sample.group.as_str()).collect();
    intervals::metrics(&logits, &labels, &groups, subject.threshold as f32, subject.seed)
}

fn rate(scores: &[Score], label: Label, threshold: f32) -> Option<f64> {
    let of: Vec<&Score> = scores.iter().filter(|score| score.sample.label == label).collect();
    let right = of.iter().filter(|score| is_right(score.logit, label, threshold)).count();
    (!of.is_empty()).then(|| right as f64 / of.len() as f64)
}
