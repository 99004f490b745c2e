//! From what a file proves, what a probe shows and what the user says to one reading; and
//! what is left to ask. Nothing here is guessed: where evidence is missing or disagrees there
//! is a [`Question`] that names the option which settles it. What only custom speaks for is
//! told as such: the order of the channels where no means tell it, which of two classes is
//! fake, and the pixels of a graph that is linear throughout.

mod output;
mod pixels;

pub(super) use output::{Evidence, fake_index, no_score, output};
pub(super) use pixels::{channels, pixels};

use serde::Serialize;

/// Where a part of a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user said it.
    Said,
    /// The file's graph has no other meaning.
    Proved,
    /// A file beside the model says it.
    Beside,
    /// The model was run on drawn pictures.
    Probed,
    /// Nothing but custom speaks for it.
    Custom,
}

/// A part of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Which: `layout`, `pixels`, `output`, …
    pub part: &'static str,
    /// How it is read.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// Why.
    pub why: String,
}

/// A way to settle a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What to pass: `--output logit`; or what to do.
    pub pass: String,
    /// What that means.
    pub means: String,
    /// Whether it can be put behind a command as it stands.
    pub complete: bool,
}

impl Answer {
    fn new(pass: impl Into<String>, means: impl Into<String>) -> Self {
        Self { pass: pass.into(), means: means.into(), complete: true }
    }

    /// Words that name an option and leave its value, or the deed, to the user.
    fn advice(pass: impl Into<String>, means: impl Into<String>) -> Self {
        Self { complete: false, ..Self::new(pass, means) }
    }
}

/// What only the user can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Which part of the reading it is about.
    pub part: &'static str,
    /// What is not known, and why.
    pub unknown: String,
    /// What settles it, the likeliest first.
    pub answers: Vec<Answer>,
}

impl Question {
    /// The question on one line.
    pub fn line(&self) -> String {
        let answers: Vec<String> =
            self.answers.iter().map(|answer| format!("{} ({})", answer.pass, answer.means)).collect();
        let verb = if self.answers.iter().all(|answer| answer.pass.starts_with("--")) { "pass " } else { "" };
        format!("{}; {verb}{}", self.unknown, answers.join(", or "))
    }
}

fn fact(part: &'static str, value: impl Into<String>, source: Source, why: impl Into<String>) -> Fact {
    Fact { part, value: value.into(), source, why: why.into() }
}
