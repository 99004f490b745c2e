//! `dfrt bench`: how fast a model is on this CPU, how fast a GPU trains, what that GPU
//! can do at most, and how fast pictures are fed to it.

#[cfg(feature = "train")]
mod device;
#[cfg(feature = "train")]
mod loading;
mod model;
pub mod spelling;
#[cfg(feature = "train")]
mod train;

use super::options::options;
use super::values::count;
use super::values::trained::Work;
use crate::output;
use crate::place;
use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::storage;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// time a model on this CPU, training on a GPU, what that GPU can do at most, or how fast
/// training pictures are fed to it
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "bench",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} model --model gr.onnx --runs 200\n\
    {command_name} train --arch efficientnet-b0 --res 224 --batch 32 --method gr --profile\n\
    {command_name} device --device 1\n\
    {command_name} loading --data faces --res 224 --batch 32"
)]
pub struct Bench {
    #[argh(subcommand)]
    command: Command,
}

/// What is timed.
#[derive(FromArgs)]
#[argh(subcommand)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build times models alone"))]
pub enum Command {
    /// `dfrt bench model`
    Model(Model),
    /// `dfrt bench train`
    Train(Train),
    /// `dfrt bench device`
    Device(Device),
    /// `dfrt bench loading`
    Loading(Loading),
}

options! {
/// time a model on this CPU: latency, throughput, memory; or the attack square on it
#[argh(
    name = "model",
    example = "{command_name} --model gr.onnx --runs 200\n\
    {command_name} --model gr.onnx --square --queries 300",
    note = "A model's first run and its load are told apart from the others. Of a file of another program only \
    what its input looks like must be known: how fast a model is does not depend on what its numbers mean."
)]
pub struct Model {
    model,
    /// models that run side by side, each on one thread (default 1); with --square threads
    /// (default: one a processor)
    #[argh(option, from_str_fn(count))]
    threads: Option<usize>,
    /// pictures a run (default 1)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    /// measured runs a thread (default 100)
    #[argh(option, from_str_fn(count))]
    runs: Option<usize>,
    /// queries a second of the attack square instead, on --threads threads beside one, and what
    /// of its time is not the network's
    #[argh(switch)]
    square: bool,
    /// with --square: queries a picture (default 100)
    #[argh(option, from_str_fn(count))]
    queries: Option<u64>,
    out_file, force, json, reading,
}
}

options! {
/// time training steps on a GPU
#[argh(
    name = "train",
    example = "{command_name} --arch efficientnet-b0 --res 224 --batch 32 --method gr --profile",
    note = "Training is timed on drawn noise, so no data set is needed; a step ends when the device is done \
    with it. --profile also times every kernel and measures what the device can do at most, as `dfrt bench device` \
    does, against which each is held. Drivers keep compiled pipelines on disk, so the first step of a second run \
    may be faster."
)]
pub struct Train {
    arch, side,
    /// pictures a step (default 32)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    /// a step of baseline (default) or gr, or an attack's step, input-gradient
    #[argh(option)]
    method: Option<Work>,
    /// timed steps (default: as many as fill 5 s, at least 5)
    #[argh(option, from_str_fn(count))]
    steps: Option<usize>,
    /// time every kernel, too
    #[argh(switch)]
    profile: bool,
    device, out_file, force, json,
}
}

options! {
/// measure what a GPU can do at most: the rates of a large copy and of a large matrix product
#[argh(name = "device", example = "{command_name} --device 1")]
pub struct Device { device, out_file, force, json, }
}

options! {
/// time how training pictures are fed: decoded, resized, augmented and packed
#[argh(
    name = "loading",
    example = "{command_name} --data faces --res 224 --batch 32",
    note = "Pictures are fed as dfrt train does by default (left and right swapped in half of the cases), to no GPU: \
    the rate is what a GPU can be given at most. The first epoch decodes every picture; later ones find those decoded \
    that were kept. Compare with tools/peers/loading.py, PyTorch's DataLoader on the same pictures."
)]
pub struct Loading {
    /// manifest or folder of pictures
    #[argh(option)]
    data: PathBuf,
    side,
    /// pictures a batch (default 32)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    /// passes over the pictures (default 2)
    #[argh(option, default = "2", from_str_fn(count))]
    epochs: usize,
    fakes, cache,
    /// MB of memory in which decoded pictures are kept (default: a quarter of what is available)
    #[argh(option)]
    cache_mb: Option<usize>,
    threads, out_file, force, json,
}
}

impl Bench {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Model(command) => command.run(),
            #[cfg(feature = "train")]
            Command::Train(command) => command.run(),
            #[cfg(feature = "train")]
            Command::Device(command) => command.run(),
            #[cfg(feature = "train")]
            Command::Loading(command) => command.run(),
            #[cfg(not(feature = "train"))]
            _ => Err(crate::failure::no_training("bench train, device and loading")),
        }
    }
}

/// Where the result goes.
struct Destination<'a> {
    out: Option<&'a Path>,
    json: bool,
}

impl<'a> Destination<'a> {
    /// The file `out`, replaced where `force` says so, and standard output.
    ///
    /// # Errors
    /// The file is there already or cannot be written.
    fn open(out: Option<&'a Path>, force: bool, json: bool) -> Result<Self> {
        out.map_or(Ok(()), |out| place::file(out, force))?;
        Ok(Self { out, json })
    }

    /// Keeps the result, and prints it or its table.
    fn tell<T: Display>(&self, result: &impl Serialize, table: impl FnOnce() -> T) -> Result<()> {
        if let Some(out) = self.out {
            storage::write(out, (serde_json::to_string_pretty(result)? + "\n").as_bytes())?;
        }
        if self.json { output::json(result) } else { output::say(table()) }
    }
}
