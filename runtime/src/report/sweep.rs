//! The folder of an attack at several radii: sweep.json, sweep.csv and plots/*.png,
//! beside the attacks' own folders.

use super::plots::sweep;
use super::{ReportError, Written, tables};
use crate::attack::result::SampleResult;
use crate::attack::sweep::Sweep;
use crate::storage;
use std::path::Path;

/// Writes `sweep` into `dir`; `samples` are the pictures of each point.
///
/// # Errors
/// A file cannot be written or a plot not be drawn.
pub fn write(dir: &Path, sweep: &Sweep, samples: &[Vec<SampleResult>]) -> Result<Written, ReportError> {
    let json = serde_json::to_vec_pretty(sweep).map_err(|error| ReportError::NotFinite(error.to_string()))?;
    let mut files = vec![("sweep.json".into(), json), ("sweep.csv".into(), tables::sweep(sweep))];
    let plots = sweep::draw(sweep, samples)?;
    files.extend(plots.into_iter().map(|plot| (Path::new("plots").join(plot.file), plot.png)));
    let mut written = Written { files: Vec::new(), missing: Vec::new() };
    for (name, bytes) in files {
        let path = dir.join(name);
        storage::write(&path, &bytes)?;
        written.files.push(path);
    }
    Ok(written)
}
