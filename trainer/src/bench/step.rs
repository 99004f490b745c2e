//! Step times: the object of `dfrt bench train --json`.

use super::ceilings::{self, Ceilings};
use super::products;
use super::profile::{self, KernelTime};
use super::subject::{Prepared, Subject};
use super::{BenchError, MB, Settings};
use crate::gpu::device::DeviceInfo;
use crate::gpu::engine::{DISPATCHES_A_SUBMISSION, Engine};
use crate::gpu::recording::Kind;
use dfrt_runtime::metrics::quantile::quantile;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Median and percentiles of repeated measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// 10th percentile.
    pub p10: f64,
    /// 90th percentile.
    pub p90: f64,
}

impl Spread {
    /// The spread of `values`, of which there must be at least one.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [p10, median, p90] = [0.1, 0.5, 0.9].map(|q| quantile(&sorted, q));
        Self { median, p10, p90 }
    }
}

/// The speed of training steps on a device.
#[derive(Clone, Debug, Serialize)]
pub struct StepBench {
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// Pictures per step.
    pub batch: usize,
    /// "baseline", "gr" or "input-gradient".
    pub method: &'static str,
    /// Pictures per second at the median step.
    pub images_per_second: f64,
    /// Time of a step in ms, from the upload of its pictures and scalars until the device is done.
    pub step_ms: Spread,
    /// Number of timed steps.
    pub steps: usize,
    /// Seconds from planning to the end of the first step, including the upload of the weights and the
    /// compilation of pipelines. Drivers keep compiled pipelines on disk, so that a second run may be
    /// faster.
    pub first_step_s: f64,
    /// Pictures per second if steps are queued without waiting for each, as in training.
    pub queued_images_per_second: f64,
    /// Share of that time in which the device was idle, by its own clock; none if it has no timestamps.
    pub idle_share: Option<f64>,
    /// Device memory in MB of 2^20 bytes: the pool of the plan and its named buffers. Training needs that
    /// of its evaluation plan in addition.
    pub peak_gpu_mb: f64,
    /// Dispatches per step.
    pub dispatches: usize,
    /// Bytes that the dispatches of a step read and write, in MB of 2^20 bytes, each binding once per
    /// dispatch.
    pub traffic_mb: f64,
    /// The least that a step must read and write, in the same unit, without repeated reads, copies and
    /// partial sums ([`super::traffic::lower_bound`]).
    pub lower_bound_mb: f64,
    /// 10^9 floating-point operations per step in products (convolutions and linear layers), forward and
    /// backward; none if the number of a kernel is unknown.
    pub gflop: Option<f64>,
    /// The kind of device whose kernels were used: "software" or "gpu"; none for the portable ones.
    pub kernels_for: Option<Kind>,
    /// The device.
    pub device: DeviceInfo,
    /// The ceilings of the device; with `--profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
    /// Time inside dispatches per step, in milliseconds: the sum over `kernels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels_ms: Option<f64>,
    /// Share of a profiled step between dispatches. It includes the cost of timing each dispatch, so that
    /// `idle_share` is closer to training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_share: Option<f64>,
    /// The kernels, the slowest first; with `--profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Vec<KernelTime>>,
}

/// Timed steps take this many seconds, if their number is not given …
const SECONDS: f64 = 5.0;
/// … and are at least this many.
const LEAST: usize = 5;
/// The most queued steps: training waits for the losses after as many.
const QUEUED: usize = 16;

