//! `dfrt import`: a RUN of weights from elsewhere.

#[cfg(feature = "train")]
mod run;

use super::reading::{Triple, triple};
use argh::FromArgs;
use std::path::PathBuf;

/// make a RUN of weights from elsewhere: safetensors, a PyTorch file (no code in it is
/// run), or ONNX that dfrt exported
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "import",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} efficientnet_b0.pth --arch efficientnet-b0 --new-head --out runs/imported\n\
    {command_name} tf_efficientnet_b0.safetensors --family tf --new-head --out runs/tf\n\
    {command_name} detector.pth --key model --head net._fc --mean 0,0,0 --std 1,1,1 --out runs/detector",
    note = "Names as torchvision, timm or efficientnet-pytorch give them. Families: torchvision, timm \
    (symmetric padding, eps 1e-5, ImageNet's mean and deviation), timm-ra4 (mean and deviation 0.5), tf \
    (SAME padding, eps 1e-3), tf-ap (so, and 0.5), efficientnet-pytorch (SAME at its own resolution), \
    deepfakebench (so, no border at the stem, 0.5), lite (SAME, 127/255, 128/255). The RUN holds \
    config.toml, best.safetensors, model.onnx and summary.json."
)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot import"))]
pub struct Import {
    /// file of weights, or a RUN
    #[argh(positional)]
    file: PathBuf,
    /// efficientnet-b0 to -b7, efficientnet-lite0 or efficientnet-tiny (default: the one that the
    /// file states or fits)
    #[argh(option)]
    arch: Option<String>,
    /// folder of the RUN
    #[argh(option)]
    out: PathBuf,
    /// side of the network's input in pixels, a multiple of 32 or a published one (default: the
    /// file's, else the architecture's)
    #[argh(option)]
    res: Option<usize>,
    /// key of a checkpoint under which the network lies, such as state_dict_ema (default: the only
    /// one with a network that is no moving average)
    #[argh(option)]
    key: Option<String>,
    /// what stands before the network's names, such as model.backbone. (default: the only one)
    #[argh(option)]
    prefix: Option<String>,
    /// name of the last layer, where it is not the network's usual one: fc, last_layer, net._fc
    /// (default: the only layer that gives one logit or two)
    #[argh(option)]
    head: Option<String>,
    /// which of two logits is the fake's: 1 (default) or 0; 0 of one logit turns its sign
    #[argh(option)]
    fake_index: Option<usize>,
    /// put a fresh last layer in the place of the file's
    #[argh(switch)]
    new_head: bool,
    /// tensors beside the network that no logit depends on, by what their names begin with, a,b,…
    #[argh(option)]
    leave_out: Vec<String>,
    /// conventions of the weights' family (default: what the file says or its names imply)
    #[argh(option)]
    family: Option<String>,
    /// how convolutions meet the border: symmetric, same (tf_* weights), static-same
    /// (efficientnet_pytorch) or static-same-bare-stem (DeepfakeBench)
    #[argh(option)]
    padding: Option<String>,
    /// epsilon of the batch-norms (1e-5; 1e-3 for tf_* weights)
    #[argh(option)]
    bn_eps: Option<f32>,
    /// channel means that pixels in [0, 1] lose first, red,green,blue
    #[argh(option, from_str_fn(triple))]
    mean: Option<Triple>,
    /// channel deviations that divide them then, red,green,blue
    #[argh(option, from_str_fn(triple))]
    std: Option<Triple>,
    /// logit above which a picture is called fake (default: the file's, else 0)
    #[argh(option)]
    threshold: Option<f64>,
    /// manifest or folder that other commands take for this model when none is named
    #[argh(option)]
    data: Option<PathBuf>,
    /// seed of a last layer that has to be replaced (default 0)
    #[argh(option, default = "0")]
    seed: u64,
    /// replace an earlier RUN
    #[argh(switch)]
    force: bool,
    /// print the summary as JSON
    #[argh(switch)]
    json: bool,
}

impl Import {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(super::no_training("import"))
    }
}
