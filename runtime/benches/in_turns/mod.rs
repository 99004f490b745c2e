//! A benchmark beside what bounds it, or beside another program's way to the same result.

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use std::time::{Duration, Instant};

/// Measures `ours` under `name`, runs `peer` before each of its rounds, and prints the ratio
/// of the two times: what else the machine does then falls on both alike.
pub fn in_turns(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut peer: impl FnMut(),
    mut ours: impl FnMut(),
) {
    // Once unmeasured: whoever comes first finds cold caches.
    peer();
    ours();
    let mut ratios = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let (bound, own) = (timed(&mut peer), timed(&mut ours));
                ratios.push(own.as_secs_f64() / bound.as_secs_f64());
                spent += own;
            }
            spent
        });
    });
    ratios.sort_by(f64::total_cmp);
    // There are none where the command line chose other benchmarks.
    if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
        let (median, rounds) = (ratios[ratios.len() / 2], ratios.len());
        println!("{name}: {median:.2} times as long ({least:.2} to {most:.2}, {rounds} rounds in turns)");
    }
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
