//! CSV files whose columns are found by their names.

use super::manifest::ManifestError;
use std::path::Path;

/// A byte order mark, which some editors put before a text.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Hands the lines of `bytes`, a CSV file, to `row`: the number of the line, from 1, and
/// the fields of the columns `required` and then of those `optional` (in any order,
/// others ignored); an optional one that is not there is empty. What `row` says is wrong
/// becomes an error that names `path` and the line.
///
/// # Errors
/// No header, a required column missing, a line of another length or not UTF-8, and
/// what `row` refuses.
pub(crate) fn each_row(
    path: &Path,
    bytes: &[u8],
    required: &[&str],
    optional: &[&str],
    mut row: impl FnMut(u64, &[&str]) -> Result<(), String>,
) -> Result<(), ManifestError> {
    let header =
        |reason: String| ManifestError::Header { path: path.to_owned(), reason, columns: required.join(",") };
    let mut reader = csv::Reader::from_reader(bytes.strip_prefix(BOM).unwrap_or(bytes));
    let names = reader.headers().map_err(|error| header(error.to_string()))?.clone();
    if names.iter().all(str::is_empty) {
        return Err(header("the file is empty".to_owned()));
    }
    let place = |column: &str| names.iter().position(|name| name.trim() == column);
    if let Some(column) = required.iter().find(|column| place(column).is_none()) {
        return Err(header(format!("column {column:?} is missing")));
    }
    let columns = required.iter().chain(optional);
    let places: Vec<Option<usize>> = columns.map(|column| place(column)).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| bad_record(path, &error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let fields: Vec<&str> = places.iter().map(|place| place.map_or("", |place| &record[place])).collect();
        row(line, &fields).map_err(|reason| ManifestError::Line { path: path.to_owned(), line, reason })?;
    }
    Ok(())
}

fn bad_record(path: &Path, error: &csv::Error) -> ManifestError {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    ManifestError::Line { path: path.to_owned(), line, reason }
}
