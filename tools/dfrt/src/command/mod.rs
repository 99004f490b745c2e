//! The commands, one a file. Parsing is argh's; what a command does is its
//! `run`, and what others may use of it stands beside that.

pub mod attack;
pub mod bench;
pub mod corrupt;
pub mod data;
pub mod devices;
pub mod eval;
pub mod export;
pub mod import;
pub mod inspect;
mod reading;
pub mod report;
pub mod selftest;
pub mod study;
pub mod train;
pub mod verify;

use crate::failure;
use anyhow::Result;
use argh::FromArgs;
use std::ffi::OsString;

/// What the program is called in its own texts.
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
    note = "Each command tells more with --help. Results are never overwritten without --force."
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
#[expect(clippy::large_enum_variant, reason = "there is one, in a box")]
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
    /// Does it.
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
    /// A text: help, or the version.
    Told(String),
    /// It cannot be understood.
    Wrong(anyhow::Error),
}

/// Understands the arguments after the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Parsed {
    let arguments: Result<Vec<String>, OsString> = arguments.map(OsString::into_string).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(argument) => {
            let shown = argument.to_string_lossy().into_owned();
            return Parsed::Wrong(failure::usage(format!("{shown:?} is not UTF-8; rename the file")));
        }
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match Dfrt::from_args(&[NAME], &arguments) {
        Ok(Dfrt { version: true, .. }) => Parsed::Told(format!("{NAME} {}", env!("CARGO_PKG_VERSION"))),
        Ok(Dfrt { command: Some(command), .. }) => Parsed::Run(Box::new(command)),
        Ok(Dfrt { command: None, .. }) => wrong("no command is given", &arguments),
        Err(exit) if exit.status.is_ok() => Parsed::Told(exit.output),
        Err(exit) => wrong(&exit.output, &arguments),
    }
}

/// What argh says, and where to read more.
fn wrong(what: &str, arguments: &[&str]) -> Parsed {
    let words = |argument: &&&str| !argument.starts_with('-');
    let depth = if arguments.first() == Some(&"data") { 2 } else { 1 };
    let named: Vec<&str> = arguments.iter().take(depth).take_while(words).copied().collect();
    let command = std::iter::once(NAME).chain(named).collect::<Vec<_>>().join(" ");
    // An unknown command has no help of its own.
    let command = if what.starts_with("Unrecognized argument") && command_is_unknown(arguments) {
        NAME.to_owned()
    } else {
        command
    };
    let what = what.trim().trim_end_matches(['.', ';']);
    Parsed::Wrong(failure::usage(format!("{what}; see `{command} --help`")))
}

fn command_is_unknown(arguments: &[&str]) -> bool {
    arguments
        .first()
        .is_none_or(|first| <Command as argh::SubCommands>::COMMANDS.iter().all(|known| known.name != *first))
}

/// The names in options that may be given several times, each a list a,b,….
pub fn listed(options: &[String]) -> Vec<String> {
    let names = options.iter().flat_map(|option| option.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Sets how many threads decode pictures and run the model.
///
/// # Errors
/// 0 threads, or more than the system gives.
pub fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    if threads == 0 {
        return Err(failure::usage("--threads 0: nothing would run; ask for at least 1"));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| anyhow::anyhow!("--threads {threads}: {error}; ask for fewer"))
}

/// What a command answers that needs the trainer, in a build without it.
#[cfg(not(feature = "train"))]
pub fn no_training(command: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{command}: this build of dfrt has no training and no GPU (it was built without the feature `train`); use one built with `cargo build --release -p dfrt`"
    )
}
