//! `dfrt report`: renders the report of a study again.

use super::options::options;
use crate::{failure, output};
use anyhow::Result;
use dfrt_runtime::report::{self, Extras, folder, merge};
use dfrt_runtime::results::jobs::JobList;
use dfrt_runtime::results::study;
use std::path::{Path, PathBuf};

options! {
/// render a study's results again: report.html, report.md, CSV tables and plots
#[argh(
    name = "report",
    example = "{command_name} dfrt-demo",
    note = "Renderings are replaced. Where the folder has a jobs.json, report.json is merged again from the results \
    that are there, and what is missing is said; else it is only read."
)]
pub struct Report {
    /// folder that `dfrt study` wrote
    #[argh(positional)]
    folder: Option<PathBuf>,
    /// print the JSON Schema of report.json instead (docs/report.schema.json)
    #[argh(switch)]
    schema: bool,
    json,
}
}

impl Report {
    /// Renders the report again and prints the paths of the files.
    pub fn run(self) -> Result<()> {
        match (&self.folder, self.schema) {
            (None, true) => output::json(&study::schema()),
            (Some(folder), false) => self.render(folder),
            (None, false) => {
                Err(failure::usage("the folder of a study is missing; see `dfrt report --help`"))
            }
            (Some(_), true) => {
                Err(failure::usage("--schema is that of every report.json; give no folder with it"))
            }
        }
    }

    fn render(&self, dir: &Path) -> Result<()> {
        // A study whose jobs were done one by one has no report yet, or one of fewer results.
        let written = match merged(dir)? {
            Some((report, extras)) => {
                output::list("note", "units of work are not done", &report.missing, None);
                report::write(dir, &report, &extras)?
            }
            None => folder::render(dir)?,
        };
        output::warn_skipped("parts of the report", &written.missing, None);
        if self.json {
            return output::json(&study::Report::read(dir)?);
        }
        let files: Vec<_> = written.files.iter().map(|file| file.display().to_string()).collect();
        output::print(files.join("\n"))
    }
}

/// The report of the results that are there, and what belongs to it; none without a list of jobs, or where report.json has
/// results that are no longer there.
fn merged(dir: &Path) -> Result<Option<(study::Report, Extras)>> {
    if JobList::read(dir)?.is_none() {
        return Ok(None);
    }
    let merged = merge::merge(dir)?;
    let path = dir.join(study::FILE);
    let earlier = path.exists().then(|| study::Report::read(dir)).transpose()?;
    match earlier {
        Some(earlier) if !merged.0.has_all_of(&earlier) => {
            output::note(format!(
                "note: {} has results whose files are not there; it is rendered as it is",
                path.display()
            ));
            Ok(None)
        }
        _ => Ok(Some(merged)),
    }
}
