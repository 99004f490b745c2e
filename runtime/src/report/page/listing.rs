//! Names in sentences.

use crate::results::study::{BASELINE, Report};

/// The arms besides the baseline.
pub(super) fn others(report: &Report) -> Vec<&str> {
    report.names().into_iter().filter(|name| *name != BASELINE).collect()
}

/// "a", "a and b", "a, b and c".
pub(super) fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
