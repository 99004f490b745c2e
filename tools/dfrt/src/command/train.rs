//! `dfrt train`: a RUN.

#[cfg(feature = "train")]
mod options;
#[cfg(feature = "train")]
mod run;

use super::reading::{Triple, triple};
use argh::FromArgs;
use std::path::PathBuf;

/// The files of a RUN: what `--force` may replace.
#[cfg(feature = "train")]
pub const RUN_FILES: [&str; 6] = {
    use dfrt_trainer::train::run::files::{BEST, CONFIG, LAST, LOG, MODEL, SUMMARY};
    [CONFIG, LOG, LAST, BEST, MODEL, SUMMARY]
};

/// train a detector on the GPU: plain (baseline) or with gradient regularization (gr)
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "train",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --data faces --out runs/gr --method gr --arch efficientnet-tiny --res 64 --epochs 10\n\
    {command_name} --out runs/gr --resume",
    note = "Settings come from their defaults, then --config, then the options. A RUN holds config.toml, \
    log.jsonl, last.safetensors, best.safetensors, model.onnx and summary.json. A resumed run ends with \
    the same bits as one that was never interrupted."
)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub struct Train {
    /// manifest or folder of pictures
    #[argh(option)]
    pub data: Option<PathBuf>,
    /// folder of the RUN
    #[argh(option)]
    pub out: PathBuf,
    /// efficientnet-b0 (default) to -b7, efficientnet-lite0 or efficientnet-tiny
    #[argh(option)]
    pub arch: Option<String>,
    /// baseline (default) or gr
    #[argh(option)]
    pub method: Option<String>,
    /// side of the network's input in pixels, a multiple of 32 or a published one (default: the
    /// architecture's, 224 of efficientnet-b0)
    #[argh(option)]
    pub res: Option<usize>,
    /// passes over the training pictures (default 20)
    #[argh(option)]
    pub epochs: Option<usize>,
    /// pictures a step (default 32); auto: as many as fit --memory-mb and the device
    #[argh(option, from_str_fn(batch))]
    pub batch: Option<Batch>,
    /// peak learning rate (default 5e-4)
    #[argh(option)]
    pub lr: Option<f32>,
    /// seed of weights, order, augmentation and masks (default 0)
    #[argh(option)]
    pub seed: Option<u64>,
    /// weights to start from: safetensors, a PyTorch file (.pth, .pt, .bin; no code in it is run),
    /// ONNX that dfrt exported, or a RUN; names as torchvision, timm or efficientnet-pytorch give
    /// them; a last layer of more than two outputs needs --new-head
    #[argh(option)]
    pub init: Option<PathBuf>,
    /// key of a checkpoint under which the network lies, such as state_dict_ema (default: the only
    /// one with a network that is no moving average)
    #[argh(option)]
    pub key: Option<String>,
    /// what stands before the network's names, such as model.backbone. (default: the only one)
    #[argh(option)]
    pub prefix: Option<String>,
    /// name of the last layer, where it is not the network's usual one: fc, last_layer, net._fc
    /// (default: the only layer that gives one logit or two)
    #[argh(option)]
    pub head: Option<String>,
    /// which of two logits is the fake's: 1 (default) or 0; 0 of one logit turns its sign
    #[argh(option)]
    pub fake_index: Option<usize>,
    /// put a fresh last layer in the place of the file's
    #[argh(switch)]
    pub new_head: bool,
    /// tensors beside the network that no logit depends on, by what their names begin with, a,b,…
    #[argh(option)]
    pub leave_out: Vec<String>,
    /// conventions of the weights' family: torchvision, timm, timm-ra4, tf, tf-ap,
    /// efficientnet-pytorch, deepfakebench or lite (default: what the file says or its names
    /// imply; without --init the architecture's)
    #[argh(option)]
    pub family: Option<String>,
    /// how convolutions meet the border: symmetric, same (tf_* weights), static-same
    /// (efficientnet_pytorch) or static-same-bare-stem (DeepfakeBench)
    #[argh(option)]
    pub padding: Option<String>,
    /// epsilon of the batch-norms (1e-5; 1e-3 for tf_* weights)
    #[argh(option)]
    pub bn_eps: Option<f32>,
    /// channel means that pixels in [0, 1] lose first, red,green,blue
    #[argh(option, from_str_fn(triple))]
    pub mean: Option<Triple>,
    /// channel deviations that divide them then, red,green,blue
    #[argh(option, from_str_fn(triple))]
    pub std: Option<Triple>,
    /// settings, as config.toml of a RUN holds them
    #[argh(option)]
    pub config: Option<PathBuf>,
    /// GPU (default: the best; see dfrt devices)
    #[argh(option)]
    pub device: Option<usize>,
    /// go on with the RUN from its last checkpoint
    #[argh(switch)]
    pub resume: bool,
    /// replace an earlier RUN
    #[argh(switch)]
    pub force: bool,
    /// subsets to train and validate on, a,b,…; a class of which none is named stays whole
    #[argh(option)]
    pub train_subsets: Vec<String>,
    /// pictures of each video in an epoch at most, others in each (default: all)
    #[argh(option)]
    pub frames_per_video: Option<usize>,
    /// file into which decoded pictures are packed, for this and later runs
    #[argh(option)]
    pub cache: Option<PathBuf>,
    /// pictures a split at most, balanced over the classes, the same ones each time
    #[argh(option)]
    pub limit: Option<usize>,
    /// adamw (default) or sgd
    #[argh(option)]
    pub optimizer: Option<String>,
    /// share of the velocity that is kept, for sgd (default 0.9)
    #[argh(option)]
    pub momentum: Option<f32>,
    /// look ahead, for sgd
    #[argh(switch)]
    pub nesterov: bool,
    /// decay of the first moment, for adamw (default 0.9)
    #[argh(option)]
    pub beta1: Option<f32>,
    /// decay of the second moment, for adamw (default 0.999)
    #[argh(option)]
    pub beta2: Option<f32>,
    /// beside the root, for adamw (default 1e-8)
    #[argh(option)]
    pub adam_eps: Option<f32>,
    /// shrinks the weights of convolutions and linear layers (default 1e-4)
    #[argh(option)]
    pub weight_decay: Option<f32>,
    /// epochs over which the learning rate rises (default 1)
    #[argh(option)]
    pub warmup_epochs: Option<f32>,
    /// learning rate at the end, as a share of the peak (default 0.01)
    #[argh(option)]
    pub final_lr: Option<f32>,
    /// how unequal classes are evened out: none, loss (default) or sampling; subset-loss and
    /// subset-sampling even the subsets of each class out, too
    #[argh(option)]
    pub balance: Option<String>,
    /// how often as much a subset weighs in the loss as others of its class, a=2,b=0.5,…
    #[argh(option)]
    pub subset_weights: Vec<String>,
    /// fakes to train on: files (default), the data set's own; or sbi: self-blended images, made
    /// of every real picture anew in every epoch, for which faces must be known (landmarks.json,
    /// .tem or boxes.csv beside the pictures; see dfrt data forge)
    #[argh(option)]
    pub fakes: Option<String>,
    /// mirror half of the training pictures (the default)
    #[argh(switch)]
    pub flip: bool,
    /// mirror none
    #[argh(switch)]
    pub no_flip: bool,
    /// cut a random window out of each training picture
    #[argh(switch)]
    pub crop: bool,
    /// cut none (the default)
    #[argh(switch)]
    pub no_crop: bool,
    /// change brightness, contrast and saturation by up to this share (default 0)
    #[argh(option)]
    pub colour: Option<f32>,
    /// compress as JPEG with this probability (default 0)
    #[argh(option)]
    pub jpeg: Option<f32>,
    /// dropout and drop-path on (the default)
    #[argh(switch)]
    pub masks: bool,
    /// dropout and drop-path off
    #[argh(switch)]
    pub no_masks: bool,
    /// stop after this many epochs without a better validation AUC (default: never)
    #[argh(option)]
    pub patience: Option<usize>,
    /// steps between checkpoints within an epoch (default: one an epoch)
    #[argh(option)]
    pub checkpoint_steps: Option<usize>,
    /// pictures that the device takes at once, where a batch does not fit; batch-norm sees
    /// so many at a time (default: the batch, or what fits --memory-mb and the device)
    #[argh(option)]
    pub micro_batch: Option<usize>,
    /// MB of intermediate results on the device (default: no limit). Activations are made
    /// again, slower and with the same result, where that fits and keeping them does not
    /// (without a limit: beyond 2048)
    #[argh(option)]
    pub memory_mb: Option<usize>,
    /// gr: outputs of which features.i are perturbed (default 0,1,2)
    #[argh(option, from_str_fn(taps))]
    pub taps: Option<Taps>,
    /// gr: length of the perturbation (default 0.1)
    #[argh(option)]
    pub r: Option<f32>,
    /// gr: weight of the perturbed gradient, lambda / r (default 1)
    #[argh(option)]
    pub alpha: Option<f32>,
    /// gr: epochs over which r grows (default 0)
    #[argh(option)]
    pub r_warmup_epochs: Option<f32>,
    /// gr: no gradient through means and deviations in the second pass
    #[argh(switch)]
    pub detach_statistics: bool,
    /// gr: one perturbation a picture instead of one a batch
    #[argh(switch)]
    pub per_image: bool,
    /// gr: one norm a tap instead of one over all taps
    #[argh(switch)]
    pub per_tap: bool,
    /// shuffle the training labels: a check that nothing can be learned then
    #[argh(switch)]
    pub shuffle_labels: bool,
    /// print the outcome as JSON
    #[argh(switch)]
    pub json: bool,
}

/// Places of taps, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub struct Taps(pub Vec<usize>);

/// How many pictures a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
pub enum Batch {
    /// As many as fit.
    Auto,
    /// So many.
    Of(usize),
}

fn batch(text: &str) -> Result<Batch, String> {
    if text == "auto" {
        return Ok(Batch::Auto);
    }
    text.parse().map(Batch::Of).map_err(|_| format!("batch {text:?} is neither a number nor auto"))
}

pub fn taps(text: &str) -> Result<Taps, String> {
    let taps: Result<Vec<usize>, _> = text.split(',').map(|tap| tap.trim().parse()).collect();
    taps.map(Taps).map_err(|_| format!("taps {text:?} are no list like 0,1,2"))
}

impl Train {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(super::no_training("train"))
    }
}
