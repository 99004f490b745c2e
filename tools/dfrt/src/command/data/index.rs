//! `dfrt data index`: a folder becomes a manifest.

use crate::output;
use crate::place;
use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::data::layouts::{self, Media};
use serde_json::json;
use std::path::PathBuf;

/// read a folder in a known layout into a manifest: path,label,subset,group,split
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "index",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} faces --out faces.csv",
    note = "Layouts: folder ({{train,val,test}}/{{real,fake}}/…, with an optional split.csv that names \
    the person or video of each file). Every command that takes --data also takes the folder itself."
)]
pub struct Index {
    /// folder of the data set
    #[argh(positional)]
    folder: PathBuf,
    /// layout, or auto to recognise it (default auto)
    #[argh(option, default = "String::from(\"auto\")")]
    layout: String,
    /// manifest to write
    #[argh(option)]
    out: PathBuf,
    /// replace an earlier manifest
    #[argh(switch)]
    force: bool,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}

impl Index {
    /// Does it.
    pub fn run(self) -> Result<()> {
        place::file(&self.out, self.force)?;
        let manifest = layouts::read(&self.folder, &self.layout, Media::Pictures)?;
        manifest.write(&self.out)?;
        let summary = manifest.summary();
        output::passed_over(&format!("entries of {}", self.folder.display()), &manifest.skipped, None);
        if self.json {
            return output::json(&json!({
                "manifest": self.out,
                "pictures": manifest.samples.len(),
                "parts": summary.parts,
                "skipped": manifest.skipped.len(),
                "skipped_files": manifest.skipped,
                "sha256": manifest.sha256(),
            }));
        }
        output::say(format!("{summary}{} pictures in {}", manifest.samples.len(), self.out.display()))
    }
}
