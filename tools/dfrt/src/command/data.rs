//! `dfrt data`: data sets on a disk, one file for each subcommand.

mod audit;
mod extract;
mod faces;
mod forge;
mod index;
mod join;
mod replace;
mod synth;

use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::data::layouts::{self, LAYOUTS};
use dfrt_runtime::data::manifest::Manifest;
use serde_json::json;
use std::path::Path;
use std::str::FromStr;

/// make, list and audit data sets
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "data",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} synth --out faces"
)]
pub struct Data {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
pub enum Command {
    Synth(synth::Synth),
    Forge(forge::Forge),
    Index(index::Index),
    Join(join::Join),
    Extract(extract::Options),
    Faces(faces::Faces),
    Audit(audit::AuditSet),
}

/// The name of a layout, or `auto` for the one that is recognised.
#[derive(Debug, PartialEq, Eq)]
struct LayoutName(String);

impl LayoutName {
    const AUTO: &str = "auto";
}

impl Default for LayoutName {
    fn default() -> Self {
        Self(Self::AUTO.to_owned())
    }
}

impl FromStr for LayoutName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = name == Self::AUTO || LAYOUTS.iter().any(|layout| layout.name() == name);
        let wrong = || format!("choose {} or one of {}", Self::AUTO, layouts::names());
        if known { Ok(Self(name.to_owned())) } else { Err(wrong()) }
    }
}

/// The JSON that describes the manifest `manifest`, written to `out`.
fn description(out: &Path, manifest: &Manifest) -> serde_json::Value {
    json!({
        "manifest": out,
        "pictures": manifest.samples.len(),
        "parts": manifest.summary().parts,
        "skipped": manifest.skipped.len(),
        "skipped_files": manifest.skipped,
        "rules": manifest.rules,
        "sha256": manifest.sha256(),
    })
}

impl Data {
    /// Runs the chosen command.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Synth(command) => command.run(),
            Command::Forge(command) => command.run(),
            Command::Index(command) => command.run(),
            Command::Join(command) => command.run(),
            Command::Extract(command) => command.run(),
            Command::Faces(command) => command.run(),
            Command::Audit(command) => command.run(),
        }
    }
}
