//! The files of results that dfrt writes and reads again, each described once: what a command or
//! a report reads is what this wrote. (bench.json, audit.json and extract.json, which nothing here
//! reads, are described where they are made.)
//!
//! [`run`] is the folder of a training run with its [`training_log`], [`evaluation`] is
//! eval.json and scores.csv, [`attack`] an attack's folder, [`corruption`] corrupt.json,
//! [`transfer`] transfer.json, [`audited`] what reports read of audit.json, [`study`] report.json with the folders beside it, [`figure`] its figures
//! over seeds and [`jobs`] the list of its units of work. Fields are added, never renamed or
//! removed, so that results of earlier versions can be read.

pub mod attack;
pub mod audited;
pub mod corruption;
pub mod evaluation;
pub mod explanation;
pub mod figure;
pub mod jobs;
pub mod json;
pub mod lock;
pub mod run;
pub mod study;
pub mod table;
pub mod training_log;
pub mod transfer;

use crate::storage::StorageError;
use std::path::{Path, PathBuf};

/// Why a result cannot be read or written; the text names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file holds something else.
    #[error("{}: cannot be understood: {reason}; restore the file, or run again what wrote it", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where there are lines.
        reason: String,
    },
    /// A figure that is no finite number, which JSON cannot hold.
    #[error("{}: would hold a number that is not finite ({reason}); leave the figure out (null) where it is undefined", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Where it is, as the reader of JSON says it.
        reason: String,
    },
}

impl ResultError {
    /// The file at `path` holds something else, as `reason` says.
    pub fn garbled(path: &Path, reason: impl ToString) -> Self {
        Self::Garbled { path: path.to_owned(), reason: reason.to_string() }
    }
}
