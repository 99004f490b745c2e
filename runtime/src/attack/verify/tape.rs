//! The queries of samples.csv against the tape of the attack.

use super::VerifyError;
use crate::attack::recorder::Event;
use crate::attack::tape::{Header, Tape};
use crate::results::attack::folder::AttackFolder;
use std::path::Path;

/// The samples of `folder` whose queries are not those on the tape at `path`, a line each.
///
/// # Errors
/// Results or a tape that cannot be read, the tape of another attack.
pub fn tape(folder: &Path, path: &Path) -> Result<Vec<String>, VerifyError> {
    let files = AttackFolder::new(folder);
    let tape = Tape::play(path, &Header::of_report(&files.report()?))?;
    let asked = |event: &Event| match event {
        Event::Asked(asked) => asked.pictures as u64,
        _ => 0,
    };
    let mut wrong = Vec::new();
    for sample in files.samples()?.iter().filter(|sample| !sample.attack.is_empty()) {
        match tape.events(sample.id).map(|events| events.iter().map(asked).sum::<u64>()) {
            None => wrong.push(format!("sample {}: is not on the tape", sample.id)),
            Some(queries) if queries != sample.queries => wrong
                .push(format!("sample {}: queries is {}, the tape has {queries}", sample.id, sample.queries)),
            Some(_) => {}
        }
    }
    Ok(wrong)
}
