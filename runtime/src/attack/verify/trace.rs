//! The queries of samples.csv against the trace of the attack.

use super::VerifyError;
use crate::attack::recorder::Event;
use crate::attack::trace::{Header, Trace};
use crate::results::attack::folder::AttackFolder;
use std::path::Path;

/// The samples of `folder` whose queries are not those on the trace at `path`, a line each.
///
/// # Errors
/// Results or a trace that cannot be read, the trace of another attack.
pub fn trace(folder: &Path, path: &Path) -> Result<Vec<String>, VerifyError> {
    let files = AttackFolder::new(folder);
    let trace = Trace::play(path, &Header::of_report(&files.report()?))?;
    let asked = |event: &Event| match event {
        Event::Asked(asked) => asked.question.pictures as u64,
        _ => 0,
    };
    let mut wrong = Vec::new();
    for sample in files.samples()?.iter().filter(|sample| !sample.attack.is_empty()) {
        match trace.events(sample.id).map(|events| events.iter().map(asked).sum::<u64>()) {
            None => wrong.push(format!("sample {}: is not on the trace", sample.id)),
            Some(queries) if queries != sample.queries => wrong.push(format!(
                "sample {}: queries is {}, the trace has {queries}",
                sample.id, sample.queries
            )),
            Some(_) => {}
        }
    }
    Ok(wrong)
}
