//! How fast a data set is indexed: trees of empty files, 300,000 pictures each, are read by
//! their layout, written as a manifest and read back, in turns with a bare walk of the same
//! tree. `cargo run --release -p dfrt-runtime --example index_speed [PICTURES [ROUNDS]]`

use dfrt_runtime::data::layouts::{self, Media};
use dfrt_runtime::data::manifest::Manifest;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use walkdir::WalkDir;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let pictures = numbers.first().copied().unwrap_or(300_000);
    let rounds = numbers.get(1).copied().unwrap_or(5).max(1);
    println!("layout         pictures  walk s  index s  write s  read s  hash s  index/walk  peak MB");
    for layout in ["dffd", "faceforensics"] {
        let dir = tempfile::tempdir()?;
        let build = if layout == "dffd" { dffd } else { faceforensics };
        build(dir.path(), pictures)?;
        measure(layout, dir.path(), pictures, rounds)?;
    }
    Ok(())
}

/// Seven subsets of three splits with the pictures in one folder each.
fn dffd(dir: &Path, pictures: usize) -> Result<(), Box<dyn Error>> {
    let subsets = [
        ("ffhq", "R_FFHQ"),
        ("faceapp", "F_FAP0"),
        ("pggan_v1", "F_PGN1"),
        ("pggan_v2", "F_PGN2"),
        ("stargan", "F_STGN"),
        ("stylegan_celeba", "F_SyCA"),
        ("stylegan_ffhq", "F_SyFQ"),
    ];
    for (at, (subset, prefix)) in subsets.iter().enumerate() {
        let count = pictures / 7 + usize::from(at < pictures % 7);
        for (split, share) in [("train", 0..count / 2), ("validation", count / 2..count / 2 + count / 20)]
            .into_iter()
            .chain([("test", count / 2 + count / 20..count)])
        {
            let folder = dir.join(subset).join(split);
            fs::create_dir_all(&folder)?;
            for number in share {
                File::create(folder.join(format!("{prefix}_{number:05}.png")))?;
            }
        }
    }
    Ok(())
}

/// Thirty frames a video, beside empty videos, of four methods and the originals, with the
/// lists of their splits.
fn faceforensics(dir: &Path, pictures: usize) -> Result<(), Box<dyn Error>> {
    const FRAMES: usize = 30;
    let numbers: Vec<String> = (0..1000).map(|number| format!("{number:03}")).collect();
    let pairs: Vec<[&String; 2]> = numbers.chunks(2).map(|pair| [&pair[0], &pair[1]]).collect();
    fs::create_dir_all(dir.join("splits"))?;
    for (list, share) in [("train", 0..360), ("val", 360..430), ("test", 430..500)] {
        fs::write(dir.join("splits").join(format!("{list}.json")), serde_json::to_vec(&pairs[share])?)?;
    }
    let methods = ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"];
    let sets = methods.iter().map(|method| format!("manipulated_sequences/{method}"));
    let sets: Vec<String> = sets.chain(["original_sequences/youtube".to_owned()]).collect();
    let mut left = pictures;
    for compression in ["c23", "c40", "raw"] {
        for (set, number) in sets.iter().flat_map(|set| (0..1000).map(move |number| (set, number))) {
            if left == 0 {
                return Ok(());
            }
            let home = dir.join(set).join(compression);
            let video = match set.starts_with("original") {
                true => numbers[number].clone(),
                false => format!("{}_{}", numbers[number], numbers[number ^ 1]),
            };
            let frames = home.join("frames").join(&video);
            fs::create_dir_all(&frames)?;
            fs::create_dir_all(home.join("videos"))?;
            File::create(home.join("videos").join(video + ".mp4"))?;
            for frame in 0..FRAMES.min(left) {
                File::create(frames.join(format!("{:03}.png", frame * 12)))?;
            }
            left -= FRAMES.min(left);
        }
    }
    Ok(())
}

fn measure(layout: &str, dir: &Path, pictures: usize, rounds: usize) -> Result<(), Box<dyn Error>> {
    let list = tempfile::tempdir()?;
    let list = list.path().join("manifest.csv");
    let mut times: [Vec<f64>; 5] = Default::default();
    let mut ratios = Vec::new();
    // One unmeasured walk, so that every round finds the folders in the system's memory.
    walk(dir);
    for _ in 0..rounds {
        let (bare, files) = timed(|| walk(dir));
        let (index, manifest) = timed(|| layouts::read(dir, "auto", Media::Pictures));
        let manifest = manifest?;
        let (write, written) = timed(|| manifest.write(&list));
        written?;
        let (read, again) = timed(|| Manifest::read(&list));
        let (hash, _) = timed(|| black_box(manifest.sha256()));
        let again = again?;
        assert!(files >= pictures && manifest.samples.len() == pictures && again.samples == manifest.samples);
        let groups: BTreeSet<&str> = again.samples.iter().map(|sample| sample.group.as_str()).collect();
        black_box(groups.len());
        ratios.push(index / bare);
        for (times, time) in times.iter_mut().zip([bare, index, write, read, hash]) {
            times.push(time);
        }
    }
    let [bare, index, write, read, hash] = times.map(median);
    let peak = peak_mb().map_or("unknown".to_owned(), |peak| format!("{peak:.0}"));
    println!(
        "{layout:14} {pictures:>8}  {bare:6.2}  {index:7.2}  {write:7.2}  {read:6.2}  {hash:6.2}  {:10.2}  {peak:>7}",
        median(ratios)
    );
    Ok(())
}

fn walk(dir: &Path) -> usize {
    WalkDir::new(dir).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed().as_secs_f64(), value)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The most memory that this process had at once; known on Linux.
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}
