//! The result of a check: a verdict, a sentence, figures, the pictures concerned and what to do.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// How severe a finding is, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing was found.
    Ok,
    /// Worth knowing when reading the metrics.
    Note,
    /// Metrics of a detector may be wrong because of it, or could not be checked.
    Warning,
    /// Test pictures or people are in train: metrics are too good.
    Leak,
    /// Labels or files are wrong.
    Error,
}

impl Verdict {
    /// Whether a strict audit fails because of it.
    pub fn is_severe(self) -> bool {
        self >= Self::Leak
    }

    /// The name in audit.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Leak => "leak",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// The checks, in the order of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Every picture can be read.
    Files,
    /// No entry was skipped when the folder was read.
    PassedOver,
    /// Files have the format of their extension.
    Extensions,
    /// Pictures are 8-bit grey or RGB without transparency.
    Colours,
    /// No picture is twice in one split with one label.
    Copies,
    /// No picture is in two splits.
    CopiesAcrossSplits,
    /// No picture has both labels.
    CopiesAcrossLabels,
    /// No photograph is in two splits, altered or encoded again.
    NearCopies,
    /// No person or video is in two splits.
    People,
    /// DFFD's FaceApp pictures are not in another split than the photographs that they were made
    /// from.
    Faceapp,
    /// Both classes are there and neither is rare.
    Classes,
    /// Every subset is in every split.
    Subsets,
    /// There are enough persons or videos to test on.
    Groups,
    /// Sizes do not separate the classes.
    Size,
    /// Formats, JPEG qualities and the like do not separate the classes.
    Encoder,
    /// EXIF, colour profiles and the like do not separate the classes.
    Metadata,
    /// Brightness, sharpness and the like of the outer eighth of the picture do not separate the
    /// classes.
    Frame,
    /// Brightness, sharpness and the like of the whole picture do not separate the classes.
    Pixels,
}

impl Check {
    /// The name in audit.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::PassedOver => "passed-over",
            Self::Extensions => "extensions",
            Self::Colours => "colours",
            Self::Copies => "copies",
            Self::CopiesAcrossSplits => "copies-across-splits",
            Self::CopiesAcrossLabels => "copies-across-labels",
            Self::NearCopies => "near-copies",
            Self::People => "people",
            Self::Faceapp => "faceapp",
            Self::Classes => "classes",
            Self::Subsets => "subsets",
            Self::Groups => "groups",
            Self::Size => "size",
            Self::Encoder => "encoder",
            Self::Metadata => "metadata",
            Self::Frame => "frame",
            Self::Pixels => "pixels",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// Pictures that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Their paths as in the manifest; empty where the finding is about a name.
    pub paths: Vec<String>,
    /// What was found about them.
    pub note: String,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How severe it is.
    pub verdict: Verdict,
    /// The finding, in a sentence.
    pub what: String,
    /// What to do; absent where there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The numbers behind the sentence, by name.
    pub figures: Map<String, Value>,
    /// Every case.
    pub cases: Vec<Case>,
}

impl Finding {
    /// A finding without figures, cases or advice.
    pub(super) fn new(check: Check, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { check, verdict, what: what.into(), advice: None, figures: Map::new(), cases: Vec::new() }
    }

    /// Adds what to do, unless the verdict is ok.
    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = (self.verdict > Verdict::Ok).then(|| advice.into());
        self
    }

    /// Adds a number.
    pub(super) fn figure(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the cases.
    pub(super) fn cases(mut self, cases: Vec<Case>) -> Self {
        self.cases = cases;
        self
    }
}

/// "1 picture", "3 pictures"; `noun` in the singular.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "person or video") => format!("{count} persons or videos"),
        (_, "copy") => format!("{count} copies"),
        (_, "entry") => format!("{count} entries"),
        _ => format!("{count} {noun}s"),
    }
}
