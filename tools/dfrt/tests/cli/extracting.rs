//! `dfrt data extract` on videos that are made here, of drawn faces that move.

use crate::dfrt;
use crate::workshop::{Ran, bytes, ended, ffmpeg, folder, json, kill_when, plain, program};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::faces::detector::FaceDetector;
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use dfrt_runtime::sample::{Label, Split};
use image::{Rgb, RgbImage, imageops};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

pub fn trials() -> Vec<Trial> {
    vec![
        ffmpeg("extract/videos_become_crops_of_their_faces", videos_become_crops_of_their_faces),
        ffmpeg("extract/a_killed_extraction_goes_on", a_killed_extraction_goes_on),
        ffmpeg("extract/only_what_is_shown_counts", only_what_is_shown_counts),
        ffmpeg("extract/frames_without_a_face_give_no_crop", frames_without_a_face_give_no_crop),
        ffmpeg("extract/no_face_is_followed_through_a_cut", no_face_is_followed_through_a_cut),
        ffmpeg("extract/damaged_frames_are_lost", damaged_frames_are_lost),
        ffmpeg("extract/pixels_are_made_square", pixels_are_made_square),
        ffmpeg("extract/colours_are_read_as_the_film_says", colours_are_read_as_the_film_says),
        ffmpeg("extract/colours_that_are_not_told_are_noted", colours_that_are_not_told_are_noted),
        ffmpeg("extract/hdr_is_refused", hdr_is_refused),
        ffmpeg("extract/every_common_container_is_read", every_common_container_is_read),
        ffmpeg("extract/an_earlier_extraction_stays", an_earlier_extraction_stays),
        ffmpeg("extract/crops_train_a_detector_by_their_manifest", crops_are_a_data_set),
        plain("extract/without_ffmpeg_it_says_how_to_get_it", without_ffmpeg_it_says_how_to_get_it),
        plain("extract/settings_out_of_range", settings_out_of_range),
    ]
}

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// A drawn face of 160 x 160.
fn face(person: u64) -> RgbImage {
    let who = Person::draw(&mut stream(5, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(5, &["shot".into(), person.into()]));
    photograph(&who, &how, 160, &mut stream(5, &["noise".into(), person.into()])).picture
}

/// Writes a video of `frames` frames of 320 x 240, 25 a second, each drawn by `draw`; a key
/// frame every 20.
fn record(path: &Path, frames: u32, options: &[&str], draw: impl Fn(u32) -> RgbImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut child = Command::new("ffmpeg")
        .args([
            "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", "25",
        ])
        .args(["-i", "pipe:0", "-q:v", "3", "-g", "20"])
        .args(options)
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut sink = child.stdin.take().unwrap();
    (0..frames).for_each(|frame| sink.write_all(draw(frame).as_raw()).unwrap());
    drop(sink);
    assert!(child.wait().unwrap().success());
}

/// Writes a video of `frames` frames in MPEG-4; a person's face moves through it.
fn film(path: &Path, person: Option<u64>, frames: u32) {
    let face = person.map(face);
    record(path, frames, &["-c:v", "mpeg4", "-f", "mp4"], |frame| {
        let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([70, 90, 110]));
        if let Some(face) = &face {
            imageops::overlay(&mut picture, face, i64::from(20 + frame * 120 / frames), 30);
        }
        picture
    });
}

/// A test set of one real film, made by `write` under the name `name`, and one fake; and
/// what the extraction of `frames` frames a film says, with the real one's crops.
fn extracted(
    name: &str,
    frames: usize,
    write: impl Fn(&Path),
) -> (serde_json::Value, Vec<(String, RgbImage)>) {
    let (ran, crops) = extraction(name, frames, &[], write);
    (ran.json(), crops)
}

