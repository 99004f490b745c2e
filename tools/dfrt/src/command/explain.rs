//! `dfrt explain`: why models are as robust as they are.

#[cfg(feature = "train")]
mod models;
#[cfg(feature = "train")]
mod run;

use super::attack::Radii;
use super::options::options;
use super::values::{List, Taps, count};
use std::path::PathBuf;

options! {
/// say why models are as robust as they are: gradients, radii, features and what decided, of each
/// and against the first, in sentences with intervals
#[argh(
    name = "explain",
    example = "{command_name} --model baseline=study/baseline-seed0 --model gr=study/gr-seed0\n\
    {command_name} --model baseline=b0 --model baseline=b1 --model gr=g0 --model gr=g1 --out why\n\
    {command_name} --model gr --image photo.png --out photo-gr.png",
    note = "Needs networks that dfrt trained (a RUN, or an ONNX file that it exported) and a GPU. The folder holds \
    explain.md (the sentences and a table), explain.json, pictures.csv (a line for each model and picture) and images \
    (attack, Grad-CAM and gradient of the same pictures under every model). See docs/explain.md for the figures."
)]
pub struct Explain {
    /// a RUN or ONNX file, or NAME=PATH; several are compared with the first. Those of one NAME are
    /// the training seeds of one arm
    #[argh(option)]
    model: Vec<String>,
    /// manifest or folder (default: the data set that the first model names)
    #[argh(option)]
    data: Option<PathBuf>,
    split,
    /// pictures at most, balanced over the classes, the same ones each time (default 64)
    #[argh(option, from_str_fn(count))]
    limit: Option<usize>,
    /// a picture of unknown class to be shown instead: what decided, the gradient and an attack, in
    /// the PNG file --out
    #[argh(option)]
    image: Option<PathBuf>,
    /// radius of the attack that is shown, in 1/255 (default 1)
    #[argh(option, default = "List(Vec::new())")]
    eps: Radii,
    /// the features.i whose statistics are looked at (default 0,1,2)
    #[argh(option)]
    taps: Option<Taps>,
    /// pictures in images/ (default 4)
    #[argh(option, from_str_fn(count))]
    pictures: Option<usize>,
    /// pictures at once on the GPU (default 16)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    device, seed,
    /// folder for the results (default NAMES-explain); with --image a file (default
    /// IMAGE-explain.png)
    #[argh(option)]
    out: Option<PathBuf>,
    force, threads, json,
}
}

impl Explain {
    /// Fails: this build has no gradients.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("explain"))
    }
}
