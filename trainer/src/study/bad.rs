//! Settings of a study that cannot be used.

/// Settings that cannot be used. The message says which, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadStudy(String);

impl BadStudy {
    /// Of a reason, in one line.
    pub(super) fn of(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}
