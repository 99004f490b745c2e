//! The logit above which a picture is called fake, and where it came from: the model's file,
//! the user, or pictures that were set aside for choosing it.

use super::evaluate::Score;
use crate::metrics::{decisions, ranking};
use crate::sample::Label;
use serde::{Deserialize, Serialize};

/// A threshold and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The logit above which a picture is called fake.
    pub logit: f64,
    /// Where it came from.
    pub source: ThresholdSource,
}

/// Where a threshold came from: the object `threshold_from` of results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

impl Threshold {
    /// The threshold of highest balanced accuracy ([`ranking::best_threshold`]) on `scores`,
    /// which are of the part `split` of `data`; none where a class is missing or a logit is NaN.
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
