//! `dfrt data forge`, and training on fakes that are made on the way.

use crate::dfrt;
use crate::workshop::{bytes, copied, ended, folder, gpu, json, plain, program, train, training};
use dfrt_runtime::data::picture;
use dfrt_runtime::faces::landmarks::{self, LandmarkFiles};
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("forge/swaps_by_person", swaps_by_person),
        plain("forge/the_same_set_again_on_any_threads", the_same_set_again_on_any_threads),
        plain("forge/splits_are_given_or_kept", splits_are_given_or_kept),
        plain("forge/what_cannot_be_used", what_cannot_be_used),
        plain("forge/faces_that_are_found_stand_for_landmarks", faces_that_are_found_stand_for_landmarks),
        plain("forge/replaced_when_whole", replaced_when_whole),
        plain("forge/loading_of_blends", loading_of_blends),
        gpu("forge/training_on_reals_alone", training_on_reals_alone),
        gpu("forge/training_goes_on_with_the_same_fakes", training_goes_on_with_the_same_fakes),
        plain("forge/training_without_faces", training_without_faces),
    ]
}

/// Eight drawn people, two photographs each, with landmarks.json and people.csv.
fn photos() -> &'static Path {
    static PHOTOS: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = folder();
        let (mut faces, mut outline) = (BTreeMap::new(), Vec::new());
        let mut people = "person,gender\n".to_owned();
        for person in 0..8_u64 {
            let who = Person::draw(&mut stream(11, &["person".into(), person.into()]));
            for shot in ["neutral", "smiling"] {
                let keyed = |what: &str| stream(11, &[what.into(), shot.into(), person.into()]);
                let how = Shot::draw(&mut keyed("shot"));
                let portrait = photograph(&who, &how, 80, &mut keyed("noise"));
                let file = format!("{person:03}_{shot}.jpg");
                std::fs::write(out.join(&file), picture::encode_jpeg(&portrait.picture, 92)).unwrap();
                faces.insert(file, portrait.landmarks.points);
                outline = portrait.landmarks.outline;
            }
            people += &format!("{person:03},{}\n", ["female", "male"][person as usize / 4]);
        }
        std::fs::write(out.join("landmarks.json"), landmarks::listing(&outline, faces)).unwrap();
        std::fs::write(out.join("people.csv"), people).unwrap();
        out
    });
    &PHOTOS
}

/// Self-blended images of them, 48 px.
fn blends() -> &'static Path {
    static BLENDS: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = folder().join("blends");
        let forge = ["--method", "sbi", "--size", "48", "--per-photo", "1"];
        let mut arguments: Vec<std::ffi::OsString> =
            vec!["data".into(), "forge".into(), photos().into(), "--out".into(), (&out).into()];
        arguments.extend(forge.map(Into::into));
        crate::workshop::run(&arguments).done();
        out
    });
    &BLENDS
}

fn faces_that_are_found_stand_for_landmarks() {
    let photos = copied(photos());
    let known = LandmarkFiles::default().find(&photos.join("000_neutral.jpg")).unwrap().unwrap();
    std::fs::remove_file(photos.join("landmarks.json")).unwrap();
    let out = folder().join("blends");
    let forge = || {
        dfrt!["data", "forge", &photos, "--method", "sbi", "--out", &out, "--size", "48", "--per-photo", "1"]
    };
    assert_ne!(forge().code, Some(0), "nothing tells where the faces are");
    std::fs::write(photos.join("wall.png"), picture::encode_png(&image::RgbImage::new(64, 64))).unwrap();
    let ran = dfrt!["data", "faces", &photos, "--json"];
    assert!(ran.err.contains("wall.png: no face is found"), "{ran:?}");
    assert_eq!(ran.json()["faces"], 16);
    let found = LandmarkFiles::default().find(&photos.join("000_neutral.jpg")).unwrap().unwrap();
    assert!(found.box_only && !known.box_only);
    let overlap = found.landmarks.bounds().overlap(&known.landmarks.bounds());
    assert!(overlap > 0.5, "{overlap}");
    std::fs::remove_file(photos.join("wall.png")).unwrap();
    forge().done();
    dfrt!["data", "faces", &photos].failed(1, &["boxes.csv", "--force"]);
    let wall = folder();
    std::fs::write(wall.join("wall.png"), picture::encode_png(&image::RgbImage::new(64, 64))).unwrap();
    dfrt!["data", "faces", &wall].failed(1, &["no face is found in any of 1 photographs"]);
}

