//! One picture of a data set: where it is, what it is, whom it shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Real or fake. As a number: fake 1, real 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// An untouched photograph, label 0.
    Real,
    /// A forgery, label 1.
    Fake,
}

impl Label {
    /// Its name, as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Fake => "fake",
        }
    }

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

    /// The other class.
    pub fn other(self) -> Self {
        match self {
            Self::Real => Self::Fake,
            Self::Fake => Self::Real,
        }
    }

    /// What a detector says whose logit is `logit`: fake above `threshold`.
    pub fn decided(logit: f32, threshold: f32) -> Self {
        if logit > threshold { Self::Fake } else { Self::Real }
    }
}

/// Whether a logit puts a picture into its true class; one that is no finite
/// number never does.
pub fn is_right(logit: f32, label: Label, threshold: f32) -> bool {
    logit.is_finite() && Label::decided(logit, threshold) == label
}

impl std::str::FromStr for Label {
    type Err = String;

    /// `real` or `fake`, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "real" => Ok(Self::Real),
            "fake" => Ok(Self::Fake),
            _ => Err(format!("label {text:?} is neither real nor fake")),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
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

impl Split {
    /// All of them, in the order of use.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// Its name, as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl std::str::FromStr for Split {
    type Err = String;

    /// `train`, `val` (also `valid`, `validation`, `dev`) or `test` (also `training`, `testing`), in
    /// any case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "val" | "valid" | "validation" | "dev" => Ok(Self::Val),
            "test" | "testing" => Ok(Self::Test),
            _ => Err(format!("split {text:?} is none of train, val, test")),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
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
    /// Every person or video that is known to have gone into the picture (of a face swap
    /// target and donor), by the data set's own names; empty where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}

impl Sample {
    /// A picture of which no people are known.
    pub fn new(
        path: impl Into<PathBuf>,
        label: Label,
        subset: impl Into<String>,
        group: impl Into<String>,
        split: Split,
    ) -> Self {
        Self {
            path: path.into(),
            label,
            subset: subset.into(),
            group: group.into(),
            split,
            people: Vec::new(),
        }
    }

    /// The picture with `people` in it, each once.
    pub fn showing(mut self, people: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for person in people.into_iter().map(Into::into) {
            if !self.people.contains(&person) {
                self.people.push(person);
            }
        }
        self
    }
}