/// As [`extracted`] with `more` options: what the command did.
fn extraction(
    name: &str,
    frames: usize,
    more: &[&str],
    write: impl Fn(&Path),
) -> (Ran, Vec<(String, RgbImage)>) {
    let (root, out) = (folder().join("set"), folder().join("crops"));
    let film_of_it = root.join("test/real").join(name);
    std::fs::create_dir_all(film_of_it.parent().unwrap()).unwrap();
    write(&film_of_it);
    film(&root.join("test/fake/other.mp4"), Some(9), 10);
    let frames = frames.to_string();
    let mut arguments: Vec<std::ffi::OsString> =
        vec!["data".into(), "extract".into(), root.into(), "--out".into(), (&out).into()];
    // Wide enough to show the ground around the drawn face.
    arguments.extend(["--test-frames", &frames, "--size", "96", "--margin", "2.4", "--json"].map(Into::into));
    arguments.extend(more.iter().map(Into::into));
    let ran = crate::workshop::run(&arguments);
    let real = out.join("test/real");
    let files = if real.exists() { contents(&real) } else { BTreeMap::new() };
    let crops = files.into_keys().map(|name| {
        let picture = picture::open(&out.join("test/real").join(&name)).unwrap();
        (name.file_stem().unwrap().to_string_lossy().into_owned(), picture)
    });
    (ran, crops.collect())
}

/// A picture whose ground tells the frame's number: a grey of 40 + 4 levels a frame.
fn numbered(face: &RgbImage, frame: u32) -> RgbImage {
    let grey = (40 + 4 * frame) as u8;
    let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([grey; 3]));
    imageops::overlay(&mut picture, face, 80, 40);
    picture
}

fn ffmpeg_copies(from: &Path, to: &Path, options: &[&str]) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).args(options).arg("-i").arg(from);
    assert!(command.args(["-c", "copy"]).arg(to).status().unwrap().success());
}

fn only_what_is_shown_counts() {
    let face = face(5);
    // Cut at 1.2 s without decoding: ten frames of the second key frame's part are in the
    // file and before its edit list, 20 are shown.
    let (said, crops) = extracted("cut.mp4", 10, |path| {
        let whole = path.with_file_name("whole.mkv");
        record(&whole, 50, &["-c:v", "mpeg4"], |frame| numbered(&face, frame));
        ffmpeg_copies(&whole, path, &["-ss", "1.2"]);
        std::fs::remove_file(&whole).unwrap();
    });
    assert_eq!((&said["lost"], &said["without_face"]), (&0.into(), &0.into()), "{said}");
    let numbers: Vec<&str> = crops.iter().map(|(name, _)| name.as_str()).collect();
    let shown = 20;
    let wanted: Vec<String> = (0..10).map(|part| format!("{:06}", (2 * part + 1) * shown / 20)).collect();
    assert_eq!(numbers, wanted);
    // The corner of a crop is ground: the frames are those from the 30th on.
    for (place, (name, crop)) in crops.iter().enumerate() {
        let frame = f64::from(crop.get_pixel(1, 1).0[1]) - 40.0;
        let expected = 4.0 * (30.0 + (2.0 * place as f64 + 1.0));
        assert!((frame - expected).abs() < 4.0, "{name}: {frame} not {expected}");
    }
}

fn frames_without_a_face_give_no_crop() {
    let face = face(6);
    let ground = |grey: u8| RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([grey, grey / 2, 90]));
    // 8 s: a face from second 2 to 4, covered for 0.2 s there; then another scene.
    let draw = |frame: u32| {
        let mut picture = ground(if frame < 100 { 120 } else { 30 });
        if (50..100).contains(&frame) {
            imageops::overlay(&mut picture, &face, 80, 40);
        }
        if (70..75).contains(&frame) {
            imageops::overlay(&mut picture, &RgbImage::from_pixel(100, 110, Rgb([120, 60, 90])), 110, 65);
        }
        picture
    };
    let (said, crops) = extracted("clip.mp4", 40, |path| record(path, 200, &["-c:v", "mpeg4"], draw));
    // Frames 2, 7, 12, …: ten of the 40 lie in those two seconds, one of them at 72.
    let numbers: Vec<&str> = crops.iter().map(|(name, _)| name.as_str()).collect();
    let wanted: Vec<String> = (0..10).map(|part| format!("{:06}", 52 + 5 * part)).collect();
    assert_eq!(numbers, wanted);
    assert_eq!(
        (&said["held"], &said["without_face"], &said["lost"]),
        (&1.into(), &30.into(), &0.into()),
        "{said}"
    );
    // Four frames lie 2 s apart: nothing is held.
    let (said, crops) = extracted("clip.mp4", 4, |path| record(path, 200, &["-c:v", "mpeg4"], draw));
    assert_eq!((crops.len(), &said["held"], &said["without_face"]), (1, &0.into(), &3.into()), "{said}");
}

