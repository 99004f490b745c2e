//! How fast a model runs on this CPU: the content of bench.json.
//!
//! tract runs a picture on one core. `threads` sessions run at the same time, each on its own
//! thread, so the latencies are measured under that load, and the throughput is the sum over all
//! threads.

use super::oracle::OracleError;
use super::overrides::Overrides;
use super::session::{Detector, Session, SessionError};
use crate::metrics::quantile::quantile;
use crate::random;
use crate::reading::Reading;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

/// The content of bench.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// Median time of a run of one batch, in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile in milliseconds.
    pub p90_ms: f64,
    /// 99th percentile in milliseconds.
    pub p99_ms: f64,
    /// Mean in milliseconds.
    pub mean_ms: f64,
    /// The first run in milliseconds; it sets up what later runs reuse.
    pub first_ms: f64,
    /// Time to read and optimise the file, in milliseconds.
    pub load_ms: f64,
    /// Largest resident memory of the process in MB of 10^6 bytes; `None` where the system does
    /// not report it.
    pub peak_rss_mb: Option<f64>,
    /// Pictures a second over all threads.
    pub throughput_img_s: f64,
    /// Sessions that run at the same time.
    pub threads: usize,
    /// Pictures a run.
    pub batch: usize,
    /// Measured runs a thread.
    pub runs: usize,
    /// The model's file in MB of 10^6 bytes.
    pub model_mb: f64,
    /// The processor.
    pub cpu: String,
    /// How a file of another program is read; `None` for a file that dfrt exported, and where
    /// this is not known, which does not matter for its speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// Why the bench failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A count of 0.
    #[error("{0} is 0; ask for at least 1")]
    Zero(&'static str),
    /// The model cannot be loaded or run, or failed while it was timed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An oracle failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The system cannot start that many threads.
    #[error("--threads {threads}: {reason}; ask for fewer")]
    Threads {
        /// How many.
        threads: usize,
        /// The system's message.
        reason: String,
    },
}

/// Times `runs` runs of `batch` pictures in each of `threads` threads. Each thread first makes a
/// tenth as many runs, at least 3, which are not counted.
///
/// # Errors
/// A count is 0, or the model cannot be loaded or fails.
pub fn bench(path: &Path, threads: usize, batch: usize, runs: usize) -> Result<Bench, BenchError> {
    bench_as(path, &Overrides::default(), threads, batch, runs)
}

/// [`bench()`] for a file of another program, read as `overrides` say. The time includes the
/// conversion of pixels to the file's layout and units.
///
/// # Errors
/// Those of [`bench()`].
pub fn bench_as(
    path: &Path,
    overrides: &Overrides,
    threads: usize,
    batch: usize,
    runs: usize,
) -> Result<Bench, BenchError> {
    for (count, name) in [(threads, "--threads"), (batch, "--batch"), (runs, "--runs")] {
        if count == 0 {
            return Err(BenchError::Zero(name));
        }
    }
    let start = Instant::now();
    // Timing does not need to know what the output means.
    let detector = Detector::load_unsettled(path, batch, overrides)?;
    let load_ms = milliseconds(start);
    let values = noise(detector.batch() * 3 * detector.res() * detector.res());
    let start = Instant::now();
    timed(&mut detector.session()?, &values)?;
    let first_ms = milliseconds(start);
    let (mut times, seconds) = side_by_side(&detector, threads, runs, &values)?;
    times.sort_by(f64::total_cmp);
    let pictures = (times.len() * detector.batch()) as f64;
    Ok(Bench {
        p50_ms: quantile(&times, 0.5),
        p90_ms: quantile(&times, 0.9),
        p99_ms: quantile(&times, 0.99),
        mean_ms: times.iter().sum::<f64>() / times.len() as f64,
        first_ms,
        load_ms,
        peak_rss_mb: peak_rss_mb(),
        throughput_img_s: pictures / seconds,
        threads,
        batch: detector.batch(),
        runs,
        model_mb: std::fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1e6),
        cpu: cpu(),
        reading: detector.info().reading.clone(),
    })
}

/// The milliseconds of every run, and the seconds from the start of the first measured run to the
/// end of the last, over all threads.
fn side_by_side(
    detector: &Detector,
    threads: usize,
    runs: usize,
    values: &[f32],
) -> Result<(Vec<f64>, f64), BenchError> {
    let warm = Barrier::new(threads);
    let worker = || {
        let session = warm_session(detector, (runs / 10).max(3), values);
        // Also after a failure; the other threads would wait for ever otherwise.
        warm.wait();
        let (mut session, start) = (session?, Instant::now());
        let times: Result<Vec<_>, _> = (0..runs).map(|_| timed(&mut session, values)).collect();
        Ok::<_, BenchError>((times?, start, Instant::now()))
    };
    let measured: Result<Vec<_>, _> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
        joined.collect()
    });
    let measured = measured?;
    let start = measured.iter().map(|(_, start, _)| *start).min();
    let end = measured.iter().map(|(_, _, end)| *end).max();
    let seconds = start.zip(end).map_or(0.0, |(start, end)| (end - start).as_secs_f64());
    Ok((measured.into_iter().flat_map(|(times, _, _)| times).collect(), seconds))
}

fn warm_session(detector: &Detector, runs: usize, values: &[f32]) -> Result<Session, BenchError> {
    let mut session = detector.session()?;
    for _ in 0..runs {
        timed(&mut session, values)?;
    }
    Ok(session)
}

fn timed(session: &mut Session, values: &[f32]) -> Result<f64, BenchError> {
    let start = Instant::now();
    let numbers = session.numbers(values);
    let elapsed = milliseconds(start);
    numbers?;
    Ok(elapsed)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Pictures of noise: zeros would be faster than photographs on some processors.
fn noise(count: usize) -> Vec<f32> {
    let mut random = random::stream(0, &["bench".into()]);
    (0..count).map(|_| random.random()).collect()
}

/// The largest resident memory so far, from Linux's /proc.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// The processor's name from Linux's /proc, elsewhere its architecture.
pub(crate) fn cpu() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        ["model name", "Model", "Hardware"].contains(&name.trim()).then(|| value.trim().to_owned())
    };
    let name = information.lines().find_map(field);
    name.unwrap_or_else(|| format!("{} {}", std::env::consts::OS, std::env::consts::ARCH))
}
