//! The command line as users meet it: every command once on a tiny drawn set, its
//! exit codes, its JSON, and every kind of bad input. Tests of the kind `gpu` need a
//! device that can train, those of the kind `ffmpeg` that program, those of the kind
//! `tensorboard` a device and a Python with that package; without it they are reported as ignored.

mod workshop;

mod any_model;
mod attacking;
mod auditing;
mod bad_models;
mod bad_pictures;
mod bright;
mod corrupting;
mod data;
mod event_files;
mod explaining;
mod extracting;
mod forging;
mod importing;
mod indexing;
mod listing;
mod measuring;
mod records;
mod resuming;
mod schemas;
mod studying;
mod suites;
mod thresholds;
mod training;
mod usage;
mod watching;

use dfrt_runtime::faces::video::Ffmpeg;
use dfrt_trainer::gpu::device;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn all() -> Vec<Trial> {
    let all = [
        usage::trials(),
        data::trials(),
        extracting::trials(),
        indexing::trials(),
        listing::trials(),
        forging::trials(),
        auditing::trials(),
        training::trials(),
        importing::trials(),
        resuming::trials(),
        schemas::trials(),
        measuring::trials(),
        attacking::trials(),
        suites::trials(),
        records::trials(),
        corrupting::trials(),
        explaining::trials(),
        studying::trials(),
        watching::trials(),
        thresholds::trials(),
        any_model::trials(),
        bad_models::trials(),
        bad_pictures::trials(),
    ];
    all.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let no_device = device::list().is_empty();
    let no_tensorboard = no_device || workshop::python_with_tensorboard().is_none();
    let missing = [
        (workshop::GPU, "no Vulkan device", no_device),
        (workshop::TENSORBOARD, "no device, or no Python with tensorboard on the PATH", no_tensorboard),
        (workshop::FFMPEG, "no ffmpeg on the PATH", Ffmpeg::find().is_err()),
    ];
    let lacks = |trial: &Trial| missing.iter().any(|(kind, _, missing)| *missing && trial.kind() == *kind);
    let mut trials = all();
    let counts = missing.map(|(kind, ..)| trials.iter().filter(|trial| trial.kind() == kind).count());
    trials = trials
        .into_iter()
        .map(|trial| (lacks(&trial), trial))
        .map(|(lacks, trial)| trial.with_ignored_flag(lacks))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    for ((_, why, _), count) in missing.iter().zip(counts).filter(|((.., missing), _)| *missing) {
        eprintln!("{why}: {count} command-line tests that need it ignored");
    }
    workshop::close();
    conclusion.exit_code()
}
