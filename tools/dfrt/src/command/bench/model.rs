//! `dfrt bench model`: the speed of a model on this CPU, or of the attack Square on it.

use super::{Destination, Model};
use crate::failure;
use crate::model;
use crate::output::{self, Lines};
use anyhow::Result;
use dfrt_runtime::attack::bench as search;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::detector::{self, bench};

impl Model {
    /// Times the model, or Square on it; prints the result and writes it to `--out`.
    pub fn run(self) -> Result<()> {
        self.check()?;
        let to = Destination::open(self.out.as_deref(), self.force, self.json)?;
        if self.square { self.time_square(&to) } else { self.time_model(&to) }
    }

    /// Refuses options that the chosen benchmark does not have.
    fn check(&self) -> Result<()> {
        let wrong = |what| Err(failure::usage(format!("{what}; see `dfrt bench model --help`")));
        if !self.square {
            return if self.queries.is_some() { wrong("--queries needs --square") } else { Ok(()) };
        }
        match (self.runs, self.batch) {
            (None, None) => Ok(()),
            (Some(_), _) => wrong("--runs and --square exclude each other"),
            (None, Some(_)) => wrong("--batch and --square exclude each other"),
        }
    }

    /// Times the model.
    fn time_model(&self, to: &Destination<'_>) -> Result<()> {
        let found = detector::model::Model::find(&self.model)?;
        let [threads, batch, runs] = [(self.threads, 1), (self.batch, 1), (self.runs, 100)]
            .map(|(given, usual)| given.unwrap_or(usual));
        let bench = bench::bench_as(&found.onnx, &self.reading(), threads, batch, runs)?;
        to.write(&bench, || format!("{} on {}\n{}", found.given.display(), bench.cpu, table(&bench)))
    }

    /// Times Square on the model.
    fn time_square(&self, to: &Destination<'_>) -> Result<()> {
        let found = detector::model::Model::find(&self.model)?;
        let oracle = TractOracle::new(model::load_as(&found, &self.reading())?);
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = self.threads.unwrap_or_else(processors);
        let bench = search::bench(&oracle, threads, self.queries.unwrap_or(100))?;
        to.write(&bench, || {
            let mut lines = Lines::default();
            lines.add("queries", format!("{:.1} a second on {threads} threads", bench.queries_per_second));
            lines.add("one thread", format!("{:.1} a second", bench.one_thread_queries_per_second));
            lines.add("scaling", format!("{:.2}", bench.scaling));
            lines.add("outside the network", output::percent(bench.outside_network));
            format!("square on {}, {}\n{lines}", found.given.display(), bench.cpu)
        })
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