/// The lines of a manifest, header first, of those of the real pictures that `keep` keeps.
fn reals_of(set: &Path, keep: impl Fn(&str) -> bool) -> PathBuf {
    let manifest = set.join("manifest.csv");
    dfrt!["data", "index", set, "--out", &manifest, "--force"].done();
    let text = String::from_utf8(bytes(&manifest)).unwrap();
    let lines = text.lines().enumerate().filter(|(index, line)| *index == 0 || keep(line));
    let kept: String = lines.map(|(_, line)| format!("{line}\n")).collect();
    std::fs::write(&manifest, kept).unwrap();
    manifest
}

fn swaps_by_person() {
    let out = folder().join("swaps");
    let forge = dfrt![
        "data",
        "forge",
        photos(),
        "--method",
        "swap",
        "--out",
        &out,
        "--size",
        "64",
        "--per-photo",
        "2",
        "--split",
        "50,25,25"
    ];
    let table = forge.done();
    for words in ["swap", "real", "pictures"] {
        assert!(table.contains(words), "{words} is not in {table}");
    }
    let index = dfrt!["data", "index", &out, "--out", out.join("manifest.csv"), "--json"].json();
    // Two people in val and in test have one donor each.
    assert_eq!(index["pictures"], 16 + 8 * 2 + 4 + 4);
    let list = String::from_utf8(bytes(out.join("split.csv"))).unwrap();
    let mut splits: BTreeMap<String, String> = BTreeMap::new();
    for line in list.lines().skip(1) {
        let [split, label, file, target, donor] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        for person in [target, donor] {
            assert_eq!(splits.entry(person.to_owned()).or_insert_with(|| split.to_owned()), split, "{line}");
        }
        assert_eq!(label == "fake", target != donor, "{line}");
        assert!(label == "real" || file.starts_with("swap/") && file.contains("_from_"), "{line}");
        let shot = file.contains("smiling");
        assert!(label == "real" || shot == file.split("_from_").next().unwrap().contains("smiling"));
    }
}

fn the_same_set_again_on_any_threads() {
    let again = folder().join("again");
    let mut command = program();
    command.args(["data", "forge"]).arg(photos()).arg("--out").arg(&again);
    command.args(["--method", "sbi", "--size", "48", "--per-photo", "1"]).env("RAYON_NUM_THREADS", "1");
    ended(command).done();
    let mut count = 0;
    for entry in ["train", "val", "test"].map(|split| blends().join(split).join("fake/sbi")) {
        for file in std::fs::read_dir(entry).unwrap() {
            let path = file.unwrap().path();
            let below = path.strip_prefix(blends()).unwrap();
            assert_eq!(bytes(&path), bytes(again.join(below)), "{}", below.display());
            count += 1;
        }
    }
    assert_eq!(count, 16);
    for file in ["split.csv", "landmarks.json"] {
        assert_eq!(bytes(blends().join(file)), bytes(again.join(file)));
    }
}

