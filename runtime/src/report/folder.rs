//! The folder of a report: report.json, report.md, report.html, the CSV and LaTeX tables, plots/*.png and,
//! of some plots, *.svg.
//! Every file is written atomically; a failed write leaves the files written before.

use super::examples::galleries;
use super::extras::{ArmExtras, Extras};
use super::page::Page;
use super::{ReportError, html, latex, markdown, plots, tables};
use crate::results::ResultError;
use crate::results::study::{Arm, Report};
use crate::storage;
use std::path::{Path, PathBuf};

/// The result of writing a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The files, report.json (where written) first.
    pub files: Vec<PathBuf>,
    /// What is left out and why, a line each.
    pub missing: Vec<String>,
}

/// Writes report.json and all renderings of `report` into `dir`, creating it.
///
/// # Errors
/// A file cannot be written, a metric is not finite, or a plot cannot be drawn.
///
/// # Panics
/// `extras` do not belong to `report`: they have another number of arms or attacks.
pub fn write(dir: &Path, report: &Report, extras: &Extras) -> Result<Written, ReportError> {
    let path = report.write(dir)?;
    let mut written = render_files(dir, report, extras)?;
    written.files.insert(0, path);
    Ok(written)
}

/// Reads report.json in `dir` and the files next to it ([`Extras::load`]), and writes all
/// renderings again. report.json itself is not changed.
///
/// # Errors
/// Those of [`write()`], and report.json is missing or broken.
pub fn render(dir: &Path) -> Result<Written, ReportError> {
    let report = Report::read(dir)?;
    let extras = Extras::load(dir, &report);
    render_files(dir, &report, &extras)
}

fn render_files(dir: &Path, report: &Report, extras: &Extras) -> Result<Written, ReportError> {
    let fits = |(arm, extras): (&Arm, &ArmExtras)| arm.attacks.len() == extras.attacks.len();
    assert!(
        report.arms.len() == extras.arms.len() && report.arms.iter().zip(&extras.arms).all(fits),
        "the extras belong to this report"
    );
    let page = Page::of(report, extras);
    let plots = plots::draw(report, extras)?;
    let galleries = galleries(report, extras)?;
    let mut files = vec![
        (PathBuf::from("report.html"), html::html(&page, &plots, &galleries, &extras.views).into_bytes()),
        (PathBuf::from("report.md"), markdown::markdown(&page, &plots).into_bytes()),
    ];
    files.extend(tables::csv_files(report).into_iter().map(|(name, bytes)| (PathBuf::from(name), bytes)));
    files.extend(latex::latex_files(report).into_iter().map(|(name, bytes)| (PathBuf::from(name), bytes)));
    for plot in plots {
        let folder = Path::new("plots");
        let svg = plot.drawing.as_ref().map(|drawing| drawing.svg.file().into_bytes());
        files.extend(svg.map(|svg| (folder.join(plot.svg_file()), svg)));
        files.push((folder.join(&plot.file), plot.png));
    }
    Ok(Written { files: save(dir, files)?, missing: page.missing })
}

/// Writes `files` by name into `dir` and returns their paths.
pub(super) fn save(
    dir: &Path,
    files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>,
) -> Result<Vec<PathBuf>, ReportError> {
    let written = files.into_iter().map(|(name, bytes)| {
        let path = dir.join(name);
        storage::write(&path, &bytes).map_err(ResultError::from)?;
        Ok(path)
    });
    written.collect()
}
