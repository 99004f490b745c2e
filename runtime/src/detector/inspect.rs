//! What is known of a model's file: what it proves, what a probe showed, what only the user can
//! say, and the options that say it.

use super::metadata::Metadata;
use super::overrides::Overrides;
use super::session::{Detector, SessionError};
use super::settle::{Fact, Question, Source};
use serde::Serialize;
use std::path::Path;

/// The output of `dfrt inspect --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The file as the user named it.
    pub path: String,
    /// SHA-256 of the file followed by those with its weights.
    pub sha256: String,
    /// Size of the file in MB of 10^6 bytes.
    pub megabytes: f64,
    /// `efficientnet-b0`, …; "unknown" for a file of another program.
    pub arch: String,
    /// Whether dfrt exported it, so that its metadata say how it is read.
    pub own: bool,
    /// Where each part of the reading comes from.
    pub facts: Vec<Fact>,
    /// What is not known.
    pub questions: Vec<Question>,
    /// The options that were given, and those that answer the questions with the likeliest
    /// values; empty where only the user knows a value.
    pub options: Vec<String>,
}

/// Inspects the file at `path`, read as `overrides` say.
///
/// # Errors
/// Those of [`Detector::load_unsettled`]: a file that cannot be run, however it is read.
pub fn inspect(path: &Path, overrides: &Overrides) -> Result<Inspection, SessionError> {
    let detector = Detector::load_unsettled(path, 1, overrides)?;
    let (facts, questions) = match detector.metadata() {
        Some(metadata) => (own_facts(metadata), Vec::new()),
        None => (detector.facts().to_vec(), detector.questions().to_vec()),
    };
    let answers: Option<Vec<String>> = questions.iter().map(likeliest).collect();
    let given = overrides.to_options();
    Ok(Inspection {
        path: path.display().to_string(),
        sha256: detector.info().sha256.clone(),
        megabytes: std::fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1e6),
        arch: detector.info().arch.clone(),
        own: detector.metadata().is_some(),
        facts,
        options: answers.map_or_else(Vec::new, |answers| given.into_iter().chain(answers).collect()),
        questions,
    })
}

/// The option of the likeliest answer; `None` where its value is missing.
fn likeliest(question: &Question) -> Option<String> {
    question.answers.first().filter(|answer| answer.complete).map(|answer| answer.pass.clone())
}

/// The facts in the metadata of a file that dfrt exported.
fn own_facts(metadata: &Metadata) -> Vec<Fact> {
    let why = "its metadata, written by `dfrt export`";
    let fact = |part, value: String| Fact { part, value, source: Source::Proved, why: why.to_owned() };
    let mut facts = vec![
        fact("arch", metadata.arch.clone()),
        fact("side", format!("{} px", metadata.res)),
        fact("pixels", "0-1, normalised inside".to_owned()),
        fact("output", "logit, positive for fake".to_owned()),
        fact("threshold", metadata.threshold.to_string()),
    ];
    let optional = [
        ("method", metadata.method.clone()),
        ("seed", metadata.seed.map(|seed| seed.to_string())),
        ("data", metadata.data_path.clone()),
    ];
    facts.extend(optional.into_iter().filter_map(|(part, value)| Some(fact(part, value?))));
    facts
}
