//! How much of the time of extracting faces is ffmpeg's: makes videos of a drawn face that
//! moves (1280 x 720, 300 frames) in a temporary folder, and in turns decodes them with
//! ffmpeg to nowhere and extracts their faces, both on one thread:
//!
//! ```sh
//! cargo bench --bench extract
//! ```

mod in_turns;

use criterion::{Criterion, SamplingMode, Throughput};
use dfrt_runtime::faces::video::{Extract, FileFormat, Frames, Untagged, extract};
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use dfrt_runtime::sample::{Label, Sample, Split};
use image::{Rgb, RgbImage, imageops};
use in_turns::in_turns;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const VIDEOS: u64 = 4;
const LENGTH: u32 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let folder = tempfile::tempdir()?;
    let videos: Vec<Sample> = (0..VIDEOS)
        .map(|person| {
            let path = folder.path().join(format!("{person}.mp4"));
            film(&path, person)?;
            Ok(Sample::new(path, Label::Real, "drawn", person.to_string(), Split::Train))
        })
        .collect::<Result<_, Box<dyn Error>>>()?;
    println!("{VIDEOS} videos of {LENGTH} frames, 1280 x 720, one thread");
    let mut group = criterion.benchmark_group("extract");
    group.throughput(Throughput::Elements(VIDEOS)).sampling_mode(SamplingMode::Flat);
    for frames in [8, 32] {
        let name = format!("{frames} frames a video beside ffmpeg");
        in_turns(&mut group, &name, || decode(&videos), || faces(folder.path(), &videos, frames));
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// ffmpeg alone.
fn decode(videos: &[Sample]) {
    for video in videos {
        let quiet = ["-nostdin", "-v", "error", "-threads", "1", "-i"];
        let mut ffmpeg = Command::new("ffmpeg");
        let status = ffmpeg.args(quiet).arg(&video.path).args(["-f", "null", "-"]).status();
        assert!(status.is_ok_and(|status| status.success()), "ffmpeg decodes what it has encoded");
    }
}

/// `frames` faces of each video, into a new folder.
fn faces(root: &Path, videos: &[Sample], frames: usize) {
    let out = tempfile::tempdir_in(root).expect("a folder for the crops");
    let job = Extract {
        root,
        videos,
        out: &out.path().join("crops"),
        frames: Frames { train: frames, val: frames, test: frames },
        size: 224,
        margin: 1.3,
        format: FileFormat::Png,
        untagged: Untagged::Bt601,
    };
    let extracted = extract(&job, &|_| ()).expect("faces are found");
    assert_eq!(extracted.pictures, frames * VIDEOS as usize);
}

/// Noise on the wall, so that there is something to decode.
fn film(path: &Path, person: u64) -> Result<(), Box<dyn Error>> {
    let who = Person::draw(&mut stream(5, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(5, &["shot".into(), person.into()]));
    let face = photograph(&who, &how, 400, &mut stream(5, &["noise".into(), person.into()])).picture;
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "1280x720", "-r", "25"])
        .args(["-i", "pipe:0", "-pix_fmt", "yuv420p", "-f", "mp4"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    let mut sink = child.stdin.take().ok_or("the pipe is there")?;
    let wall = RgbImage::from_fn(1280, 720, |x, y| {
        let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503).wrapping_mul(x)) >> 27;
        Rgb([90 + grain as u8, 100 + grain as u8, 110])
    });
    for frame in 0..LENGTH {
        let mut picture = wall.clone();
        imageops::overlay(&mut picture, &face, i64::from(100 + 2 * frame), 150);
        sink.write_all(picture.as_raw())?;
    }
    drop(sink);
    if !child.wait()?.success() {
        return Err("ffmpeg cannot encode".into());
    }
    Ok(())
}
