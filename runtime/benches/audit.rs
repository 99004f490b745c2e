//! How fast `dfrt data audit` is: beside bare decoding of the same pictures on the same
//! threads, in turns with it, and its search for near copies among 300,000 hashes:
//!
//! ```sh
//! cargo bench --bench audit
//! ```
//! 240 faces of 384 px are drawn; `DFRT_BENCH_DATA=FOLDER` takes a data set instead, and
//! RAYON_NUM_THREADS sets the threads.

mod in_turns;

use criterion::{Criterion, SamplingMode, Throughput};
use dfrt_runtime::audit;
use dfrt_runtime::audit::fingerprint::{self, RADIUS};
use dfrt_runtime::audit::inspection::Inspection;
use dfrt_runtime::audit::neighbours::Neighbours;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::forgery::synth;
use dfrt_runtime::random::stream;
use in_turns::in_turns;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Hashes searched for, twice as many as those that are searched.
const HASHES: usize = 300_000;

/// Bytes that an inspection's fingerprint holds beside itself.
const THUMBNAIL: usize = fingerprint::SIDE * fingerprint::SIDE;

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let folder = tempfile::tempdir().expect("a folder for the drawn faces");
    let data = std::env::var_os("DFRT_BENCH_DATA").map_or_else(|| drawn(folder.path()), PathBuf::from);
    pictures(&mut criterion, &data);
    for (name, ones) in [("even bits", 0.5), ("bits as uneven as those of aligned faces", 0.25)] {
        hashes(&mut criterion, name, ones);
    }
    criterion.final_summary();
    if let Some(peak) = peak() {
        println!("at most {peak} MiB in the process");
    }
}

fn drawn(folder: &Path) -> PathBuf {
    let out = folder.join("faces");
    synth::draw(&out, 240, 384, 0, &|_, _| {}).expect("faces can be drawn");
    out
}

fn pictures(criterion: &mut Criterion, data: &Path) {
    let manifest = Manifest::of(data).expect("a data set");
    let readable =
        || manifest.samples.par_iter().filter(|sample| picture::open(&sample.path).is_ok()).count();
    let read = readable();
    let threads = rayon::current_num_threads();
    println!(
        "{} pictures, {threads} threads, at least {} bytes kept of each",
        manifest.samples.len(),
        size_of::<Inspection>() + THUMBNAIL
    );
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(manifest.samples.len() as u64)).sampling_mode(SamplingMode::Flat);
    in_turns(
        &mut group,
        "pictures beside decoding",
        || assert_eq!(readable(), read),
        || assert_eq!(audit::audit("", &manifest, None, &|_| {}).data.readable, read),
    );
    group.finish();
}

/// Half of 300,000 pictures are searched for, as they are and mirrored, among the other
/// half; a thousand have a neighbour.
fn hashes(criterion: &mut Criterion, name: &str, ones: f64) {
    let mut random = stream(0, &["audit speed".into()]);
    let likely: Vec<f64> = (0..64).map(|_| if random.random() { ones } else { 1.0 - ones }).collect();
    let mut draw =
        || (0..64).fold(0_u64, |hash, bit| hash | u64::from(random.random_bool(likely[bit])) << bit);
    let known: Vec<u64> = (0..HASHES / 2).map(|_| draw()).collect();
    let mut asked: Vec<u64> = (0..HASHES).map(|_| draw()).collect();
    for place in 0..1000 {
        let flips = (0..RADIUS).fold(0, |flips, _| flips | 1_u64 << (random.next_u64() % 64));
        asked[place] = known[place] ^ flips;
    }
    let mut group = criterion.benchmark_group("near copies");
    group.throughput(Throughput::Elements(HASHES as u64)).sampling_mode(SamplingMode::Flat);
    group.bench_function(format!("{HASHES} searches within {RADIUS} bits, {name}"), |bencher| {
        bencher.iter(|| {
            let found = searched(&known, &asked);
            assert!(
                (0..1000).all(|place| found[place].contains(&(place as u32))),
                "every neighbour is found"
            );
        });
    });
    group.finish();
}

fn searched(known: &[u64], asked: &[u64]) -> Vec<Vec<u32>> {
    let neighbours = Neighbours::new(known, RADIUS);
    let search = |&hash: &u64| {
        let mut found = Vec::new();
        neighbours.search(hash, |place, _| found.push(place));
        found
    };
    asked.par_iter().map(search).collect()
}

/// The most memory the process has had, in MiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? >> 10)
}
