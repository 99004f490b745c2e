//! `dfrt data`: data sets on a disk, a file a subcommand.

mod forge;
mod index;
mod synth;
mod whole;

use anyhow::Result;
use argh::FromArgs;

/// make and list data sets
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
    Forge(forge::Forge),
    Index(index::Index),
}

impl Data {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Synth(command) => command.run(),
            Command::Forge(command) => command.run(),
            Command::Index(command) => command.run(),
        }
    }
}
