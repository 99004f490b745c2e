//! Writes the folder of `dfrt corrupt`: corrupt.json, corrupt.csv, plots, and one picture at
//! every level.

use super::plots::{Plot, corrupted as plots};
use super::{ReportError, folder, tables};
use crate::data::corruption::Corruption;
use crate::results::corruption::{self, Corrupted};
use image::RgbImage;
use std::path::{Path, PathBuf};

/// Writes `corrupted` into `dir` and returns the files' paths. `example` is a picture at the
/// detector's input size.
///
/// # Errors
/// A file cannot be written, or a plot cannot be drawn.
pub fn write(
    dir: &Path,
    corrupted: &Corrupted,
    example: Option<&RgbImage>,
) -> Result<Vec<PathBuf>, ReportError> {
    let mut json = serde_json::to_vec_pretty(corrupted).expect("plain values");
    json.push(b'\n');
    let mut files = vec![
        (PathBuf::from(corruption::FILE), json),
        (corruption::TABLE.into(), tables::corrupted(corrupted)),
    ];
    let mut all: Vec<Plot> = plots::draw(corrupted)?;
    let kinds: Vec<Corruption> = corrupted.corruptions.iter().map(|kind| kind.name).collect();
    if let Some(example) = example {
        all.push(plots::levels(example, &kinds, corrupted.seed)?);
    }
    files.extend(all.into_iter().map(|plot| (Path::new("plots").join(plot.file), plot.png)));
    folder::save(dir, files)
}
