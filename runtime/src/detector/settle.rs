//! Combines what a file proves, what a probe shows and what the user says into one reading, and
//! lists what is not known. Nothing is guessed: where evidence is missing or contradictory there
//! is a [`Question`] that names the options which answer it. Three things are taken by convention
//! where nothing shows them, and are marked so: the order of the channels, which of two classes
//! is fake, and the pixels of a graph that is linear throughout.

mod output;
mod pixels;

pub(super) use output::{Evidence, fake_index, no_score, output};
pub(super) use pixels::{channels, pixels};

use serde::Serialize;

/// Where a part of a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user passed the option.
    #[serde(rename = "said")]
    User,
    /// The file's graph allows nothing else.
    Proved,
    /// A file beside the model states it.
    #[serde(rename = "beside")]
    Sidecar,
    /// The model was run on generated pictures.
    Probed,
    /// By convention alone.
    #[serde(rename = "custom")]
    Convention,
}

/// A part of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its name: `layout`, `pixels`, `output`, …
    pub part: &'static str,
    /// Its value.
    pub value: String,
    /// Where the value comes from.
    pub source: Source,
    /// The evidence, in words.
    pub why: String,
}

/// A possible answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The option to pass (`--output logit`), or what to do.
    pub pass: String,
    /// What it means.
    pub means: String,
    /// Whether `pass` can be added to a command as it is.
    pub complete: bool,
}

impl Answer {
    fn new(pass: impl Into<String>, means: impl Into<String>) -> Self {
        Self { pass: pass.into(), means: means.into(), complete: true }
    }

    /// An answer that names an option without a value, or says what to do.
    fn advice(pass: impl Into<String>, means: impl Into<String>) -> Self {
        Self { complete: false, ..Self::new(pass, means) }
    }
}

/// A part of the reading that only the user can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Which part of the reading it is about.
    pub part: &'static str,
    /// What is not known, and why.
    pub unknown: String,
    /// Possible answers, the likeliest first.
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
