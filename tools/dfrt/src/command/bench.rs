//! `dfrt bench`: how fast a model is on this CPU, how fast a GPU trains, what that GPU
//! can do at most, and how fast pictures are fed to it.

mod deployed;
#[cfg(feature = "train")]
mod loading;
#[cfg(feature = "train")]
mod training;

use super::reading::with_reading;
use crate::failure;
use crate::output;
use crate::place;
use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::storage;
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;

with_reading! {
/// time a model on this CPU (--model), training on a GPU (--train), what that GPU can do
/// at most (--ceilings), or how fast training pictures are fed to it (--loading)
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "bench",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --model gr.onnx --runs 200\n\
    {command_name} --train --arch efficientnet-b0 --res 224 --batch 32 --method gr --profile\n\
    {command_name} --ceilings --device 1\n\
    {command_name} --loading --data faces --res 224 --batch 32",
    note = "Training is timed on drawn noise, so no data set is needed; a step ends when the device is done \
    with it. --device names the GPU by its index, as everywhere; what that GPU can do at most is measured by \
    --ceilings, and by --profile, which holds every kernel against it: the rate of a large copy and of a large \
    matrix product. Drivers keep compiled pipelines on disk, so the first step of a second run may be faster.\n\n\
    --loading feeds the training pictures of --data as dfrt train does by default (left and right swapped in half \
    of the cases), to no GPU: its rate is what a GPU can be given at most. The first epoch decodes every picture; \
    later ones find those decoded that were kept, up to a quarter of the memory that is available (--cache-mb). \
    Compare with tools/peers/loading.py, PyTorch's DataLoader on the same pictures."
)]
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build times models alone"))]
pub struct Bench {
    /// time this .onnx file or RUN on this CPU
    #[argh(option)]
    model: Option<PathBuf>,
    /// time training steps on a GPU
    #[argh(switch)]
    train: bool,
    /// measure a GPU's copy bandwidth and matrix-product rate
    #[argh(switch)]
    ceilings: bool,
    /// time the decoding, resizing, augmenting and packing of training pictures
    #[argh(switch)]
    loading: bool,
    /// with --loading: folder or manifest.csv of the pictures
    #[argh(option)]
    data: Option<PathBuf>,
    /// with --loading: where the fakes come from, files (default) or sbi (self-blended images)
    #[argh(option)]
    fakes: Option<String>,
    /// with --loading: passes over the pictures (default 2)
    #[argh(option)]
    epochs: Option<usize>,
    /// with --loading: file into which decoded pictures are packed
    #[argh(option)]
    cache: Option<PathBuf>,
    /// with --loading: MB of memory in which decoded pictures are kept (default: a quarter of what is available)
    #[argh(option)]
    cache_mb: Option<usize>,
    /// with --model: models that run side by side, each on one thread (default 1); with --loading: threads that
    /// make batches (default: one a processor)
    #[argh(option)]
    threads: Option<usize>,
    /// pictures a run (default 1) or a step or batch (default 32)
    #[argh(option)]
    batch: Option<usize>,
    /// with --model: queries a second of the attack square instead, on --threads threads (default: one a
    /// processor) beside one, and what of its time is not the network's
    #[argh(switch)]
    square: bool,
    /// with --square: queries a picture (default 100)
    #[argh(option)]
    queries: Option<u64>,
    /// with --model: measured runs a thread (default 100)
    #[argh(option)]
    runs: Option<usize>,
    /// with --train: efficientnet-b0 (default) to -b7, efficientnet-lite0 or efficientnet-tiny
    #[argh(option)]
    arch: Option<String>,
    /// with --train and --loading: side of the network's input in pixels, a multiple of 32 or a
    /// published one (default: the architecture's, 224 with --loading); with --model: the same of a file of another program that leaves it open
    #[argh(option)]
    res: Option<usize>,
    /// with --train: a step of baseline (default) or gr, or an attack's step, input-gradient
    #[argh(option)]
    method: Option<String>,
    /// with --train: timed steps (default: as many as fill 5 s, at least 5)
    #[argh(option)]
    steps: Option<usize>,
    /// with --train: time every kernel, too
    #[argh(switch)]
    profile: bool,
    /// with --train and --ceilings: GPU (default: the best; see dfrt devices)
    #[argh(option)]
    device: Option<usize>,
    /// file for the result; without it the result is printed only
    #[argh(option)]
    out: Option<PathBuf>,
    /// replace an earlier result
    #[argh(switch)]
    force: bool,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}
}

