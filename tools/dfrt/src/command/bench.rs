//! `dfrt bench`: how fast a model is on this CPU.

use crate::model::Model;
use crate::output::{self, Lines};
use crate::place;
use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::detector::bench;
use dfrt_runtime::storage;
use std::path::PathBuf;

/// time a model on this CPU: latency, load time, memory, throughput
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "bench",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --model gr.onnx --runs 200"
)]
pub struct Bench {
    /// an .onnx file or a RUN
    #[argh(option)]
    model: PathBuf,
    /// models that run side by side, each on one thread (default 1)
    #[argh(option, default = "1")]
    threads: usize,
    /// pictures a run (default 1)
    #[argh(option, default = "1")]
    batch: usize,
    /// measured runs a thread (default 100)
    #[argh(option, default = "100")]
    runs: usize,
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

impl Bench {
    /// Does it.
    pub fn run(self) -> Result<()> {
        if let Some(out) = &self.out {
            place::file(out, self.force)?;
        }
        let model = Model::find(&self.model)?;
        let bench = bench::bench(&model.onnx, self.threads, self.batch, self.runs)?;
        if let Some(out) = &self.out {
            storage::write(out, (serde_json::to_string_pretty(&bench)? + "\n").as_bytes())?;
        }
        if self.json {
            return output::json(&bench);
        }
        output::say(format!("{} on {}\n{}", model.given.display(), bench.cpu, table(&bench)))
    }
}

fn table(bench: &bench::Bench) -> Lines {
    let mut lines = Lines::default();
    let times = [
        ("median", bench.p50_ms),
        ("90 % within", bench.p90_ms),
        ("99 % within", bench.p99_ms),
        ("mean", bench.mean_ms),
        ("first run", bench.first_ms),
        ("load", bench.load_ms),
    ];
    for (name, ms) in times {
        lines.add(name, format!("{ms:.2} ms"));
    }
    lines.add("throughput", format!("{:.1} images/s", bench.throughput_img_s));
    let memory = bench.peak_rss_mb.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.1} MB"));
    lines.add("peak memory", memory);
    lines.add("file", format!("{:.2} MB", bench.model_mb));
    lines.add("measured", format!("{} runs of {} on {} threads", bench.runs, bench.batch, bench.threads));
    lines
}