fn no_face_is_followed_through_a_cut() {
    // Two people at the same place, each on a ground of his own: the longer shot counts.
    let faces = [face(5), face(6)];
    let draw = |frame: u32| {
        let second = frame >= 18;
        let ground = if second { [30, 140, 60] } else { [150, 90, 130] };
        let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb(ground));
        imageops::overlay(&mut picture, &faces[usize::from(second)], 80, 40);
        picture
    };
    let (said, crops) = extracted("news.mp4", 10, |path| record(path, 50, &["-c:v", "mpeg4"], draw));
    // Frames 2, 7, 12, 17 are of the first shot, 22, 27, … of the second.
    let numbers: Vec<&str> = crops.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(numbers, ["000022", "000027", "000032", "000037", "000042", "000047"], "{said}");
    assert_eq!((&said["held"], &said["without_face"]), (&0.into(), &4.into()), "{said}");
}

fn damaged_frames_are_lost() {
    let face = face(7);
    for (name, options) in [
        ("mpeg4.mp4", ["-c:v", "mpeg4", "-bf", "0"]),
        ("h264.mp4", ["-c:v", "libx264", "-bf", "2"]),
        ("mpeg2.mpg", ["-c:v", "mpeg2video", "-bf", "0"]),
        ("mjpeg.avi", ["-c:v", "mjpeg", "-bf", "0"]),
    ] {
        let has = |encoder: &str| {
            let said = Command::new("ffmpeg").args(["-v", "error", "-encoders"]).output().unwrap().stdout;
            String::from_utf8_lossy(&said).contains(encoder)
        };
        if !has(options[1]) {
            continue;
        }
        let noise = |frame: u32| {
            let mut picture = numbered(&face, frame / 2);
            for (x, y, pixel) in picture.enumerate_pixels_mut().filter(|(x, y, _)| *x < 60 || *y > 210) {
                let value = (x * 7919 + y * 104_729 + frame * 1_299_709) % 251;
                pixel.0 = [value as u8, (value / 2) as u8, 100];
            }
            picture
        };
        let whole = |path: &Path| record(path, 80, &options, noise);
        let (said, sound) = extracted(name, 80, whole);
        assert_eq!(said["lost"], 0, "{name}: {said}");
        let (said, crops) = extracted(name, 80, |path| {
            whole(path);
            let mut file = bytes(path);
            let middle = file.len() * 45 / 100;
            file[middle..middle + 600]
                .iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = (at * 73 + 11) as u8);
            std::fs::write(path, file).unwrap();
        });
        let lost = said["lost"].as_u64().unwrap();
        // Something is lost, and not more than two groups of pictures.
        assert!((1..=40).contains(&lost), "{name}: {said}");
        let sound: BTreeMap<_, _> = sound.into_iter().collect();
        assert!(crops.len() >= 40, "{name}: {}", crops.len());
        for (number, crop) in crops {
            assert_eq!(sound[&number], crop, "{name}: frame {number} is as it was");
        }
    }
}

fn pixels_are_made_square() {
    // Half as many columns, each pixel twice as wide: the face is found, and is no narrower.
    let face = face(8);
    let mut wide = RgbImage::from_pixel(2 * WIDTH, HEIGHT, Rgb([70, 90, 110]));
    imageops::overlay(&mut wide, &face, 240, 40);
    let narrow = imageops::resize(&wide, WIDTH, HEIGHT, imageops::FilterType::Triangle);
    let shape = |aspect: &'static str, picture: &RgbImage| {
        let options = ["-c:v", "mpeg4", "-vf", aspect];
        let (said, crops) = extracted("still.mp4", 2, |path| record(path, 10, &options, |_| picture.clone()));
        assert_eq!(crops.len(), 2, "{said}");
        crops[0].1.clone()
    };
    let squeezed = shape("setsar=2", &narrow);
    let mut plain = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([70, 90, 110]));
    imageops::overlay(&mut plain, &face, 80, 40);
    let plain = shape("setsar=1", &plain);
    let apart =
        squeezed.as_raw().iter().zip(plain.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
    // What coding and resampling change; a face of half the width is another picture.
    let mean = apart / plain.as_raw().len() as f64;
    assert!(mean < 18.0, "{mean}");
}

/// A ground that the wrong matrix changes by 13 levels and more.
const RED: [u8; 3] = [200, 60, 40];

