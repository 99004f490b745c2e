//! `dfrt data extract` on videos that are made here, of drawn faces that move.

use crate::dfrt;
use crate::workshop::{bytes, ended, ffmpeg, folder, json, kill_when, plain, program};
use dfrt_runtime::data::face_detector::FaceDetector;
use dfrt_runtime::data::manifest::{Label, Manifest, Split};
use dfrt_runtime::data::picture;
use dfrt_runtime::data::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
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
        ffmpeg("extract/an_earlier_extraction_stays", an_earlier_extraction_stays),
        ffmpeg("extract/crops_train_a_detector_by_their_manifest", crops_are_a_data_set),
        plain("extract/without_ffmpeg_it_says_how_to_get_it", without_ffmpeg_it_says_how_to_get_it),
        plain("extract/settings_out_of_range", settings_out_of_range),
    ]
}

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// Writes a video of `frames` frames; `face` of them show one, which moves.
fn film(path: &Path, person: Option<u64>, frames: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let face = person.map(|person| {
        let who = Person::draw(&mut stream(5, &["person".into(), person.into()]));
        let how = Shot::draw(&mut stream(5, &["shot".into(), person.into()]));
        photograph(&who, &how, 160, &mut stream(5, &["noise".into(), person.into()])).picture
    });
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut child = Command::new("ffmpeg")
        .args([
            "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", "25",
        ])
        .args(["-i", "pipe:0", "-c:v", "mpeg4", "-q:v", "3", "-f", "mp4"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut sink = child.stdin.take().unwrap();
    for frame in 0..frames {
        let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([70, 90, 110]));
        if let Some(face) = &face {
            let way = i64::from(frame * 120 / frames);
            imageops::overlay(&mut picture, face, 20 + way, 30);
        }
        sink.write_all(picture.as_raw()).unwrap();
    }
    drop(sink);
    assert!(child.wait().unwrap().success());
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
    assert!(ran.err.contains("2 videos passed over"), "{ran:?}");
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
    let said = crate::workshop::run(&arguments(&broken, &["--resume", "--json"])).json();
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
    ] {
        says(option, value);
    }
    dfrt!["data", "extract", &root, "--out", &out, "--format", "jpg", "--quality", "0"]
        .failed(2, &["--quality 0"]);
    dfrt!["data", "extract", &root, "--out", &out, "--resume", "--force"]
        .failed(2, &["--resume and --force"]);
    assert!(!out.exists());
}
