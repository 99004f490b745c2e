//! `dfrt`: how robust is a deepfake detector, does gradient regularization make it
//! more robust, and what does it cost on the device where it will run?

mod command;
#[cfg(feature = "train")]
mod conventions;
mod dataset;
mod failure;
mod lock;
mod model;
#[cfg(feature = "train")]
mod network;
mod output;
mod paths;
mod progress;
#[cfg(feature = "train")]
mod quiet;
mod threshold;
#[cfg(feature = "train")]
mod training;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "train")]
    quiet::disable_device_select();
    failure::catch_panics(|| match command::parse(std::env::args_os().skip(1)) {
        command::Parsed::Run(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error),
        },
        command::Parsed::Print(text) => output::print_help(&text),
        command::Parsed::Invalid(error) => failure::report(&error),
    })
}