/// Writes ten frames of a face on [`RED`], converted by ffmpeg's filter `scale` with
/// `conversion`, with the options `tags`.
fn red(path: &Path, conversion: &str, tags: &[&str]) {
    let face = face(8);
    let filters = format!("scale={conversion},format=yuv420p");
    record(path, 10, &[&["-c:v", "mpeg4", "-vf", &filters], tags].concat(), |_| {
        let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb(RED));
        imageops::overlay(&mut picture, &face, 80, 40);
        picture
    });
}

/// How far the corner of a crop, which is ground, is from [`RED`].
fn off(crops: &[(String, RgbImage)]) -> u8 {
    let corner = crops[0].1.get_pixel(1, 1).0;
    corner.iter().zip(RED).map(|(found, wanted)| found.abs_diff(wanted)).max().unwrap()
}

fn colours_are_read_as_the_film_says() {
    for (conversion, space, rest) in [
        ("out_color_matrix=bt709", "bt709", "bt709"),
        ("out_color_matrix=bt601", "smpte170m", "smpte170m"),
        ("out_color_matrix=bt601", "bt470bg", "bt709"),
        ("out_color_matrix=bt2020", "bt2020nc", "bt709"),
    ] {
        // The container has all three or none.
        let tags = ["-colorspace", space, "-color_primaries", rest, "-color_trc", rest];
        let (said, crops) = extracted("tagged.mp4", 2, |path| red(path, conversion, &tags));
        assert!(off(&crops) <= 4, "{space}: {:?}", crops[0].1.get_pixel(1, 1));
        assert_eq!(said["untagged"], 1, "only the film beside it: {said}");
    }
    // A full range, in a container that tells of it.
    let full = ["-color_range", "pc"];
    let (_, crops) = extracted("full.mkv", 2, |path| red(path, "out_range=full", &full));
    assert!(off(&crops) <= 4, "{:?}", crops[0].1.get_pixel(1, 1));
}

fn colours_that_are_not_told_are_noted() {
    let read = |conversion: &str, more: &[&str]| {
        let (ran, crops) = extraction("untagged.mp4", 2, more, |path| red(path, conversion, &[]));
        let noted = ran.err.contains("2 of 2 videos do not tell their colour matrix")
            && ran.err.contains("--untagged");
        assert!(noted, "{ran:?}");
        (ran.json()["untagged"].clone(), off(&crops) <= 4)
    };
    let [old, hd] = ["out_color_matrix=bt601", "out_color_matrix=bt709"];
    assert_eq!(read(old, &[]), (2.into(), true));
    assert_eq!(read(hd, &[]), (2.into(), false), "nothing says so");
    assert_eq!(read(hd, &["--untagged", "bt709"]), (2.into(), true));
    assert_eq!(read(old, &["--untagged", "size"]), (2.into(), true), "of 240 lines");
    // What ffmpeg makes of pictures by itself, as large as they may be.
    let large = read("960:720", &[]);
    assert_eq!(large, (2.into(), true));
    assert_eq!(read("960:720:out_color_matrix=bt709", &["--untagged", "size"]), (2.into(), true));
}

fn hdr_is_refused() {
    for (transfer, name) in [("smpte2084", "HDR (PQ)"), ("arib-std-b67", "HDR (HLG)")] {
        let tags = ["-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", transfer];
        let (said, crops) = extracted("bright.mp4", 2, |path| red(path, "out_color_matrix=bt2020", &tags));
        let skipped = said["skipped"].as_array().unwrap();
        let told = |line: &serde_json::Value| {
            ["bright.mp4", name, "tone-map"].iter().all(|word| line.as_str().unwrap().contains(word))
        };
        assert!(skipped.len() == 1 && told(&skipped[0]), "{said}");
        assert!(crops.is_empty());
    }
}

fn every_common_container_is_read() {
    let face = face(3);
    for (name, codec) in [
        ("a.3gp", "mpeg4"),
        ("b.mpg", "mpeg1video"),
        ("c.ts", "mpeg2video"),
        ("d.wmv", "wmv2"),
        ("e.avi", "mpeg4"),
        ("f.mkv", "mpeg4"),
        ("g.flv", "flv"),
    ] {
        let (said, crops) =
            extracted(name, 6, |path| record(path, 24, &["-c:v", codec], |frame| numbered(&face, frame)));
        assert_eq!((crops.len(), &said["lost"]), (6, &0.into()), "{name}: {said}");
        for (place, (number, crop)) in crops.iter().enumerate() {
            let frame = 2 + 4 * place;
            assert_eq!(*number, format!("{frame:06}"), "{name}");
            let ground = f64::from(crop.get_pixel(1, 1).0[1]);
            assert!((ground - (40.0 + 4.0 * frame as f64)).abs() < 4.0, "{name}, {number}: {ground}");
        }
    }
}

