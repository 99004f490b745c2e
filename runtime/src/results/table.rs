//! Results that are a CSV file: a header, then one record a line.

use super::ResultError;
use crate::storage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Writes `records` to `path`; without any, the file is empty.
///
/// # Errors
/// The file cannot be written; an earlier one stays.
pub fn write(path: &Path, records: &[impl Serialize]) -> Result<(), ResultError> {
    Ok(storage::write_with(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        for record in records {
            table.serialize(record).map_err(std::io::Error::other)?;
        }
        table.flush()
    })?)
}

/// The records in the file at `path`.
///
/// # Errors
/// The file is missing, or a line is no such record; the message names it.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ResultError> {
    let bytes = storage::read(path)?;
    let records = csv::Reader::from_reader(&bytes[..]).into_deserialize();
    records.collect::<Result<_, csv::Error>>().map_err(|error| ResultError::garbled(path, error))
}
