//! Printing: results go to standard output, notes and warnings to standard error. With `--json`
//! standard output holds only JSON.

use crate::failure;
use anyhow::{Context, Result};
use dfrt_runtime::metrics::Estimate;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// The most lines that [`warn_skipped`] lists; the rest are only counted.
pub const MAX_LISTED: usize = 20;

/// Prints a text to standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .context("standard output: cannot be written; free space where it goes, or send it elsewhere")
}

/// Prints `value` as JSON to standard output.
///
/// # Errors
/// `value` cannot be JSON, or standard output cannot be written.
pub fn json(value: &impl Serialize) -> Result<()> {
    print(serde_json::to_string_pretty(value)?)
}

/// Prints a line on standard error.
pub fn note(text: impl Display) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a help text; gives the exit code.
pub fn print_help(text: &str) -> ExitCode {
    match print(text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

/// Warns of what was skipped (unreadable pictures, files of other kinds): the number and the
/// first [`MAX_LISTED`] lines. `all` is the file that holds every line, if there is one.
pub fn warn_skipped(what: &str, lines: &[String], all: Option<&Path>) {
    if lines.is_empty() {
        return;
    }
    list("warning", &format!("{what} skipped"), lines, all);
}

/// Notes how many `lines` there are of `what`, and the first of them; `all` is a file that lists all.
pub fn list(kind: &str, what: &str, lines: &[String], all: Option<&Path>) {
    if lines.is_empty() {
        return;
    }
    note(format!("{kind}: {} {what}:", lines.len()));
    lines.iter().take(MAX_LISTED).for_each(|line| note(format!("  {line}")));
    let more = lines.len().saturating_sub(MAX_LISTED);
    match all {
        _ if more == 0 => {}
        Some(path) => note(format!("  and {more} more, all of them in {}", path.display())),
        None => note(format!("  and {more} more")),
    }
}

/// Notes the `rules` that decided what the data set `what` does not record itself (groups, splits).
pub fn note_rules(what: &str, rules: &[String]) {
    rules.iter().for_each(|rule| note(format!("note: {what}: {rule}")));
}

/// "93.3 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// "93.3 % (84.1 to 97.4)".
pub fn percent_between(estimate: &Estimate) -> String {
    format!("{} ({:.1} to {:.1})", percent(estimate.value), 100.0 * estimate.low, 100.0 * estimate.high)
}

/// A share that may be undefined.
pub fn percent_or_none(share: Option<f64>) -> String {
    share.map_or_else(|| "undefined".to_owned(), percent)
}

/// "12,345".
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with three significant digits, at most six of them after the point: "0.0123", "1.23", "12.3", "1235".
#[cfg(feature = "train")]
pub fn three_digits(value: f64) -> String {
    let digits = if value > 0.0 { (2.0 - value.log10().floor()).clamp(0.0, 6.0) as usize } else { 0 };
    format!("{value:.digits$}")
}

/// "0.4 s", "45 s", "3 min 20 s", "2 h 5 min".
pub fn duration(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    let rounded = seconds.round() as u64;
    match rounded {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{rounded} s"),
        60..3600 => format!("{} min {} s", rounded / 60, rounded % 60),
        _ => format!("{} h {} min", rounded / 3600, rounded % 3600 / 60),
    }
}

/// The lines of a table, with the cells of a column below each other.
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(widest);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A table of two columns, names and texts, moved in.
#[derive(Default)]
pub struct Lines(Vec<[String; 2]>);

impl Lines {
    /// Adds a line.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.push([name.into(), text.into()]);
    }
}

impl Display for Lines {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = aligned(&self.0).iter().map(|line| format!("  {line}")).collect();
        out.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1000, 1_234_567].map(thousands));
        assert_eq!(["0.0 s", "9.4 s", "10 s"], [f64::NAN, 9.44, 9.6].map(duration));
        assert_eq!(["59 s", "1 min 0 s", "2 h 5 min"], [59.4, 60.0, 7500.0].map(duration));
        #[cfg(feature = "train")]
        assert_eq!(
            ["0", "0.0123", "1.23", "12.3", "123", "1234"],
            [0.0, 0.012_34, 1.234, 12.34, 123.4, 1234.5].map(three_digits)
        );
        let half = Estimate { value: 0.5, low: 0.25, high: 0.75 };
        assert_eq!(percent_between(&half), "50.0 % (25.0 to 75.0)");
        let mut lines = Lines::default();
        lines.add("n", "1");
        lines.add("accuracy", "2");
        assert_eq!(lines.to_string(), "  n         1\n  accuracy  2");
        let rows = [["ä", "", "1"], ["bb", "x", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), ["ä      1", "bb  x"]);
    }
}
