//! `dfrt bench train`: how fast a GPU trains.

use super::{Destination, Train, device};
use crate::failure;
use crate::network;
use crate::output::{self, Lines, three_digits};
use anyhow::Result;
use dfrt_trainer::bench::profile::{Bound, KernelTime};
use dfrt_trainer::bench::step::{self, StepBench};
use dfrt_trainer::bench::subject::Prepared;
use dfrt_trainer::bench::{Settings, Work};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::train::settings::Settings as Training;
use std::fmt::Write as _;

/// The most kernels that the table lists; the rest are added up.
const LISTED: usize = 12;

impl Train {
    /// Times training steps; prints the result and writes it to `--out`.
    pub fn run(self) -> Result<()> {
        let to = Destination::open(self.out.as_deref(), self.force, self.json)?;
        let usual = Training::default();
        let arch = self.arch.map_or_else(|| Architecture::named(&usual.arch), Ok)?;
        let settings = Settings {
            arch: arch.name.to_owned(),
            res: self.res.unwrap_or(arch.res),
            batch: self.batch.unwrap_or(usual.batch),
            work: self.method.unwrap_or(Work::Training(usual.method)),
            steps: self.steps,
            profile: self.profile,
        };
        let prepared = Prepared::new(settings).map_err(failure::usage)?;
        let bench = step::measure(network::engine(self.device)?, prepared)?;
        to.write(&bench, || text(&bench))
    }
}

fn text(bench: &StepBench) -> String {
    let mut text = format!(
        "{} {} at {} px, batch {}, on {}\n{}",
        bench.arch,
        bench.method,
        bench.res,
        bench.batch,
        bench.device.name,
        lines(bench)
    );
    if let (Some(ceilings), Some(kernels)) = (&bench.ceilings, &bench.kernels) {
        let _ = write!(text, "\n{}\n\n{}", device::lines(ceilings), kernel_table(kernels));
    }
    text
}

fn lines(bench: &StepBench) -> Lines {
    let mut lines = Lines::default();
    let step = bench.step_ms;
    lines.add(
        "step",
        format!(
            "{} ms (80 % within {} to {})",
            three_digits(step.median),
            three_digits(step.p10),
            three_digits(step.p90)
        ),
    );
    lines.add("throughput", format!("{} images/s", three_digits(bench.images_per_second)));
    let idle =
        bench.idle_share.map_or_else(String::new, |share| format!(", idle {}", output::percent(share)));
    lines.add("steps queued", format!("{} images/s{idle}", three_digits(bench.queued_images_per_second)));
    lines.add("first step", output::duration(bench.first_step_s));
    lines.add("GPU memory", format!("{} MB", output::thousands(bench.peak_gpu_mb.round() as u64)));
    let gflop =
        bench.gflop.map_or_else(String::new, |gflop| format!(", {} GFLOP in products", three_digits(gflop)));
    let traffic = output::thousands(bench.traffic_mb.round() as u64);
    let least = three_digits(bench.traffic_mb / bench.lower_bound_mb);
    lines.add("a step has", format!("{} dispatches{gflop}", bench.dispatches));
    lines.add("it moves", format!("{traffic} MB, {least} times the least"));
    lines.add("measured", format!("{} steps", bench.steps));
    if let (Some(ms), Some(gaps)) = (bench.kernels_ms, bench.gap_share) {
        let gaps = output::percent(gaps);
        lines
            .add("profiled", format!("{} ms in dispatches, {gaps} of a step between them", three_digits(ms)));
    }
    lines
}

/// The slowest kernels, one line each.
fn kernel_table(kernels: &[KernelTime]) -> String {
    let (named, others) = kernels.split_at(kernels.len().min(LISTED));
    let width = named.iter().map(|kernel| kernel.name.len()).max().unwrap_or(0).max("kernel".len());
    let mut text = format!(
        "  {:width$}  {:>5}  {:>8}  {:>6}  {:>8}  {:>7}  of ceiling",
        "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s"
    );
    for kernel in named {
        let gflops = match kernel.gflops {
            Some(0.0) => "-".to_owned(),
            Some(gflops) => three_digits(gflops),
            None => "?".to_owned(),
        };
        let bound = match kernel.bound {
            Bound::Product => "product",
            Bound::Copy => "copy",
        };
        let _ = write!(
            text,
            "\n  {:width$}  {:>5}  {:>8}  {:>6}  {gflops:>8}  {:>7}  {:>6} {bound}",
            kernel.name,
            kernel.calls,
            three_digits(kernel.ms),
            output::percent(kernel.share),
            three_digits(kernel.gb_s),
            output::percent(kernel.fraction_of_ceiling),
        );
    }
    let sum = |of: fn(&KernelTime) -> f64, kernels: &[KernelTime]| kernels.iter().map(of).sum::<f64>();
    for (name, kernels) in [(format!("{} others", others.len()), others), ("all".to_owned(), kernels)] {
        if !kernels.is_empty() {
            let calls: usize = kernels.iter().map(|kernel| kernel.calls).sum();
            let ms = three_digits(sum(|kernel| kernel.ms, kernels));
            let share = output::percent(sum(|kernel| kernel.share, kernels));
            let _ = write!(text, "\n  {name:width$}  {calls:>5}  {ms:>8}  {share:>6}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_adds_up_what_it_does_not_name() {
        let kernel = |index: usize| KernelTime {
            name: format!("k{index}"),
            calls: 2,
            ms: 0.5,
            share: 1.0 / 14.0,
            gflops: Some(0.0),
            gb_s: 3.0,
            fraction_of_ceiling: 0.25,
            bound: Bound::Copy,
            traffic_mb: 1.0,
        };
        let table = kernel_table(&(0..14).map(kernel).collect::<Vec<_>>());
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 1 + LISTED + 2, "{table}");
        assert_eq!(lines[1], ["k0", "2", "0.500", "7.1", "%", "-", "3.00", "25.0", "%", "copy"]);
        assert_eq!(lines[LISTED + 1], ["2", "others", "4", "1.00", "14.3", "%"]);
        assert_eq!(lines[LISTED + 2], ["all", "28", "7.00", "100.0", "%"]);
    }
}
