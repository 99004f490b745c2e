//! `dfrt data`: data sets on a disk, a file a subcommand.

mod audit;
mod extract;
mod faces;
mod forge;
mod index;
mod join;
mod replace;
mod shared;
mod synth;

use anyhow::Result;
use argh::FromArgs;

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

impl Data {
    /// Does it.
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