fn splits_are_given_or_kept() {
    let list = folder().join("who.csv");
    let people: String =
        (0..7).map(|person| format!("{},{person:03}\n", if person < 4 { "train" } else { "test" })).collect();
    std::fs::write(&list, format!("split,target\n{people}")).unwrap();
    let out = folder().join("set");
    let set = dfrt![
        "data",
        "forge",
        photos(),
        "--method",
        "sbi",
        "--out",
        &out,
        "--split",
        &list,
        "--size",
        "32",
        "--per-photo",
        "1",
        "--json"
    ];
    assert!(set.err.contains("007 is in no split"), "{}", set.err);
    let set = set.json();
    assert_eq!((set["pictures"].as_u64(), set["skipped"].as_u64()), (Some(28), Some(2)));
    let kept = folder().join("kept");
    dfrt!["data", "forge", &out, "--method", "swap", "--out", &kept, "--size", "32", "--quality", "90"]
        .done();
    let splits = |set: &Path| ["train", "val", "test"].map(|split| set.join(split).is_dir());
    assert_eq!((splits(&out), splits(&kept)), ([true, false, true], [true, false, true]));
}

fn what_cannot_be_used() {
    let out = folder().join("set");
    let forge = |photos: &Path, more: [&str; 2]| {
        dfrt!["data", "forge", photos, "--method", "swap", "--out", &out, more[0], more[1]]
    };
    forge(photos(), ["--size", "9"]).failed(2, &["--size 9", "32"]);
    forge(photos(), ["--per-photo", "0"]).failed(2, &["--per-photo 0"]);
    forge(photos(), ["--crop", "0.1"]).failed(2, &["--crop 0.1"]);
    forge(photos(), ["--quality", "90-200"]).failed(2, &["--quality 90-200"]);
    forge(photos(), ["--quality", "good"]).failed(2, &["--quality good"]);
    forge(photos(), ["--split", "60,40"]).failed(2, &["--split 60,40", "three shares"]);
    forge(photos(), ["--split", "nowhere.csv"]).failed(1, &["nowhere.csv"]);
    forge(photos(), ["--blend", "glue"]).failed(2, &["glue", "poisson"]);
    forge(&folder().join("absent"), ["--seed", "1"]).failed(1, &["absent", "no such file"]);
    forge(&folder(), ["--seed", "1"]).failed(1, &["no photograph whose face is known", "landmarks.json"]);
    dfrt!["data", "forge", photos(), "--method", "magic", "--out", &out].failed(2, &["magic", "sbi or swap"]);
    let few = folder();
    for name in ["000_neutral.jpg", "001_neutral.jpg", "landmarks.json"] {
        std::fs::copy(photos().join(name), few.join(name)).unwrap();
    }
    forge(&few, ["--seed", "1"]).failed(1, &["2 people are too few", "need 6"]);
    std::fs::write(few.join("landmarks.json"), "{\"outline\": [1, 2, 3]}").unwrap();
    forge(&few, ["--seed", "1"]).failed(1, &["landmarks.json", "points"]);
    std::fs::write(few.join("000_neutral.tem"), "3\n1 2\n").unwrap();
    forge(&few, ["--seed", "1"]).failed(1, &["000_neutral.tem", "announces 3 points"]);
    assert!(!out.exists());
}

