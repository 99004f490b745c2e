//! `dfrt inspect`: what a model's file proves, what a probe showed, and what the user must pass.

use super::options::options;
use crate::output;
use anyhow::Result;
use dfrt_runtime::detector::inspect::{self, Inspection};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::settle::{Answer, Source};
use std::fmt::Write as _;
use std::path::PathBuf;

options! {
/// show how a detector's file is read: what it proves, what a probe showed, what you must pass
#[argh(
    name = "inspect",
    example = "{command_name} theirs.onnx\n\
    {command_name} theirs.onnx --preprocess imagenet --json",
    note = "The options that say how a file is read are those of eval, attack, corrupt and bench model; given here, they \
    are checked against the file. No picture is read."
)]
pub struct Inspect {
    /// an .onnx file or a RUN
    #[argh(positional)]
    model: PathBuf,
    json, reading,
}
}

impl Inspect {
    /// Prints how the file is read: each fact, and each open question with its answers.
    pub fn run(self) -> Result<()> {
        let model = Model::find(&self.model)?;
        let mut found = inspect::inspect(&model.onnx, &self.reading())?;
        found.path = model.given.display().to_string();
        if self.json { output::json(&found) } else { output::print(text(&found)) }
    }
}

/// The facts and open questions, one line each.
fn text(found: &Inspection) -> String {
    let kind = if found.own { "exported by dfrt" } else { "of another program" };
    let mut text =
        format!("{}: {:.2} MB, {kind}, SHA-256 {}", found.path, found.megabytes, &found.sha256[..16]);
    let mut line = |source: &str, part: &str, rest: String| {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {source:7} {part:12} {rest}");
    };
    for fact in &found.facts {
        let source = match fact.source {
            Source::User => "given",
            Source::Proved => "proved",
            Source::Sidecar => "stated",
            Source::Probed => "probed",
            Source::Convention => "assumed",
        };
        line(source, fact.part, format!("{}: {}", fact.value, fact.why));
    }
    for question in &found.questions {
        line("unknown", question.part, format!("{}; pass one of", question.unknown));
        let answer = |answer: &Answer| [answer.pass.clone(), answer.means.clone()];
        let answers: Vec<_> = question.answers.iter().map(answer).collect();
        output::aligned(&answers).into_iter().for_each(|answer| line("", "", answer));
    }
    if found.questions.is_empty() {
        text.push_str("\nEverything is known: dfrt eval and dfrt attack need no more options.");
    } else if !found.options.is_empty() {
        let _ = write!(
            text,
            "\nWith the likeliest answers:\n  dfrt eval --model {} {} --data …",
            found.path,
            found.options.join(" ")
        );
    }
    text
}