/// Times the step that was `prepared` on the device of `engine`.
///
/// # Errors
/// No steps, a device that fails, `profile` on one without timestamps, a loss that is NaN or
/// infinite.
pub fn measure(engine: Arc<Engine>, prepared: Prepared) -> Result<StepBench, BenchError> {
    let settings = prepared.settings.clone();
    if settings.steps == Some(0) {
        return Err(BenchError::Zero("--steps"));
    }
    if settings.profile {
        // Checked first, so that the error comes before the measurement.
        engine.stopwatch(1)?;
    }
    let start = Instant::now();
    let mut subject = Subject::plan(engine, prepared)?;
    once(&mut subject)?;
    let first_step_s = start.elapsed().as_secs_f64();
    once(&mut subject)?;
    let times = times(&mut subject, settings.steps)?;
    let queued = queued(&mut subject, times.len().min(QUEUED))?;
    let mut bench = describe(&subject, &settings, &Measured { first_step_s, times, queued });
    if settings.profile {
        let ceilings = ceilings::measure(&subject.engine)?;
        let profile = profile::measure(&mut subject, &ceilings)?;
        bench.kernels_ms = Some(profile.kernels.iter().map(|kernel| kernel.ms).sum());
        bench.gap_share = Some(profile.gap_share);
        bench.kernels = Some(profile.kernels);
        bench.ceilings = Some(ceilings);
    }
    subject.check()?;
    Ok(bench)
}

/// The measured times in seconds.
struct Measured {
    first_step_s: f64,
    times: Vec<f64>,
    queued: Queued,
}

struct Queued {
    step_s: f64,
    idle_share: Option<f64>,
}

/// Runs one step to its end; returns the seconds.
fn once(subject: &mut Subject) -> Result<f64, BenchError> {
    let start = Instant::now();
    subject.submit()?;
    subject.engine.wait()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds of each of the timed steps.
fn times(subject: &mut Subject, steps: Option<usize>) -> Result<Vec<f64>, BenchError> {
    let mut times = Vec::new();
    let mut total = 0.0;
    loop {
        let enough = match steps {
            Some(steps) => times.len() >= steps,
            None => times.len() >= LEAST && total >= SECONDS,
        };
        if enough {
            return Ok(times);
        }
        let seconds = once(subject)?;
        total += seconds;
        times.push(seconds);
    }
}

/// Queues `steps` steps, as training does between two looks at its losses.
fn queued(subject: &mut Subject, steps: usize) -> Result<Queued, BenchError> {
    let engine = Arc::clone(&subject.engine);
    let submissions = subject.plan.kernels().len().div_ceil(DISPATCHES_A_SUBMISSION);
    let mut stopwatch =
        if engine.has_timestamps() { Some(engine.stopwatch(steps * submissions)?) } else { None };
    let start = Instant::now();
    for _ in 0..steps {
        match &mut stopwatch {
            Some(stopwatch) => subject.submit_timed(stopwatch, DISPATCHES_A_SUBMISSION)?,
            None => subject.submit()?,
        }
    }
    engine.wait()?;
    let step_s = start.elapsed().as_secs_f64() / steps as f64;
    let spans = stopwatch.map(|mut stopwatch| engine.spans(&mut stopwatch)).transpose()?;
    Ok(Queued { step_s, idle_share: spans.map(|spans| profile::idle_share(&spans)) })
}

fn describe(subject: &Subject, settings: &Settings, measured: &Measured) -> StepBench {
    let step_ms = Spread::of(&measured.times.iter().map(|seconds| 1e3 * seconds).collect::<Vec<_>>());
    let flops: Option<u64> = subject.recording.dispatches.iter().map(products::flops).sum();
    StepBench {
        arch: settings.arch.clone(),
        res: settings.res,
        batch: settings.batch,
        method: settings.work.name(),
        images_per_second: 1e3 * settings.batch as f64 / step_ms.median,
        step_ms,
        steps: measured.times.len(),
        first_step_s: measured.first_step_s,
        queued_images_per_second: settings.batch as f64 / measured.queued.step_s,
        idle_share: measured.queued.idle_share,
        peak_gpu_mb: subject.bytes() as f64 / MB,
        dispatches: subject.recording.dispatches.len(),
        traffic_mb: subject.recording.traffic() as f64 / MB,
        lower_bound_mb: subject.lower_bound() as f64 / MB,
        gflop: flops.map(|flops| flops as f64 * 1e-9),
        kernels_for: subject.engine.kernels_for(),
        device: subject.engine.info().clone(),
        ceilings: None,
        kernels_ms: None,
        gap_share: None,
        kernels: None,
    }
}
