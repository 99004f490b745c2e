//! Everything that needs a GPU, each case a test of its own, named `subject/case`.
//! Without one they are reported as ignored: nothing here passes unseen.
//!
//! A new file gives its `trials()` to `all` below; `harness` checks recordings.

mod bench;
mod goldens;
mod harness;
mod learning;
mod network;
mod ops;
mod places;
#[path = "../planted_shaders/mod.rs"]
mod planted_shaders;
mod real;
mod shader;

use dfrt_trainer::gpu::device;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn all() -> Vec<Trial> {
    let all = [
        harness::trials(),
        network::trials(),
        learning::trials(),
        ops::trials(),
        goldens::trials(),
        real::trials(),
        bench::trials(),
        shader::trials(),
    ];
    all.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One device, and one place where its errors are kept: one test at a time.
    arguments.test_threads.get_or_insert(1);
    let devices = device::list();
    let ignored = |trial: Trial| {
        // Some need files as well.
        let ignored = devices.is_empty() || trial.has_ignored_flag();
        trial.with_ignored_flag(ignored)
    };
    let trials: Vec<_> = all().into_iter().map(ignored).collect();
    let count = trials.len();
    if let Some(used) = devices.iter().find(|device| device.default) {
        eprintln!("GPU tests on {} ({}, {}, {})", used.name, used.kind, used.api, used.driver);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if devices.is_empty() {
        eprintln!("no Vulkan device: {count} GPU tests ignored");
    } else {
        harness::print_closest();
        goldens::print_figures();
    }
    conclusion.exit_code()
}
