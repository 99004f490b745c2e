//! The commands, one file each. argh parses the arguments; the method `run` does the work.

pub mod attack;
pub mod bench;
pub mod corrupt;
pub mod data;
pub mod devices;
pub mod eval;
pub mod explain;
pub mod export;
pub mod import;
pub mod inspect;
mod options;
pub mod report;
pub mod selftest;
pub mod study;
pub mod train;
mod values;
pub mod verify;

use crate::failure;
use crate::output;
use anyhow::Result;
use argh::{FromArgs, SubCommands};
use std::ffi::OsString;

/// The name of the program.
const NAME: &str = "dfrt";

/// How robust is a deepfake detector? Trains detectors on any GPU, plain or with
/// gradient regularization, exports them as ONNX, attacks that file, judges what
/// survives, and times it on this CPU.
#[derive(FromArgs)]
#[argh(
    help_triggers("-h", "--help", "help"),
    example = "{command_name} data synth --out faces\n\
    {command_name} train --data faces --arch efficientnet-tiny --res 64 --method gr --out gr\n\
    {command_name} attack --model gr --method pgd",
    note = "Each command has its own --help. Results are never overwritten without --force."
)]
struct Dfrt {
    /// print the version
    #[argh(switch)]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

/// A command with its arguments.
#[derive(FromArgs)]
#[argh(subcommand)]
#[expect(clippy::large_enum_variant, reason = "one value exists, in a box")]
pub enum Command {
    /// `dfrt devices`
    Devices(devices::Devices),
    /// `dfrt data …`
    Data(data::Data),
    /// `dfrt train`
    Train(train::Train),
    /// `dfrt import`
    Import(import::Import),
    /// `dfrt export`
    Export(export::Export),
    /// `dfrt inspect`
    Inspect(inspect::Inspect),
    /// `dfrt eval`
    Eval(eval::Eval),
    /// `dfrt attack`
    Attack(attack::Attack),
    /// `dfrt corrupt`
    Corrupt(corrupt::Corrupt),
    /// `dfrt explain`
    Explain(explain::Explain),
    /// `dfrt verify`
    Verify(verify::Verify),
    /// `dfrt bench`
    Bench(bench::Bench),
    /// `dfrt report`
    Report(report::Report),
    /// `dfrt study`
    Study(study::Study),
    /// `dfrt selftest`
    Selftest(selftest::Selftest),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Wrong usage, which is a [`crate::failure::usage`], or a failure. The commands' own `run` have no others.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Devices(command) => command.run(),
            Self::Data(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Eval(command) => command.run(),
            Self::Attack(command) => command.run(),
            Self::Corrupt(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Study(command) => command.run(),
            Self::Selftest(command) => command.run(),
        }
    }
}

/// What the command line asks for.
pub enum Parsed {
    /// A command.
    Run(Box<Command>),
    /// A text to print: help, or the version.
    Print(String),
    /// Arguments that are no command.
    Invalid(anyhow::Error),
}

/// Parses the arguments after the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Parsed {
    let arguments: Result<Vec<String>, OsString> = arguments.map(OsString::into_string).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(argument) => {
            let shown = argument.to_string_lossy().into_owned();
            return Parsed::Invalid(failure::usage(format!("{shown:?} is not UTF-8; rename the file")));
        }
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let translated = match bench::spelling::translated(&arguments) {
        Ok(translated) => translated,
        Err(error) => return Parsed::Invalid(error),
    };
    let old = translated.is_some();
    let arguments = translated.unwrap_or(arguments);
    match Dfrt::from_args(&[NAME], &arguments) {
        Ok(Dfrt { version: true, .. }) => Parsed::Print(format!("{NAME} {}", env!("CARGO_PKG_VERSION"))),
        Ok(Dfrt { command: Some(command), .. }) => {
            if old {
                output::note(format!("note: this is now spelled `{NAME} {}`", arguments.join(" ")));
            }
            Parsed::Run(Box::new(command))
        }
        Ok(Dfrt { command: None, .. }) => wrong("no command is given", &arguments),
        Err(exit) if exit.status.is_ok() => Parsed::Print(exit.output),
        Err(exit) => wrong(&exit.output, &arguments),
    }
}

/// The error of argh, on one line, with the `--help` to read.
fn wrong(what: &str, arguments: &[&str]) -> Parsed {
    let what = what.trim().trim_end_matches(['.', ';']);
    let what = option_error(what).unwrap_or_else(|| what.to_owned());
    Parsed::Invalid(failure::usage(format!("{what}; see `{} --help`", command_name(arguments))))
}

/// Turns into "--limit x: why" argh's "Error parsing option '--limit' with value 'x': why".
fn option_error(what: &str) -> Option<String> {
    let (option, rest) = what.strip_prefix("Error parsing option '")?.split_once("' with value '")?;
    let (value, why) = rest.split_once("': ")?;
    Some(format!("{option} {value}: {why}"))
}

/// The command that the arguments begin with, as far as it exists: "dfrt data index".
fn command_name(arguments: &[&str]) -> String {
    let below = match arguments.first() {
        Some(&"bench") => bench::Command::COMMANDS,
        Some(&"data") => data::Command::COMMANDS,
        _ => &[],
    };
    let named = arguments.iter().zip([Command::COMMANDS, below]);
    let named =
        named.map_while(|(word, known)| known.iter().any(|known| known.name == *word).then_some(*word));
    std::iter::once(NAME).chain(named).collect::<Vec<_>>().join(" ")
}