/// Eight videos in the folder layout, among them one that is none, one without a face and
/// one of an odd name.
fn videos() -> &'static Path {
    static VIDEOS: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = folder().join("videos");
        let films = [
            ("train/real/a.mp4", Some(1)),
            ("train/fake/swap/b.mp4", Some(2)),
            ("val/real/c.mp4", Some(3)),
            ("val/fake/d.mp4", Some(4)),
            ("test/real/-odd, name %03d.mp4", Some(5)),
            ("test/fake/f.mp4", Some(6)),
            ("test/fake/blank.mp4", None),
        ];
        for (name, person) in films {
            film(&root.join(name), person, 40);
        }
        std::fs::write(root.join("test/real/broken.mp4"), "no film at all").unwrap();
        root
    });
    &VIDEOS
}

/// Every file below a folder, by its name.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), bytes(&path));
            }
        }
    }
    files
}

fn videos_become_crops_of_their_faces() {
    let out = folder().join("crops");
    let ran = dfrt![
        "data",
        "extract",
        videos(),
        "--out",
        &out,
        "--frames",
        "3",
        "--test-frames",
        "5",
        "--size",
        "96",
        "--json"
    ];
    assert!(ran.err.contains("2 videos skipped"), "{ran:?}");
    let said = ran.json();
    assert_eq!([&said["videos"], &said["finished"], &said["pictures"]], [8, 6, 4 * 3 + 2 * 5]);
    let skipped = said["skipped"].as_array().unwrap();
    let names = |words: [&str; 2]| {
        skipped.iter().any(|line| words.iter().all(|word| line.as_str().unwrap().contains(word)))
    };
    assert!(names(["test/real/broken.mp4", "not a readable video"]), "{skipped:?}");
    assert!(names(["test/fake/blank.mp4", "no face is found"]), "{skipped:?}");
    assert_eq!(json(out.join("extract.json")), said);

    let manifest = Manifest::read(&out.join("manifest.csv")).unwrap();
    let of = |split, label| {
        manifest.samples.iter().filter(move |sample| (sample.split, sample.label) == (split, label))
    };
    assert_eq!(of(Split::Train, Label::Fake).count(), 3);
    assert!(of(Split::Train, Label::Fake).all(|sample| sample.subset == "swap" && sample.group == "b"));
    assert_eq!(of(Split::Test, Label::Real).count(), 5);
    assert!(of(Split::Test, Label::Real).all(|sample| sample.group == "-odd, name %03d"));
    let mut detector = FaceDetector::new();
    for sample in &manifest.samples {
        let crop = picture::open(&sample.path).unwrap();
        assert_eq!(crop.dimensions(), (96, 96));
        let found = detector.faces(&crop);
        let [face] = found[..] else { panic!("{}: {found:?}", sample.path.display()) };
        // The box is 1 / 1.3 of the crop and in its middle.
        let [x, y] = face.middle();
        assert!((x - 48.0).abs() < 12.0 && (y - 48.0).abs() < 12.0, "{}: {face:?}", sample.path.display());
        assert!((55.0..90.0).contains(&face.side()), "{}: {face:?}", sample.path.display());
    }
}

