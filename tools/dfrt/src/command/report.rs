//! `dfrt report`: renders the report of a study again.

use super::options::options;
use crate::output;
use anyhow::Result;
use dfrt_runtime::report::folder;
use dfrt_runtime::results::study;
use std::path::PathBuf;

options! {
/// render a study's results again: report.html, report.md, CSV tables and plots
#[argh(
    name = "report",
    example = "{command_name} dfrt-demo",
    note = "Renderings are replaced; report.json, which they are made from, is only read."
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
        let written = folder::render(&self.folder)?;
        output::warn_skipped("parts of the report", &written.missing, None);
        if self.json {
            return output::json(&study::Report::read(&self.folder)?);
        }
        let files: Vec<_> = written.files.iter().map(|file| file.display().to_string()).collect();
        output::print(files.join("\n"))
    }
}
