//! Writes the folder of an attack at several radii: sweep.json, sweep.csv and plots/*.png, next
//! to the attacks' own folders.

use super::plots::sweep;
use super::{ReportError, folder, tables};
use crate::results::attack::SampleResult;
use crate::results::attack::sweep::{FILE, Sweep, TABLE};
use std::path::{Path, PathBuf};

/// Writes `sweep` into `dir` and returns the files' paths; `samples` are the results of each
/// point.
///
/// # Errors
/// A file cannot be written, or a plot cannot be drawn.
pub fn write(dir: &Path, sweep: &Sweep, samples: &[Vec<SampleResult>]) -> Result<Vec<PathBuf>, ReportError> {
    let json = serde_json::to_vec_pretty(sweep).expect("plain values");
    let mut files = vec![(PathBuf::from(FILE), json), (TABLE.into(), tables::sweep(sweep))];
    let plots = sweep::draw(sweep, samples)?;
    files.extend(plots.into_iter().map(|plot| (Path::new("plots").join(plot.file), plot.png)));
    folder::save(dir, files)
}
