//! `dfrt train`: trains a detector and writes a RUN.

#[cfg(feature = "train")]
mod run;
#[cfg(feature = "train")]
mod settings;

use super::options::options;
use super::values::trained::{Balance, Method};
use super::values::{List, Names, count};
use argh::FromArgValue;
use std::path::PathBuf;
use std::str::FromStr;

/// The files of a RUN, which `--force` may replace.
#[cfg(feature = "train")]
pub const RUN_FILES: [&str; 6] = {
    use dfrt_runtime::results::run::files::{BEST, CONFIG, LAST, LOG, MODEL, SUMMARY};
    [CONFIG, LOG, LAST, BEST, MODEL, SUMMARY]
};

options! {
/// train a detector on the GPU: by any of the methods that a study compares
#[argh(
    name = "train",
    example = "{command_name} --data faces --out runs/gr --method gr --arch efficientnet-tiny --res 64 --epochs 10\n\
    {command_name} --out runs/gr --resume",
    note = "Options override --config, which overrides the defaults. A RUN holds config.toml, \
    log.jsonl, last.safetensors, best.safetensors, model.onnx and summary.json. A resumed run ends with \
    the same bits as an uninterrupted one."
)]
pub struct Train {
    training_data,
    /// folder of the RUN
    #[argh(option)]
    out: PathBuf,
    arch,
    /// baseline (default), compute-matched, gr, gr-per-image, sam, gnp, input-gr, dsu, mixstyle, fast-at,
    /// at, trades, at+gr or trades+gr; with settings: at:eps=2:steps=3, gr:radius=0.5 (see docs/arms.md)
    #[argh(option)]
    method: Option<Method>,
    side, epochs,
    /// pictures a step (default 32); auto: as many as fit --memory-mb and the device
    #[argh(option)]
    batch: Option<Batch>,
    lr,
    /// seed of weights, order, augmentation and masks (default 0)
    #[argh(option)]
    seed: Option<u64>,
    /// weights to start from: safetensors, a PyTorch file (.pth, .pt, .bin; no code in it is run),
    /// ONNX that dfrt exported, or a RUN; tensor names of torchvision, timm or
    /// efficientnet-pytorch; a last layer of more than two outputs needs --new-head
    #[argh(option)]
    init: Option<PathBuf>,
    weights,
    /// settings, in the form of the config.toml of a RUN
    #[argh(option)]
    config: Option<PathBuf>,
    device, resume, force, tensorboard,
    /// subsets to train and validate on, a,b,…; if none of a class is named, all of it
    #[argh(option)]
    train_subsets: Vec<Names>,
    /// pictures of each video in an epoch at most, different ones in each (default: all)
    #[argh(option, from_str_fn(count))]
    frames_per_video: Option<usize>,
    cache, limit,
    /// adamw (default) or sgd
    #[argh(option)]
    optimizer: Option<Rule>,
    /// share of the velocity that is kept, for sgd (default 0.9)
    #[argh(option)]
    momentum: Option<f32>,
    /// use Nesterov momentum, for sgd
    #[argh(switch)]
    nesterov: bool,
    /// decay of the first moment, for adamw (default 0.9)
    #[argh(option)]
    beta1: Option<f32>,
    /// decay of the second moment, for adamw (default 0.999)
    #[argh(option)]
    beta2: Option<f32>,
    /// added to the root of the second moment, for adamw (default 1e-8)
    #[argh(option)]
    adam_eps: Option<f32>,
    /// weight decay of convolutions and linear layers (default 1e-4)
    #[argh(option)]
    weight_decay: Option<f32>,
    /// epochs over which the learning rate rises (default 1)
    #[argh(option)]
    warmup_epochs: Option<f32>,
    /// learning rate at the end, as a share of the peak (default 0.01)
    #[argh(option)]
    final_lr: Option<f32>,
    /// how unequal classes are balanced: none, loss (default) or sampling; subset-loss and
    /// subset-sampling balance the subsets of each class, too
    #[argh(option)]
    balance: Option<Balance>,
    /// weight of a subset in the loss, relative to others of its class, a=2,b=0.5,…
    #[argh(option)]
    subset_weights: Vec<List<SubsetWeight>>,
    fakes,
    /// flip half of the training pictures horizontally (the default)
    #[argh(switch)]
    flip: bool,
    /// do not flip
    #[argh(switch)]
    no_flip: bool,
    /// crop a random window of each training picture
    #[argh(switch)]
    crop: bool,
    /// do not crop (the default)
    #[argh(switch)]
    no_crop: bool,
    /// change brightness, contrast and saturation by up to this share (default 0)
    #[argh(option)]
    colour: Option<f32>,
    /// compress as JPEG with this probability (default 0)
    #[argh(option)]
    jpeg: Option<f32>,
    /// dropout and drop-path on (the default)
    #[argh(switch)]
    masks: bool,
    no_masks,
    /// stop after this many epochs without a better one (default: never)
    #[argh(option)]
    patience: Option<usize>,
    /// steps between checkpoints within an epoch (default: one checkpoint per epoch)
    #[argh(option, from_str_fn(count))]
    checkpoint_steps: Option<usize>,
    /// pictures that the device computes at once, if a batch does not fit; batch-norm uses the
    /// statistics of this part (default: the batch, or what fits --memory-mb and the device)
    #[argh(option, from_str_fn(count))]
    micro_batch: Option<usize>,
    /// MB of intermediate results on the device (default: no limit). If keeping the activations
    /// does not fit, they are computed again in the backward pass, slower and with the same result
    /// (without a limit: beyond 2048 MB)
    #[argh(option)]
    memory_mb: Option<usize>,
    selection, perturbation,
    /// gr: epochs over which r grows (default 0)
    #[argh(option)]
    r_warmup_epochs: Option<f32>,
    /// gr: no gradient through means and deviations in the second pass
    #[argh(switch)]
    detach_statistics: bool,
    /// gr: one perturbation per picture instead of one per batch
    #[argh(switch)]
    per_image: bool,
    /// gr: one norm per tap instead of one over all taps
    #[argh(switch)]
    per_tap: bool,
    /// shuffle the training labels, to check that nothing is learned then
    #[argh(switch)]
    shuffle_labels: bool,
    json,
}
}

/// The pictures of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub enum Batch {
    /// As many as fit.
    Auto,
    /// This number.
    Of(usize),
}

impl FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => count(text).map(Self::Of).map_err(|error| format!("{error}, or auto")),
        }
    }
}

/// The optimiser.
#[derive(Clone, Copy, Debug, FromArgValue)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub enum Rule {
    /// AdamW.
    Adamw,
    /// SGD with momentum.
    Sgd,
}

/// A subset and its weight in the loss, "gan=0.5".
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub struct SubsetWeight(String, f32);

impl FromStr for SubsetWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed =
            text.rsplit_once('=').and_then(|(name, weight)| Some((name.trim(), weight.trim().parse().ok()?)));
        let (name, weight) = parsed
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("{text:?} is not a subset with its weight, like swap=2"))?;
        Ok(Self(name.to_owned(), weight))
    }
}

impl Train {
    /// Fails: this build has no training.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("train"))
    }
}
