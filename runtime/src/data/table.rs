//! CSV files whose columns are found by their names.

use super::manifest::ManifestError;
use std::path::Path;

/// A CSV file whose columns are picked by name.
pub(crate) struct Table {
    /// Its lines, the fields in the order of the columns asked for.
    pub rows: Vec<Row>,
}

/// One line of a [`Table`].
pub(crate) struct Row {
    /// The line in the file, from 1.
    pub line: u64,
    /// One field for each column asked for, the required ones first.
    pub fields: Vec<String>,
}

impl Table {
    /// Reads the columns `required` and then those `optional` (in any order, others
    /// ignored) out of `bytes`; an optional one that is not there is empty.
    ///
    /// # Errors
    /// No header, a required column missing, a line of another length or not UTF-8.
    pub fn parse(
        path: &Path,
        bytes: &[u8],
        required: &[&str],
        optional: &[&str],
    ) -> Result<Self, ManifestError> {
        let header = |reason: String| ManifestError::Header {
            path: path.to_owned(),
            reason,
            columns: required.join(","),
        };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
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
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| bad_record(path, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let fields =
                places.iter().map(|place| place.map_or("", |place| &record[place]).to_owned()).collect();
            rows.push(Row { line, fields });
        }
        Ok(Self { rows })
    }
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
