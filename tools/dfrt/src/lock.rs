//! Taking a folder to write into, with a remark where a killed process had left its lock.

use crate::output;
use dfrt_runtime::results::lock::{Lock, LockError};
use std::path::Path;

/// Takes the folder `out`, as [`Lock::of`].
pub fn of(out: &Path) -> Result<Lock, LockError> {
    taken(out, Lock::of(out)?)
}

/// Takes the folder `out`, which is put in its place when it is whole, as [`Lock::beside`].
pub fn beside(out: &Path) -> Result<Lock, LockError> {
    taken(out, Lock::beside(out)?)
}

fn taken(out: &Path, lock: Lock) -> Result<Lock, LockError> {
    if let Some(holder) = lock.left_by() {
        note_taken_over(out, holder);
    }
    Ok(lock)
}

/// Says that the folder `out` was locked by `holder`, which had ended before its work was.
pub fn note_taken_over(out: &Path, holder: &str) {
    output::note(format!(
        "note: {}: {holder} was ended before its work was; its lock is taken over",
        out.display()
    ));
}
