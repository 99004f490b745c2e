//! The logit above which a picture is called fake, and where it came from: the model's file, the
//! user, or pictures reserved for choosing it.

use crate::metrics::{decisions, ranking};
use crate::results::evaluation::{Score, ThresholdSource};
use crate::sample::Label;

/// A threshold and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The logit above which a picture is called fake.
    pub logit: f64,
    /// Where it came from.
    pub source: ThresholdSource,
}

impl Threshold {
    /// The threshold of highest balanced accuracy ([`ranking::best_threshold`]) on `scores`, of
    /// the split `split` of `data`; `None` where a class is missing or a logit is NaN.
    pub fn chosen(scores: &[Score], data: &str, split: &str) -> Option<Self> {
        let logits: Vec<f32> = scores.iter().map(|score| score.logit).collect();
        let labels: Vec<Label> = scores.iter().map(|score| score.sample.label).collect();
        let logit = ranking::best_threshold(&logits, &labels)?;
        let n_fake = labels.iter().filter(|label| **label == Label::Fake).count();
        let source = ThresholdSource::Validation {
            data: data.to_owned(),
            split: split.to_owned(),
            n_real: labels.len() - n_fake,
            n_fake,
            balanced_accuracy: decisions::balanced_accuracy(&logits, &labels, logit)?,
        };
        Some(Self { logit: f64::from(logit), source })
    }
}
