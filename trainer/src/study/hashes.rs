//! The hashes of a study's models.

use dfrt_runtime::storage;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The SHA-256 of files by path, each with the time and length at which it was taken: the model of a RUN
/// is asked for by each of its units of work.
#[derive(Debug, Default)]
pub struct Hashes(Mutex<HashMap<PathBuf, (SystemTime, u64, String)>>);

impl Hashes {
    /// The SHA-256 of the file; none if it cannot be read.
    pub fn of(&self, path: &Path) -> Option<String> {
        let about = std::fs::metadata(path).ok()?;
        let (time, len) = (about.modified().ok()?, about.len());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, length, hash)) = known().get(path)
            && (*then, *length) == (time, len)
        {
            return Some(hash.clone());
        }
        let hash = storage::sha256_of_file(path).ok()?;
        known().insert(path.to_owned(), (time, len, hash.clone()));
        Some(hash)
    }
}
