//! The time of a step, kernel by kernel, compared with the ceilings of the device.

use super::ceilings::Ceilings;
use super::products;
use super::subject::Subject;
use super::{BenchError, MB};
use crate::gpu::timestamps::Span;
use dfrt_runtime::metrics::quantile::quantile;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The ceiling of which a kernel reached the larger share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// The rate of a large matrix product.
    Product,
    /// The rate of a large copy.
    Copy,
}

/// The time and rates of a kernel in a step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// Shader and entry point.
    pub name: String,
    /// Dispatches per step.
    pub calls: usize,
    /// Time of all of them in ms.
    pub ms: f64,
    /// Share of the time inside dispatches.
    pub share: f64,
    /// Products, in 10^9 floating-point operations per second: 0 for a kernel without products, none if
    /// their number is unknown.
    pub gflops: Option<f64>,
    /// Bindings read and written, each once per dispatch, in 10^9 bytes per second.
    pub gb_s: f64,
    /// The larger of `gflops` / product ceiling and `gb_s` / copy ceiling. It can be above 1 if tensors
    /// stay in a cache, which is faster than the copy ceiling.
    pub fraction_of_ceiling: f64,
    /// The ceiling of that share.
    pub bound: Bound,
    /// Bytes read and written in a step, in MB of 2^20 bytes.
    pub traffic_mb: f64,
}

/// The kernels of a step.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The kernels, the slowest first.
    pub kernels: Vec<KernelTime>,
    /// Share of a profiled step between dispatches: barriers, waits for the next submission, and the
    /// cost of timing each dispatch separately.
    pub gap_share: f64,
}

/// Profiled steps fill about this many seconds …
const SECONDS: f64 = 2.0;
/// … and are at least this many …
const LEAST: usize = 3;
/// … and at most this many.
const MOST: usize = 20;

/// Times every dispatch of several steps and takes the median of each.
///
/// # Errors
/// A device that fails or has no timestamps.
pub fn measure(subject: &mut Subject, ceilings: &Ceilings) -> Result<Profile, BenchError> {
    let mut steps: Vec<Vec<Span>> = Vec::new();
    let start = Instant::now();
    while steps.len() < LEAST || (steps.len() < MOST && start.elapsed().as_secs_f64() < SECONDS) {
        steps.push(spans(subject)?);
    }
    let dispatches = 0..subject.recording.dispatches.len();
    let seconds = |dispatch: usize| steps.iter().map(|spans| spans[dispatch].seconds()).collect();
    let seconds: Vec<f64> = dispatches.map(|dispatch| median(seconds(dispatch))).collect();
    let gap_share = median(steps.iter().map(|spans| idle_share(spans)).collect());
    Ok(Profile { kernels: by_kernel(subject, &seconds, ceilings), gap_share })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// Runs a step with a span for every dispatch.
///
/// # Errors
/// A device that fails or has no timestamps.
pub fn spans(subject: &mut Subject) -> Result<Vec<Span>, BenchError> {
    let engine = Arc::clone(&subject.engine);
    let mut stopwatch = engine.stopwatch(subject.plan.kernels().len())?;
    subject.submit_timed(&mut stopwatch, 1)?;
    Ok(engine.spans(&mut stopwatch)?)
}

/// The share of the time from the start of the first span to the end of the last one that no span
/// covers.
pub fn idle_share(spans: &[Span]) -> f64 {
    let start = spans.iter().map(|span| span.start_s).fold(f64::INFINITY, f64::min);
    let end = spans.iter().map(|span| span.end_s).fold(0.0, f64::max);
    let mut busy = 0.0;
    let mut until = start;
    for span in spans {
        busy += (span.end_s - span.start_s.max(until)).max(0.0);
        until = until.max(span.end_s);
    }
    if end > start { 1.0 - busy / (end - start) } else { 0.0 }
}

#[derive(Default)]
struct Sum {
    calls: usize,
    seconds: f64,
    bytes: u64,
    flops: Option<u64>,
}

fn by_kernel(subject: &Subject, seconds: &[f64], ceilings: &Ceilings) -> Vec<KernelTime> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let dispatches = subject.recording.dispatches.iter().zip(subject.plan.kernels()).zip(seconds);
    for ((dispatch, kernel), seconds) in dispatches {
        let none = || Sum { flops: Some(0), ..Sum::default() };
        let sum = sums.entry(kernel.name()).or_insert_with(none);
        sum.calls += 1;
        sum.seconds += seconds;
        sum.bytes += dispatch.tensors.iter().map(|tensor| 4 * tensor.len as u64).sum::<u64>();
        sum.flops = sum.flops.zip(products::flops(dispatch)).map(|(sum, flops)| sum + flops);
    }
    let total: f64 = sums.values().map(|sum| sum.seconds).sum();
    let row = |(name, sum)| KernelTime::new(name, &sum, total, ceilings);
    let mut kernels: Vec<_> = sums.into_iter().map(row).collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kernels
}

impl KernelTime {
    fn new(name: String, sum: &Sum, total: f64, ceilings: &Ceilings) -> Self {
        // A clock may be too coarse to see a kernel at all.
        let rate = |amount: f64| if sum.seconds > 0.0 { 1e-9 * amount / sum.seconds } else { 0.0 };
        let gflops = sum.flops.map(|flops| rate(flops as f64));
        let gb_s = rate(sum.bytes as f64);
        let of_product = gflops.unwrap_or(0.0) / ceilings.product.gflops;
        let of_copy = gb_s / ceilings.copy.gb_s;
        Self {
            name,
            calls: sum.calls,
            ms: 1e3 * sum.seconds,
            share: if total > 0.0 { sum.seconds / total } else { 0.0 },
            gflops,
            gb_s,
            fraction_of_ceiling: of_product.max(of_copy),
            bound: if of_product > of_copy { Bound::Product } else { Bound::Copy },
            traffic_mb: sum.bytes as f64 / MB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_what_no_span_covers() {
        let span = |start_s, end_s| Span { start_s, end_s };
        let close = |spans: &[Span], share: f64| (idle_share(spans) - share).abs() < 1e-12;
        assert!(close(&[span(1.0, 2.0), span(2.0, 3.0)], 0.0));
        assert!(close(&[span(0.0, 1.0), span(3.0, 4.0)], 0.5));
        // Overlapping spans count once, also if one contains another.
        assert!(close(&[span(0.0, 3.0), span(1.0, 2.0), span(2.5, 3.5), span(4.5, 5.0)], 0.2));
        assert!(close(&[], 0.0) && close(&[span(1.0, 1.0)], 0.0));
    }
}
