//! CSV files whose columns are found by name. Fields are separated by commas, semicolons or tabs,
//! and the text is UTF-8 or UTF-16, as spreadsheets and other programs write them.

use super::manifest::ManifestError;
use std::borrow::Cow;
use std::path::Path;

/// A byte order mark, which some editors put before a text.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Possible separators, the usual one first.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Calls `row` for each line of `bytes`, a CSV file: with the line number, from 1, and the fields
/// of the columns `required` and then `optional`, which may be in any order in the file. A
/// missing optional column gives empty fields. An error of `row` is reported with `path` and the
/// line.
///
/// # Errors
/// There is no header, a required column is missing, a line has another number of fields or is
/// not UTF-8, or `row` fails.
pub(crate) fn each_row(
    path: &Path,
    bytes: &[u8],
    required: &[&str],
    optional: &[&str],
    mut row: impl FnMut(u64, &[&str]) -> Result<(), String>,
) -> Result<(), ManifestError> {
    let table = Table::open(bytes, |names| required.iter().all(|column| at(names, column).is_some()))
        .map_err(|reason| header(path, reason, required))?;
    if let Some(column) = required.iter().find(|column| at(&table.names, column).is_none()) {
        return Err(header(path, format!("column {column:?} is missing"), required));
    }
    let columns = required.iter().chain(optional);
    let places: Vec<Option<usize>> = columns.map(|column| at(&table.names, column)).collect();
    table.rows(path, |line, record| {
        let fields: Vec<&str> = places.iter().map(|place| place.map_or("", |place| &record[place])).collect();
        row(line, &fields)
    })
}

fn header(path: &Path, reason: String, columns: &[&str]) -> ManifestError {
    ManifestError::Header { path: path.to_owned(), reason, columns: columns.join(",") }
}

fn at(names: &csv::StringRecord, column: &str) -> Option<usize> {
    names.iter().position(|name| name.trim() == column)
}

/// A CSV file with a header, its text decoded.
pub(crate) struct Table<'a> {
    text: Cow<'a, [u8]>,
    separator: u8,
    /// The columns' names.
    pub names: csv::StringRecord,
}

impl<'a> Table<'a> {
    /// Opens the file `bytes`. The separator is the first whose header is `wanted`; if none is,
    /// the one that gives the most columns.
    ///
    /// # Errors
    /// There is no header, or the text begins as UTF-16 and is not.
    pub fn open(bytes: &'a [u8], wanted: impl Fn(&csv::StringRecord) -> bool) -> Result<Self, String> {
        let text = decoded(bytes)?;
        let names = |separator| {
            let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(&text[..]);
            reader.headers().cloned().map_err(|error| error.to_string())
        };
        let headers = SEPARATORS.map(|separator| (separator, names(separator)));
        let fits = |(_, names): &&(u8, Result<csv::StringRecord, String>)| names.as_ref().is_ok_and(&wanted);
        // The last of equals is taken, so the usual separator comes last.
        let widest = || {
            let columns =
                |names: &Result<csv::StringRecord, String>| names.as_ref().map_or(0, |names| names.len());
            headers.iter().rev().max_by_key(|(_, names)| columns(names))
        };
        let (separator, names) = headers.iter().find(fits).or_else(widest).expect("there are separators");
        let (separator, names) = (*separator, names.clone()?);
        if names.iter().all(|name| name.trim().is_empty()) {
            return Err("the file is empty".to_owned());
        }
        Ok(Self { text, separator, names })
    }

    /// Calls `row` with every line's number, from 1, and its fields.
    ///
    /// # Errors
    /// A line has another number of fields or is not UTF-8, or `row` fails.
    pub fn rows(
        &self,
        path: &Path,
        mut row: impl FnMut(u64, &csv::StringRecord) -> Result<(), String>,
    ) -> Result<(), ManifestError> {
        let mut reader = csv::ReaderBuilder::new().delimiter(self.separator).from_reader(&self.text[..]);
        // An error's line is the reader's position: after the header.
        reader.headers().map_err(|error| bad_record(path, &error))?;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| bad_record(path, &error))? {
            let line = record.position().map_or(0, csv::Position::line);
            row(line, &record).map_err(|reason| ManifestError::Line {
                path: path.to_owned(),
                line,
                reason,
            })?;
        }
        Ok(())
    }
}

/// How two bytes make a unit of UTF-16.
type FromBytes = fn([u8; 2]) -> u16;

/// `bytes` in UTF-8 without a byte order mark. UTF-16 is recognised by its mark, or by the zero
/// next to the first letter.
///
/// # Errors
/// The bytes begin as UTF-16 and are not.
fn decoded(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let (units, from): (&[u8], FromBytes) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => (bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => (bytes, u16::from_be_bytes),
        _ => return Ok(Cow::Borrowed(bytes.strip_prefix(BOM).unwrap_or(bytes))),
    };
    let broken = || "it begins as UTF-16 and is not; save it as UTF-8".to_owned();
    let pairs = units.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(broken());
    }
    let units = pairs.map(|pair| from([pair[0], pair[1]]));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    Ok(Cow::Owned(text.map_err(|_| broken())?.into_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<[String; 2]>, ManifestError> {
        let mut rows = Vec::new();
        each_row(Path::new("list.csv"), bytes, &["name", "label"], &[], |_, fields| {
            rows.push([fields[0].to_owned(), fields[1].to_owned()]);
            Ok(())
        })?;
        Ok(rows)
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn separators_and_encodings_are_found() {
        let text = "label,name\nreal,Jürgen.png\nfake,\"b, c.png\"\n";
        let expected = [["Jürgen.png", "real"], ["b, c.png", "fake"]].map(|row| row.map(str::to_owned));
        let (semicolons, tabs) =
            (text.replace("l,", "l;").replace("e,\"", "e;\""), text.replace("l,", "l\t"));
        let tabs = tabs.replace("e,\"", "e\t\"");
        let marked = format!("\u{feff}{text}");
        let files = [
            text.as_bytes().to_vec(),
            semicolons.into_bytes(),
            tabs.into_bytes(),
            marked.as_bytes().to_vec(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            text.replace('\n', "\r\n").into_bytes(),
        ];
        for (number, file) in files.iter().enumerate() {
            assert_eq!(read(file).unwrap(), expected, "file {number}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let says = |bytes: &[u8], expected: &str| {
            let message = read(bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        says(b"", "is empty");
        says(b";;\n", "is empty");
        says(b"name;class\na.png;1\n", "column \"label\" is missing");
        says(b"name,label\na.png\n", "line 2: has 1 fields where the header has 2");
        says(b"name,label\nJ\xfcrgen.png,real\n", "line 2: is not UTF-8");
        says(&[0xff, 0xfe, b'n', 0, b'a'], "begins as UTF-16");
        says(&[0xff, 0xfe, 0, 0xd8, b'a', 0], "begins as UTF-16");
    }
}
