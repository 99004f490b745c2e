//! The pictures of a data set, each read and inspected once.

use super::inspection::{Inspection, inspect};
use crate::data::picture::PictureError;
use crate::sample::Sample;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The progress of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Reading and inspecting pictures.
    Read {
        /// Pictures done.
        done: usize,
        /// All pictures.
        total: usize,
    },
    /// Reading again and hashing pictures that may be copies.
    Hashed {
        /// Pictures done.
        done: usize,
        /// All pictures.
        total: usize,
    },
}

/// A readable picture and its inspection.
pub(super) type Inspected<'a> = (&'a Sample, Inspection);

/// A sample's path as text.
pub(super) fn path_of(sample: &Sample) -> String {
    sample.path.to_string_lossy().into_owned()
}

/// Inspects `samples`: every picture that can be read, and the error of each other one.
pub(super) fn inspect_all<'a>(
    samples: &'a [Sample],
    progress: &(dyn Fn(Progress) + Sync),
) -> (Vec<Inspected<'a>>, Vec<(&'a Sample, PictureError)>) {
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
    let (mut inspected, mut bad) = (Vec::with_capacity(samples.len()), Vec::new());
    for (sample, result) in samples.iter().zip(results) {
        match result {
            Ok(inspection) => inspected.push((sample, inspection)),
            Err(error) => bad.push((sample, error)),
        }
    }
    (inspected, bad)
}
