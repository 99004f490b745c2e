//! How much of the time of extracting faces is ffmpeg's: makes videos of a drawn face that
//! moves (1280 x 720, 300 frames) in a temporary folder, and in turns decodes them with
//! ffmpeg to nowhere and extracts their faces, both on one thread.
//!
//! `cargo run --release -p dfrt-runtime --example extract_speed [ROUNDS]`

use dfrt_runtime::faces::video::{Extract, FileFormat, Frames, Untagged, extract};
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use dfrt_runtime::sample::{Label, Sample, Split};
use image::{Rgb, RgbImage, imageops};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const VIDEOS: u64 = 4;
const LENGTH: u32 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(3), |rounds| rounds.parse::<usize>())?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let folder = tempfile::tempdir()?;
    let videos: Vec<Sample> = (0..VIDEOS)
        .map(|person| {
            let path = folder.path().join(format!("{person}.mp4"));
            film(&path, person)?;
            Ok(Sample::new(path, Label::Real, "drawn", person.to_string(), Split::Train))
        })
        .collect::<Result<_, Box<dyn Error>>>()?;
    println!("{VIDEOS} videos of {LENGTH} frames, 1280 x 720, one thread; seconds a video");
    println!("round  frames taken  ffmpeg alone  extraction  ratio");
    for round in 1..=rounds {
        for frames in [8, 32] {
            let start = Instant::now();
            for video in &videos {
                let quiet = ["-nostdin", "-v", "error", "-threads", "1", "-i"];
                let status =
                    Command::new("ffmpeg").args(quiet).arg(&video.path).args(["-f", "null", "-"]).status()?;
                assert!(status.success(), "ffmpeg decodes what it has encoded");
            }
            let alone = start.elapsed().as_secs_f64() / VIDEOS as f64;
            let out = folder.path().join(format!("{round}-{frames}"));
            let start = Instant::now();
            let job = Extract {
                root: folder.path(),
                videos: &videos,
                out: &out,
                frames: Frames { train: frames, val: frames, test: frames },
                size: 224,
                margin: 1.3,
                format: FileFormat::Png,
                untagged: Untagged::Bt601,
            };
            let extracted = extract(&job, &|_| ())?;
            assert_eq!(extracted.pictures, frames * VIDEOS as usize);
            let taken = start.elapsed().as_secs_f64() / VIDEOS as f64;
            println!("{round:5}  {frames:12}  {alone:12.2}  {taken:10.2}  {:5.2}", taken / alone);
        }
    }
    Ok(())
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
