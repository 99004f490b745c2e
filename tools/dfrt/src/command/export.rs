//! `dfrt export`: a RUN's best weights as an ONNX or safetensors file.

#[cfg(feature = "train")]
mod writing;

use super::options::options;
use super::values::{count, trained::Scheme};
use std::path::PathBuf;

options! {
/// write a RUN's best weights as ONNX (opset 17) with normalisation inside, or as safetensors
/// under the names of other programs
#[argh(
    name = "export",
    example = "{command_name} runs/gr --out gr.onnx\n\
    {command_name} runs/gr --out gr.safetensors --names timm",
    note = "The ONNX file says what it is: architecture, resolution, threshold, data, seed, method, hashes."
)]
pub struct Export {
    /// RUN that `dfrt train` wrote
    #[argh(positional)]
    run: PathBuf,
    /// file to write: .onnx, or .safetensors
    #[argh(option)]
    out: PathBuf,
    /// pictures a run, fixed (default: any number)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    /// safetensors: whose names, torchvision (default), timm or efficientnet-pytorch
    #[argh(option)]
    names: Option<Scheme>,
    force,
}
}

impl Export {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("export"))
    }
}
