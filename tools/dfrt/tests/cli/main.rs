//! The command line as users meet it: every command once on a tiny drawn set, its
//! exit codes, its JSON, and every kind of bad input. Tests of the kind `gpu` need a
//! device that can train; without one they are reported as ignored.

mod workshop;

mod any_model;
mod attacking;
mod auditing;
mod bad_models;
mod bad_pictures;
mod corrupting;
mod data;
mod importing;
mod measuring;
mod resuming;
mod studying;
mod suites;
mod training;
mod usage;

use dfrt_trainer::gpu::device;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn all() -> Vec<Trial> {
    let all = [
        usage::trials(),
        data::trials(),
        auditing::trials(),
        training::trials(),
        importing::trials(),
        resuming::trials(),
        measuring::trials(),
        attacking::trials(),
        suites::trials(),
        corrupting::trials(),
        studying::trials(),
        any_model::trials(),
        bad_models::trials(),
        bad_pictures::trials(),
    ];
    all.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let without = device::list().is_empty();
    let ignored = |trial: Trial| {
        let ignored = without && trial.kind() == workshop::GPU;
        trial.with_ignored_flag(ignored)
    };
    let trials: Vec<_> = all().into_iter().map(ignored).collect();
    let count = trials.iter().filter(|trial| trial.has_ignored_flag()).count();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if count > 0 {
        eprintln!("no Vulkan device: {count} command-line tests that need a GPU ignored");
    }
    workshop::close();
    conclusion.exit_code()
}
