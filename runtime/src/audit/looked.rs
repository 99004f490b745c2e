//! The pictures of a data set, each read and looked at once.

use super::inspection::{Inspection, inspect};
use crate::data::picture::PictureError;
use crate::sample::Sample;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Pictures are read and looked at.
    Read {
        /// Of them.
        done: usize,
        /// In all.
        total: usize,
    },
    /// Those that look exactly like another one are read once more and hashed.
    Hashed {
        /// Of them.
        done: usize,
        /// In all.
        total: usize,
    },
}

/// A readable picture and what is known of it.
pub(super) type Looked<'a> = (&'a Sample, Inspection);

/// A sample's path as text.
pub(super) fn path_of(sample: &Sample) -> String {
    sample.path.to_string_lossy().into_owned()
}

/// Every picture of `samples` that can be read, and why the others cannot.
pub(super) fn look<'a>(
    samples: &'a [Sample],
    progress: &(dyn Fn(Progress) + Sync),
) -> (Vec<Looked<'a>>, Vec<(&'a Sample, PictureError)>) {
    let done = AtomicUsize::new(0);
    let results: Vec<Result<Inspection, PictureError>> = samples
        .par_iter()
        .map(|sample| {
            let result = inspect(&sample.path);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress::Read { done, total: samples.len() });
            result
        })
        .collect();
    let (mut looked, mut bad) = (Vec::with_capacity(samples.len()), Vec::new());
    for (sample, result) in samples.iter().zip(results) {
        match result {
            Ok(inspection) => looked.push((sample, inspection)),
            Err(error) => bad.push((sample, error)),
        }
    }
    (looked, bad)
}
