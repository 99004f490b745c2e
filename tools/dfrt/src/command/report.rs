//! `dfrt report`: renders the report of a study again.

use super::options::options;
use crate::output;
use anyhow::Result;
use dfrt_runtime::report::{self, Extras, folder, merge};
use dfrt_runtime::results::jobs::JobList;
use dfrt_runtime::results::study;
use std::path::PathBuf;

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
    folder: PathBuf,
    json,
}
}

impl Report {
    /// Renders the report again and prints the paths of the files.
    pub fn run(self) -> Result<()> {
        // A study whose jobs were done one by one has no report yet, or one of fewer results.
        let written = match self.merged()? {
            Some(report) => {
                let extras = Extras::load(&self.folder, &report);
                output::list("note", "units of work are not done", &report.missing, None);
                report::write(&self.folder, &report, &extras)?
            }
            None => folder::render(&self.folder)?,
        };
        output::warn_skipped("parts of the report", &written.missing, None);
        if self.json {
            return output::json(&study::Report::read(&self.folder)?);
        }
        let files: Vec<_> = written.files.iter().map(|file| file.display().to_string()).collect();
        output::print(files.join("\n"))
    }

    /// The report of the results that are there; none without a list of jobs, or where report.json has
    /// results that are no longer there.
    fn merged(&self) -> Result<Option<study::Report>> {
        if JobList::read(&self.folder)?.is_none() {
            return Ok(None);
        }
        let merged = merge::merge(&self.folder)?;
        let path = self.folder.join(study::FILE);
        let earlier = path.exists().then(|| study::Report::read(&self.folder)).transpose()?;
        match earlier {
            Some(earlier) if !merged.has_all_of(&earlier) => {
                output::note(format!(
                    "note: {} has results whose files are not there; it is rendered as it is",
                    path.display()
                ));
                Ok(None)
            }
            _ => Ok(Some(merged)),
        }
    }
}
