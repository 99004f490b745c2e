//! Locks an output folder, and notes a lock that a killed process left.

use crate::output;
use dfrt_runtime::results::lock::{Lock, LockError};
use std::path::Path;

/// Locks the folder `out`; see [`Lock::of`].
///
/// # Errors
/// Those of [`Lock::of`].
pub fn of(out: &Path) -> Result<Lock, LockError> {
    note_earlier(out, Lock::of(out)?)
}

/// Locks the folder `out`, which is moved into place when it is complete; see [`Lock::beside`].
///
/// # Errors
/// Those of [`Lock::beside`].
pub fn beside(out: &Path) -> Result<Lock, LockError> {
    note_earlier(out, Lock::beside(out)?)
}

fn note_earlier(out: &Path, lock: Lock) -> Result<Lock, LockError> {
    if let Some(holder) = lock.left_by() {
        note_taken_over(out, holder);
    }
    Ok(lock)
}

/// Notes that `holder` had locked the folder `out` and ended before its work was done.
pub fn note_taken_over(out: &Path, holder: &str) {
    output::note(format!(
        "note: {}: {holder} ended before its work was done; its lock is taken over",
        out.display()
    ));
}
