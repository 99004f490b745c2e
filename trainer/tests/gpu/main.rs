//! Everything that needs a GPU, each case a test of its own, named `subject/case`.
//! Without one they are reported as ignored: nothing here passes unseen.
//!
//! A new file gives its `trials()` to `all` below; `harness` checks recordings.

mod goldens;
mod harness;
mod learning;
mod network;
mod ops;

use dfrt_trainer::gpu::device;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn all() -> Vec<Trial> {
    [harness::trials(), network::trials(), learning::trials(), ops::trials(), goldens::trials()]
        .into_iter()
        .flatten()
        .collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One device, and one place where its errors are kept: one test at a time.
    arguments.test_threads.get_or_insert(1);
    let devices = device::list();
    let trials: Vec<_> = all().into_iter().map(|trial| trial.with_ignored_flag(devices.is_empty())).collect();
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
