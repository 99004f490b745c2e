//! How fast a data set is indexed: trees of empty files, 300,000 pictures each, are read by
//! their layout, in turns with a bare walk of the same tree, written as a manifest, read back
//! and hashed:
//!
//! ```sh
//! cargo bench --bench index
//! ```

mod in_turns;

use criterion::{Criterion, SamplingMode, Throughput};
use dfrt_runtime::data::layouts::{self, Media};
use dfrt_runtime::data::manifest::Manifest;
use in_turns::in_turns;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use walkdir::WalkDir;

const PICTURES: usize = 300_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for layout in ["dffd", "faceforensics"] {
        let dir = tempfile::tempdir()?;
        let build = if layout == "dffd" { dffd } else { faceforensics };
        build(dir.path(), PICTURES)?;
        measure(&mut criterion, layout, dir.path())?;
    }
    criterion.final_summary();
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

fn measure(criterion: &mut Criterion, layout: &str, dir: &Path) -> Result<(), Box<dyn Error>> {
    let manifest = layouts::read(dir, "auto", Media::Pictures)?;
    assert_eq!(manifest.samples.len(), PICTURES);
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("manifest.csv");
    manifest.write(&list)?;
    let again = Manifest::read(&list)?;
    assert_eq!(again.samples, manifest.samples);
    // What a command holds at most: the manifest and the one that was read back.
    let peak = peak_mb().map_or("unknown".to_owned(), |peak| format!("{peak:.0} MB"));
    println!("{layout}: {PICTURES} pictures, most memory {peak}");
    drop(again);

    let mut group = criterion.benchmark_group(layout);
    group.throughput(Throughput::Elements(PICTURES as u64)).sampling_mode(SamplingMode::Flat);
    in_turns(
        &mut group,
        "index beside a walk",
        || assert!(walk(dir) >= PICTURES),
        || {
            let read = layouts::read(dir, "auto", Media::Pictures);
            assert_eq!(read.expect("a data set").samples.len(), PICTURES);
        },
    );
    group.bench_function("walk", |bencher| bencher.iter(|| walk(dir)));
    group.bench_function("write", |bencher| bencher.iter(|| manifest.write(&list)));
    group.bench_function("read back", |bencher| bencher.iter(|| Manifest::read(&list)));
    group.bench_function("hash", |bencher| bencher.iter(|| manifest.sha256()));
    group.finish();
    Ok(())
}

fn walk(dir: &Path) -> usize {
    WalkDir::new(dir).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
}

/// The most memory that this process had at once; known on Linux.
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}