fn replaced_when_whole() {
    let out = copied(blends());
    let forge = |more: &str, size: &str| {
        dfrt![
            "data",
            "forge",
            photos(),
            "--method",
            "sbi",
            "--out",
            &out,
            "--size",
            size,
            "--per-photo",
            "1",
            more
        ]
    };
    let before = bytes(out.join("landmarks.json"));
    forge("--json", "32").failed(1, &["is not empty", "--force"]);
    forge("--force", "1").failed(2, &["--size 1"]);
    assert_eq!(bytes(out.join("landmarks.json")), before);
    forge("--force", "32").done();
    assert_ne!(bytes(out.join("landmarks.json")), before);
    assert_eq!(std::fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    std::fs::write(out.join("thesis.txt"), "mine").unwrap();
    forge("--force", "32").failed(1, &["thesis.txt"]);
}

fn loading_of_blends() {
    let measured = |fakes: &str| {
        dfrt![
            "bench",
            "loading",
            "--data",
            blends(),
            "--res",
            "32",
            "--batch",
            "4",
            "--fakes",
            fakes,
            "--json"
        ]
        .json()
    };
    let (files, sbi) = (measured("files"), measured("sbi"));
    assert_eq!((files["fakes"].as_str(), sbi["fakes"].as_str()), (Some("files"), Some("sbi")));
    assert_eq!(files["n_train"], sbi["n_train"]);
    assert!(sbi["stages"]["blend"]["ms"].as_f64().unwrap() > 1e-3);
    let table =
        dfrt!["bench", "loading", "--data", blends(), "--res", "32", "--batch", "4", "--fakes", "sbi"].done();
    assert!(table.contains("times the decoding"), "{table}");
    dfrt!["bench", "loading", "--data", blends(), "--fakes", "magic"].failed(2, &["magic", "files or sbi"]);
}

fn training_on_reals_alone() {
    let set = copied(blends());
    let manifest = reals_of(&set, |line| line.contains(",real,"));
    let out = folder().join("run");
    let sbi = ["--fakes", "sbi", "--epochs", "2"];
    let outcome = train(&manifest, &out, &[&sbi[..], &["--json"]].concat()).json();
    // Five people train and one validates, two photographs each, and a fake of every one.
    assert_eq!((outcome["n_train"].as_u64(), outcome["n_val"].as_u64()), (Some(20), Some(4)));
    assert_eq!(outcome["skipped"], serde_json::json!([]));
    let config = String::from_utf8(bytes(out.join("config.toml"))).unwrap();
    assert!(config.lines().any(|line| line == "fakes = \"sbi\""), "{config}");
    let files = folder().join("files");
    train(&manifest, &files, &["--epochs", "1"]).failed(1, &["all 10 pictures are real"]);
    train(&manifest, &out, &["--resume", "--fakes", "files"]).failed(1, &["fakes was sbi and is files"]);
    // With fakes of its own a set validates on these.
    let own = reals_of(&set, |line| line.contains(",real,") || line.contains(",val"));
    let run = folder().join("own");
    train(&own, &run, &sbi).done();
    assert_eq!(json(run.join("summary.json"))["n_val"], 4);
    // A picture whose face nobody knows is listed.
    let text = String::from_utf8(bytes(set.join("landmarks.json"))).unwrap();
    std::fs::write(set.join("landmarks.json"), text.replacen("train/real/", "elsewhere/", 1)).unwrap();
    let ran = train(&own, &run, &[&sbi[..], &["--force", "--json"]].concat());
    assert!(ran.err.contains("its face is in no landmarks.json"), "{}", ran.err);
    assert_eq!(ran.json()["n_train"], 18);
}

fn training_goes_on_with_the_same_fakes() {
    let options = ["--fakes", "sbi", "--epochs", "10", "--method", "gr", "--checkpoint-steps", "1"];
    let (whole, broken) = (folder().join("run"), folder().join("run"));
    train(blends(), &whole, &options).done();
    let mut command = program();
    command.args(training(blends(), &broken, &options)).stderr(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // Killed after its first checkpoint, in the middle of an epoch.
    while !broken.join("last.safetensors").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!broken.join("model.onnx").exists(), "it was killed before its end");
    let ran = dfrt!["train", "--out", &broken, "--resume"];
    assert!(ran.err.contains("resumed after step"), "{ran:?}");
    ran.done();
    for name in ["last.safetensors", "model.onnx"] {
        assert!(bytes(whole.join(name)) == bytes(broken.join(name)), "{name} differs");
    }
}

fn training_without_faces() {
    let set = copied(blends());
    std::fs::remove_file(set.join("landmarks.json")).unwrap();
    let out = folder().join("run");
    train(&set, &out, &["--fakes", "sbi"]).failed(1, &["of none of the", "the face is known", "boxes.csv"]);
    train(&set, &out, &["--fakes", "sbi", "--batch", "7"]).failed(2, &["batch = 7", "even"]);
    train(&set, &out, &["--fakes", "magic"]).failed(2, &["magic", "files or sbi"]);
    assert!(!out.exists());
}