impl Bench {
    /// Does it.
    pub fn run(self) -> Result<()> {
        self.check()?;
        if let Some(out) = &self.out {
            place::file(out, self.force)?;
        }
        match (&self.model, &self.data) {
            (Some(model), _) if self.square => self.searched(model),
            (Some(model), _) => self.deployed(model),
            (None, Some(data)) => self.feeding(data),
            (None, None) => self.on_a_gpu(),
        }
    }

    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    fn on_a_gpu(&self) -> Result<()> {
        Err(super::no_training("bench --train and --ceilings"))
    }

    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    fn feeding(&self, _: &std::path::Path) -> Result<()> {
        Err(super::no_training("bench --loading"))
    }

    /// One thing is measured at a time, and no option is passed over in silence.
    fn check(&self) -> Result<()> {
        let subjects = [
            ("--model", self.model.is_some()),
            ("--train", self.train),
            ("--ceilings", self.ceilings),
            ("--loading", self.loading),
        ];
        let asked: Vec<&str> = subjects.iter().filter(|subject| subject.1).map(|subject| subject.0).collect();
        let subject = match asked[..] {
            [subject] => subject,
            [] => return Err(wrong("--model, --train, --ceilings or --loading is missing")),
            _ => return Err(wrong(format!("{} exclude each other", asked.join(" and ")))),
        };
        let model: &[&str] = &["--model"];
        let (train, gpu): (&[&str], &[&str]) = (&["--train"], &["--train", "--ceilings"]);
        let loading: &[&str] = &["--loading"];
        let options: [(&str, bool, &[&str]); 25] = [
            ("--threads", self.threads.is_some(), &["--model", "--loading"]),
            ("--runs", self.runs.is_some(), model),
            ("--square", self.square, model),
            ("--queries", self.queries.is_some(), model),
            ("--batch", self.batch.is_some(), &["--model", "--train", "--loading"]),
            ("--data", self.data.is_some(), loading),
            ("--fakes", self.fakes.is_some(), loading),
            ("--epochs", self.epochs.is_some(), loading),
            ("--cache", self.cache.is_some(), loading),
            ("--cache-mb", self.cache_mb.is_some(), loading),
            ("--arch", self.arch.is_some(), train),
            ("--res", self.res.is_some(), &["--train", "--loading", "--model"]),
            ("--method", self.method.is_some(), train),
            ("--steps", self.steps.is_some(), train),
            ("--profile", self.profile, train),
            ("--device", self.device.is_some(), gpu),
            ("--layout", self.layout.is_some(), model),
            ("--preprocess", self.preprocess.is_some(), model),
            ("--channels", self.channels.is_some(), model),
            ("--range", self.range.is_some(), model),
            ("--mean", self.mean.is_some(), model),
            ("--std", self.std.is_some(), model),
            ("--output", self.output.is_some(), model),
            ("--output-name", self.output_name.is_some(), model),
            ("--fake-index", self.fake_index.is_some(), model),
        ];
        for (option, given, with) in options {
            if given && !with.contains(&subject) {
                return Err(wrong(format!("{option} needs {}", with.join(" or "))));
            }
        }
        if self.queries.is_some() && !self.square {
            return Err(wrong("--queries needs --square"));
        }
        let runs = [("--runs", self.runs.is_some()), ("--batch", self.batch.is_some())];
        if let Some((option, _)) = runs.iter().find(|(_, given)| *given && self.square) {
            return Err(wrong(format!("{option} and --square exclude each other")));
        }
        if self.loading && self.data.is_none() {
            return Err(wrong("--loading needs --data"));
        }
        let counts = [
            ("--threads", self.threads),
            ("--batch", self.batch),
            ("--runs", self.runs),
            ("--epochs", self.epochs),
            ("--steps", self.steps),
            ("--queries", self.queries.map(|queries| queries.min(1) as usize)),
        ];
        if let Some((option, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(wrong(format!("{option} 0: nothing would be timed; ask for at least 1")));
        }
        Ok(())
    }

    /// Keeps the result where --out says, and prints it.
    fn tell<T: Display>(&self, result: &impl Serialize, table: impl FnOnce() -> T) -> Result<()> {
        if let Some(out) = &self.out {
            storage::write(out, (serde_json::to_string_pretty(result)? + "\n").as_bytes())?;
        }
        if self.json { output::json(result) } else { output::say(table()) }
    }
}

fn wrong(what: impl Display) -> anyhow::Error {
    failure::usage(format!("{what}; see `dfrt bench --help`"))
}
