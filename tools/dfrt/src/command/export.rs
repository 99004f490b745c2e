//! `dfrt export`: a RUN's best weights as an ONNX file.

#[cfg(feature = "train")]
mod writing;

use argh::FromArgs;
use std::path::PathBuf;

/// write a RUN's best weights as ONNX (opset 17) with normalisation inside
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "export",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} runs/gr --out gr.onnx",
    note = "The file says what it is: architecture, resolution, threshold, data, seed, method, hashes."
)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot export"))]
pub struct Export {
    /// RUN that `dfrt train` wrote
    #[argh(positional)]
    run: PathBuf,
    /// file to write
    #[argh(option)]
    out: PathBuf,
    /// pictures a run, fixed (default: any number)
    #[argh(option)]
    batch: Option<usize>,
    /// replace an earlier file
    #[argh(switch)]
    force: bool,
}

impl Export {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(super::no_training("export"))
    }
}
