//! What a data set is: one line a picture, with its label, subset, group
//! (video or person) and split. Reading folders into it is the layouts' work.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Real or fake. As a number: fake 1, real 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// An untouched photograph, label 0.
    Real,
    /// A forgery, label 1.
    Fake,
}

impl Label {
    /// 1 for fake, 0 for real: the target of the cross-entropy.
    pub fn target(self) -> f32 {
        match self {
            Self::Real => 0.0,
            Self::Fake => 1.0,
        }
    }

    /// +1 for fake, -1 for real: the sign in the margin `-s * z`.
    pub fn sign(self) -> f32 {
        match self {
            Self::Real => -1.0,
            Self::Fake => 1.0,
        }
    }

    /// What a detector says whose logit is `logit`: fake above `threshold`.
    pub fn decided(logit: f32, threshold: f32) -> Self {
        if logit > threshold { Self::Fake } else { Self::Real }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Real => "real",
            Self::Fake => "fake",
        })
    }
}

/// The part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on.
    Train,
    /// Chooses the epoch and the threshold.
    Val,
    /// Measured on, once.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// One picture of a data set: a line of manifest.csv.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The picture's file; in memory absolute or relative to the working folder.
    pub path: PathBuf,
    /// Real or fake.
    pub label: Label,
    /// The source or forgery method ("ffhq", "Deepfakes"; for a plain folder its class).
    pub subset: String,
    /// The video or person: what intervals are bootstrapped over.
    pub group: String,
    /// Train, val or test.
    pub split: Split,
}

/// A data set: its samples in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// All samples, sorted by path.
    pub samples: Vec<Sample>,
    /// What was passed over while reading (missing or foreign files), a line each.
    pub skipped: Vec<String>,
}
