//! Results that are one JSON object in a file.

use super::ResultError;
use crate::storage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Writes `object` to `path`, indented, with a newline at the end.
///
/// # Errors
/// The file cannot be written, or a figure is no finite number: that would be written as null, which no
/// field without an `Option` reads back. An earlier file stays.
pub fn write<T: Serialize + DeserializeOwned>(path: &Path, object: &T) -> Result<(), ResultError> {
    let mut text = serde_json::to_string_pretty(object).map_err(|error| ResultError::garbled(path, error))?;
    serde_json::from_str::<T>(&text)
        .map_err(|error| ResultError::NotFinite { path: path.to_owned(), reason: error.to_string() })?;
    text.push('\n');
    Ok(storage::write(path, text.as_bytes())?)
}

/// The object in the file at `path`.
///
/// # Errors
/// The file is missing or holds no such object.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ResultError> {
    serde_json::from_slice(&storage::read(path)?).map_err(|error| ResultError::garbled(path, error))
}
