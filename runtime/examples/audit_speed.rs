//! How fast `dfrt data audit` is: beside bare decoding of the same pictures on the same
//! threads in turn with it, and its search for near copies among 300,000 hashes.
//!
//! ```sh
//! cargo run --release -p dfrt-runtime --example audit_speed [FOLDER]
//! ```
//! Without a folder, 240 faces of 384 px are drawn. RAYON_NUM_THREADS sets the threads.

use dfrt_runtime::audit;
use dfrt_runtime::audit::fingerprint::RADIUS;
use dfrt_runtime::audit::inspection::Inspection;
use dfrt_runtime::audit::neighbours::Neighbours;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::forgery::synth;
use dfrt_runtime::random::stream;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Turns of decoding and audit; the fastest of each counts.
const TURNS: usize = 5;
/// Hashes searched, and searched for.
const HASHES: usize = 300_000;

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the drawn faces");
    let data = std::env::args().nth(1).map_or_else(|| drawn(folder.path()), PathBuf::from);
    pictures(&data);
    for (name, ones) in [("even bits", 0.5), ("bits as uneven as those of aligned faces", 0.25)] {
        hashes(name, ones);
    }
}

fn drawn(folder: &Path) -> PathBuf {
    let out = folder.join("faces");
    synth::draw(&out, 240, 384, 0, &|_, _| {}).expect("faces can be drawn");
    out
}

fn pictures(data: &Path) {
    let manifest = Manifest::of(data).expect("a data set");
    let count = manifest.samples.len() as f64;
    let (mut decoding, mut auditing) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..TURNS {
        let start = Instant::now();
        let read = manifest.samples.par_iter().filter(|sample| picture::open(&sample.path).is_ok()).count();
        decoding = decoding.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let found = audit::audit("", &manifest, None, &|_| {});
        auditing = auditing.min(start.elapsed().as_secs_f64());
        assert_eq!(found.data.readable, read);
    }
    println!(
        "{} pictures, {} threads: decoded {:.0}/s, audited {:.0}/s, {:.2} of it; {} bytes kept of each",
        count,
        rayon::current_num_threads(),
        count / decoding,
        count / auditing,
        decoding / auditing,
        size_of::<Inspection>() + 1024,
    );
}

/// Half of 300,000 pictures are searched for, as they are and mirrored, among the other
/// half; a thousand have a neighbour.
fn hashes(name: &str, ones: f64) {
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
    let start = Instant::now();
    let neighbours = Neighbours::new(&known, RADIUS);
    let built = start.elapsed().as_secs_f64();
    let found: Vec<Vec<u32>> = asked
        .par_iter()
        .map(|&hash| {
            let mut found = Vec::new();
            neighbours.search(hash, |place, _| found.push(place));
            found
        })
        .collect();
    let seconds = start.elapsed().as_secs_f64();
    assert!((0..1000).all(|place| found[place].contains(&(place as u32))), "every neighbour is found");
    println!(
        "{HASHES} searches within {RADIUS} bits among {} hashes, {name}: {seconds:.1} s (index {built:.2} s), \
         {:.2} found by each; {}",
        known.len(),
        found.iter().map(Vec::len).sum::<usize>() as f64 / HASHES as f64,
        peak().map_or_else(String::new, |peak| format!("at most {peak} MiB in the process")),
    );
}

/// The most memory the process has had, in MiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? >> 10)
}