fn a_killed_extraction_goes_on() {
    let (whole, broken) = (folder().join("whole"), folder().join("broken"));
    let arguments = |out: &Path, more: &[&str]| {
        let mut arguments: Vec<std::ffi::OsString> = vec!["data".into(), "extract".into(), videos().into()];
        arguments.extend(["--out".into(), out.into()]);
        arguments.extend(
            ["--frames", "6", "--test-frames", "6", "--size", "64", "--threads", "1"].map(Into::into),
        );
        arguments.extend(more.iter().map(Into::into));
        arguments
    };
    crate::workshop::run(&arguments(&whole, &[])).done();
    let journal = broken.join("extract.jsonl");
    let lines = || std::fs::read_to_string(&journal).unwrap_or_default().lines().count();
    // One video is finished, the next begun.
    kill_when(&arguments(&broken, &[]), || lines() >= 2);
    assert!(!broken.join("manifest.csv").exists() && lines() < 7, "it was killed in the middle");
    let resumed = crate::workshop::run(&arguments(&broken, &["--resume", "--json"]));
    assert!(resumed.err.contains("earlier videos compared"), "{resumed:?}");
    let said = resumed.json();
    assert!(said["before"].as_u64().unwrap() >= 1 && said["finished"] == 6, "{said}");
    let differs = |name: &Path| ["extract.jsonl", "extract.json"].iter().any(|own| name == Path::new(own));
    let pictures = |root: &Path| {
        let mut files = contents(root);
        files.retain(|name, _| !differs(name));
        files
    };
    assert_eq!(pictures(&broken), pictures(&whole), "as if nothing had happened, and nothing half written");
}

fn an_earlier_extraction_stays() {
    let out = folder().join("crops");
    let extract = |more: &[&str]| {
        let mut arguments: Vec<std::ffi::OsString> = vec!["data".into(), "extract".into(), videos().into()];
        arguments.extend(["--out".into(), (&out).into()]);
        arguments.extend(more.iter().map(Into::into));
        crate::workshop::run(&arguments)
    };
    let small = ["--frames", "2", "--test-frames", "2", "--size", "48"];
    extract(&small).done();
    let before = contents(&out);
    extract(&small).failed(1, &["crops", "--resume", "--force"]);
    extract(&["--size", "64", "--resume"]).failed(1, &["other settings", "size was 48 and is 64", "--force"]);
    assert_eq!(contents(&out), before);
    std::fs::write(out.join("mine.txt"), "mine").unwrap();
    let jpeg = ["--frames", "1", "--test-frames", "1", "--size", "48", "--format", "jpg", "--force"];
    extract(&jpeg).done();
    let after = contents(&out);
    let of = |ending: &str| {
        after.keys().filter(|name| name.extension().is_some_and(|found| found == ending)).count()
    };
    assert_eq!((of("png"), of("jpg"), of("txt")), (0, 6, 1), "{:?}", after.keys());
    let foreign = folder();
    std::fs::write(foreign.join("thesis.txt"), "mine").unwrap();
    dfrt!["data", "extract", videos(), "--out", &foreign, "--force"].failed(1, &["not empty"]);
}

fn crops_are_a_data_set() {
    let out = folder().join("crops");
    dfrt!["data", "extract", videos(), "--out", &out, "--frames", "2", "--test-frames", "2", "--size", "48"]
        .done();
    let eval = dfrt!["eval", "--model", crate::workshop::model(), "--data", &out, "--json"].json();
    assert_eq!((&eval["data"]["n_real"], &eval["data"]["n_fake"]), (&2.into(), &2.into()));
    let by_video = &eval["by_group"];
    assert_eq!((&by_video["n_real"], &by_video["n_fake"]), (&1.into(), &1.into()));
}

fn without_ffmpeg_it_says_how_to_get_it() {
    let root = folder();
    for class in ["real", "fake"] {
        let path = root.join("test").join(class);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("a.mp4"), "never opened").unwrap();
    }
    let out = folder().join("crops");
    let mut command = program();
    command.args(["data", "extract"]).arg(&root).arg("--out").arg(&out).env("PATH", folder());
    ended(command).failed(1, &["ffprobe", "not found on the PATH", "apt install ffmpeg"]);
    assert!(!out.exists());
}

fn settings_out_of_range() {
    let out = folder().join("crops");
    let root = folder();
    let says = |option: &str, value: &str| {
        dfrt!["data", "extract", &root, "--out", &out, option, value].failed(2, &[option, value]);
    };
    for (option, value) in [
        ("--size", "8"),
        ("--frames", "0"),
        ("--test-frames", "100000"),
        ("--margin", "NaN"),
        ("--format", "gif"),
        ("--limit", "0"),
        ("--untagged", "bt2020"),
    ] {
        says(option, value);
    }
    dfrt!["data", "extract", &root, "--out", &out, "--format", "jpg", "--quality", "0"]
        .failed(2, &["--quality 0"]);
    dfrt!["data", "extract", &root, "--out", &out, "--resume", "--force"]
        .failed(2, &["--resume and --force"]);
    assert!(!out.exists());
}
