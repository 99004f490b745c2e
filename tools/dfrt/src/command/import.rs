//! `dfrt import`: a RUN of weights from elsewhere.

#[cfg(feature = "train")]
mod run;

use super::options::options;
use super::values::{finite, trained::Arch};
use std::path::PathBuf;

options! {
/// make a RUN of weights from elsewhere: safetensors, a PyTorch file (no code in it is
/// run), or ONNX that dfrt exported
#[argh(
    name = "import",
    example = "{command_name} efficientnet_b0.pth --arch efficientnet-b0 --new-head --out runs/imported\n\
    {command_name} tf_efficientnet_b0.safetensors --family tf --new-head --out runs/tf\n\
    {command_name} detector.pth --key model --head net._fc --mean 0,0,0 --std 1,1,1 --out runs/detector",
    note = "Names as torchvision, timm or efficientnet-pytorch give them. Families: torchvision, timm \
    (symmetric padding, eps 1e-5, ImageNet's mean and deviation), timm-ra4 (mean and deviation 0.5), tf \
    (SAME padding, eps 1e-3), tf-ap (so, and 0.5), efficientnet-pytorch (SAME at its own resolution), \
    deepfakebench (so, no border at the stem, 0.5), lite (SAME, 127/255, 128/255). The RUN holds \
    config.toml, best.safetensors, model.onnx and summary.json."
)]
pub struct Import {
    /// file of weights, or a RUN
    #[argh(positional)]
    file: PathBuf,
    /// efficientnet-b0 to -b7, efficientnet-lite0 or efficientnet-tiny (default: the one that the
    /// file states or fits)
    #[argh(option)]
    arch: Option<Arch>,
    /// folder of the RUN
    #[argh(option)]
    out: PathBuf,
    /// side of the network's input in pixels, a multiple of 32 or a published one (default: the
    /// file's, else the architecture's)
    #[argh(option)]
    res: Option<usize>,
    weights,
    /// logit above which a picture is called fake (default: the file's, else 0)
    #[argh(option, from_str_fn(finite))]
    threshold: Option<f64>,
    /// manifest or folder that other commands take for this model when none is named
    #[argh(option)]
    data: Option<PathBuf>,
    seed, force, json,
}
}

impl Import {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("import"))
    }
}
