//! `dfrt data`: data sets on a disk, a file a subcommand.

mod audit;
mod index;
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
enum Command {
    Synth(synth::Synth),
    Index(index::Index),
    Audit(audit::AuditSet),
}

impl Data {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Synth(command) => command.run(),
            Command::Index(command) => command.run(),
            Command::Audit(command) => command.run(),
        }
    }
}
