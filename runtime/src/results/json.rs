//! Results that are one JSON object in a file.

use super::ResultError;
use crate::storage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Writes `object` to `path`, indented, with a newline at the end.
///
/// # Errors
/// The file cannot be written; an earlier one stays.
pub fn write(path: &Path, object: &impl Serialize) -> Result<(), ResultError> {
    let mut text = serde_json::to_string_pretty(object).map_err(|error| ResultError::garbled(path, error))?;
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
