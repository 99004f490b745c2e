//! `dfrt export`: a RUN's best weights as an ONNX or safetensors file.

#[cfg(feature = "train")]
mod writing;

use argh::FromArgs;
use std::path::PathBuf;

/// write a RUN's best weights as ONNX (opset 17) with normalisation inside, or as safetensors
/// under the names of other programs
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "export",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} runs/gr --out gr.onnx\n\
    {command_name} runs/gr --out gr.safetensors --names timm",
    note = "The ONNX file says what it is: architecture, resolution, threshold, data, seed, method, hashes."
)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot export"))]
pub struct Export {
    /// RUN that `dfrt train` wrote
    #[argh(positional)]
    run: PathBuf,
    /// file to write: .onnx, or .safetensors
    #[argh(option)]
    out: PathBuf,
    /// pictures a run, fixed (default: any number)
    #[argh(option)]
    batch: Option<usize>,
    /// safetensors: whose names, torchvision (default), timm or efficientnet-pytorch
    #[argh(option)]
    names: Option<String>,
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
