//! How many queries a second Square makes, and what of its time goes into the network.

use super::query::Query;
use super::square::{Square, SquareSettings};
use super::{Attack, Target};
use crate::data::batch::Batch;
use crate::detector::bench::{BenchError, cpu};
use crate::detector::oracle::{Oracle, OracleError};
use crate::random;
use crate::sample::Label;
use crate::threat::{Norm, Threat};
use image::RgbImage;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Pictures a thread.
const PICTURES: usize = 2;
/// One thread and all of them, in turns.
const ROUNDS: usize = 3;
/// So far below every logit that no picture is ever turned over.
const THRESHOLD: f32 = -1e4;

/// The object of `dfrt bench model --model M --square --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchBench {
    /// Queries a second over all threads; the median of the rounds, as all figures.
    pub queries_per_second: f64,
    /// Queries a second with one thread.
    pub one_thread_queries_per_second: f64,
    /// The first over the second, round by round.
    pub scaling: f64,
    /// The share of a search's time that is not spent in the network.
    pub outside_network: f64,
    /// Threads, a picture each.
    pub threads: usize,
    /// Queries a picture.
    pub queries: u64,
    /// The processor.
    pub cpu: String,
}

/// An oracle with a watch.
struct Timed<'a> {
    oracle: &'a dyn Oracle,
    nanoseconds: AtomicU64,
}

impl Oracle for Timed<'_> {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let start = Instant::now();
        let logits = self.oracle.logits(batch);
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        logits
    }

    fn res(&self) -> usize {
        self.oracle.res()
    }
}

/// One round.
struct Round {
    queries_per_second: f64,
    outside: f64,
}

/// Searches with `queries` queries on pictures of noise, through `oracle`, with one
/// thread and with `threads`, in turns.
///
/// # Errors
/// A count of 0, threads that the system does not give, a model that fails.
pub fn bench(oracle: &dyn Oracle, threads: usize, queries: u64) -> Result<SearchBench, BenchError> {
    for (count, name) in [(threads as u64, "--threads"), (queries, "--queries")] {
        if count == 0 {
            return Err(BenchError::Zero(name));
        }
    }
    let (mut one, mut all) = (Vec::new(), Vec::new());
    // What the first queries set up is not what later ones cost.
    round(oracle, threads, 3)?;
    for _ in 0..ROUNDS {
        one.push(round(oracle, 1, queries)?);
        all.push(round(oracle, threads, queries)?);
    }
    let scaling = all.iter().zip(&one).map(|(all, one)| all.queries_per_second / one.queries_per_second);
    let rates = |rounds: &[Round]| median(rounds.iter().map(|round| round.queries_per_second).collect());
    Ok(SearchBench {
        queries_per_second: rates(&all),
        one_thread_queries_per_second: rates(&one),
        scaling: median(scaling.collect()),
        outside_network: median(all.iter().map(|round| round.outside).collect()),
        threads,
        queries,
        cpu: cpu(),
    })
}

fn round(oracle: &dyn Oracle, threads: usize, queries: u64) -> Result<Round, BenchError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| BenchError::Threads { threads, reason: error.to_string() })?;
    let timed = Timed { oracle, nanoseconds: AtomicU64::new(0) };
    let threat = Threat::new(Norm::Linf, 8.0).expect("a whole epsilon");
    let settings = SquareSettings { queries, ..SquareSettings::default() };
    let square = Square::new(settings);
    let targets: Vec<Target> = (0..(PICTURES * threads) as u64).map(|id| target(oracle.res(), id)).collect();
    let start = Instant::now();
    let searched = pool.install(|| {
        let search = |target: &Target| {
            let start = Instant::now();
            let query = Query::new(target, &timed, THRESHOLD);
            square.propose(std::slice::from_ref(&query), threat)?;
            Ok::<_, OracleError>((query.spent(), start.elapsed().as_secs_f64()))
        };
        targets.par_iter().map(search).collect::<Result<Vec<_>, _>>()
    });
    let seconds = start.elapsed().as_secs_f64();
    let searched = searched?;
    let spent: u64 = searched.iter().map(|(spent, _)| spent).sum();
    let searching: f64 = searched.iter().map(|(_, seconds)| seconds).sum();
    let network = timed.nanoseconds.into_inner() as f64 * 1e-9;
    Ok(Round { queries_per_second: spent as f64 / seconds, outside: 1.0 - network / searching })
}

fn target(res: usize, id: u64) -> Target {
    let mut random = random::stream(0, &["bench".into(), id.into()]);
    let side = res as u32;
    let picture = RgbImage::from_fn(side, side, |_, _| image::Rgb(random.random::<[u8; 3]>()));
    Target { id, label: Label::Fake, picture }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper;
    impl Oracle for Sleeper {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            std::thread::sleep(std::time::Duration::from_millis(2));
            Ok(vec![0.5; batch.len()])
        }
        fn res(&self) -> usize {
            8
        }
    }

    #[test]
    fn queries_are_counted_and_time_in_the_network_is_told_apart() {
        let bench = bench(&Sleeper, 2, 5).unwrap();
        // Ten queries of 2 ms a thread: at most 500 a second, and nearly all of it asleep.
        assert!((1.0..=500.0).contains(&bench.one_thread_queries_per_second), "{bench:?}");
        assert!((0.0..0.5).contains(&bench.outside_network), "{bench:?}");
        assert!(matches!(super::bench(&Sleeper, 0, 5), Err(BenchError::Zero("--threads"))));
        assert!(matches!(super::bench(&Sleeper, 1, 0), Err(BenchError::Zero("--queries"))));
    }
}
