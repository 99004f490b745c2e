//! `dfrt data index` on folders and lists that nobody published: bare classes, frames of
//! videos, CSV files of other programs. What is settled by a rule is said.

use crate::dfrt;
use crate::indexing::tree;
use crate::workshop::{bytes, faces, folder, model, plain};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("listing/frames_are_grouped_by_their_video", frames_are_grouped_by_their_video),
        plain("listing/a_grouping_can_be_chosen", a_grouping_can_be_chosen),
        plain("listing/bare_classes_are_divided", bare_classes_are_divided),
        plain("listing/lists_of_other_programs", lists_of_other_programs),
        plain("listing/options_that_cannot_be", options_that_cannot_be),
        plain("listing/a_bare_folder_is_measured", a_bare_folder_is_measured),
        plain("listing/equal_names_stay_apart", equal_names_stay_apart),
    ]
}

/// The column `at` of the manifest at `path`.
fn column(path: &Path, at: usize) -> Vec<String> {
    let text = String::from_utf8(bytes(path)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().to_owned()).collect()
}

fn distinct(values: Vec<String>) -> BTreeSet<String> {
    values.into_iter().collect()
}

/// Six videos of each class, each of four frames under the same four names.
fn frames() -> std::path::PathBuf {
    let names = (0..48).map(|place| {
        let (class, video) = if place < 24 { ("real", place / 4) } else { ("fake", place / 4) };
        format!("test/{class}/video_{video:03}/{:04}.jpg", place % 4)
    });
    let names: Vec<String> = names.collect();
    tree(&names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>())
}

fn frames_are_grouped_by_their_video() {
    let out = folder().join("manifest.csv");
    let ran = dfrt!["data", "index", frames(), "--out", &out];
    assert!(ran.err.contains("48 pictures in 12 groups by the folder"), "{ran:?}");
    ran.done();
    assert_eq!(distinct(column(&out, 3)).len(), 12);
    assert_eq!(distinct(column(&out, 2)), ["fake", "real"].map(str::to_owned).into());
}

fn a_grouping_can_be_chosen() {
    let out = folder().join("manifest.csv");
    let groups = |grouping: &str| {
        dfrt!["data", "index", frames(), "--group", grouping, "--out", &out, "--force"].done();
        distinct(column(&out, 3)).len()
    };
    assert_eq!(["folder", "file", "auto"].map(groups), [12, 48, 12]);
    dfrt!["data", "index", frames(), "--group", "person", "--out", &out].failed(2, &["person", "stem"]);
    let known = tree(&[("ffhq/train/R_FFHQ_00000.png", "")]);
    dfrt!["data", "index", known, "--group", "file", "--out", &out, "--force"]
        .failed(1, &["dffd", "--group"]);
    let names: Vec<String> = (0..300).map(|number| format!("test/fake/gan/{number:05}.png")).collect();
    let unclear = tree(&names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
    dfrt!["data", "index", &unclear, "--out", &out, "--force"]
        .failed(1, &["300 pictures of 1 folder", "gan/00000.png", "--group folder", "--group file"]);
    dfrt!["data", "index", &unclear, "--group", "file", "--out", &out, "--force"].done();
}

fn bare_classes_are_divided() {
    let names: Vec<String> = (0..40)
        .map(|place| {
            format!("set/{}/{}.jpg", ["0_real", "1_fake"][place / 20], (b'a' + (place % 20) as u8) as char)
        })
        .collect();
    let dir = tree(&names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
    let index = |seed: &str| {
        let out = folder().join("manifest.csv");
        let ran = dfrt!["data", "index", &dir, "--seed", seed, "--out", &out];
        assert!(ran.err.contains(&format!("--seed {seed}")), "{ran:?}");
        ran.done();
        bytes(out)
    };
    assert_eq!(index("3"), index("3"));
    assert_ne!(index("3"), index("4"));
    let out = folder().join("manifest.csv");
    let found = dfrt!["data", "index", &dir, "--out", &out, "--json"].json();
    assert_eq!(found["rules"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(distinct(column(&out, 4)), ["test", "train", "val"].map(str::to_owned).into());
}

fn lists_of_other_programs() {
    let dir = tree(&[
        ("list.csv", "filename;label\nreal\\a.png;0\nfakes\\b.png;1\n"),
        ("pictures/real/a.png", ""),
        ("pictures/fakes/b.png", ""),
        ("pictures/other.csv", "filename,label\nreal/a.png,0\nfakes/b.png,1\n"),
        ("flat.csv", "filename,label\npictures/real/a.png,7\npictures/fakes/b.png,7\n"),
    ]);
    let out = folder().join("manifest.csv");
    let index = |list: &str, more: &[&str]| {
        let mut command = crate::workshop::program();
        command.args(["data", "index"]).arg(dir.join(list)).args(more).arg("--out").arg(&out).arg("--force");
        crate::workshop::ended(command)
    };
    index("list.csv", &[]).failed(1, &["none of its 2 pictures is there", "--root"]);
    let root = dir.join("pictures");
    let root = ["--root", root.to_str().unwrap(), "--split", "test"];
    let ran = index("list.csv", &root);
    assert!(ran.err.contains("0 real, 1 fake, as the folders of all pictures say"), "{ran:?}");
    ran.done();
    assert_eq!(column(&out, 1), ["fake", "real"]);
    let other = index("pictures/other.csv", &["--fake-label", "0", "--split", "test"]);
    assert!(other.err.contains("1 real, 0 fake, as said"), "{other:?}");
    assert_eq!(column(&out, 1), ["real", "fake"]);
    index("flat.csv", &[]).failed(1, &["\"label\" are 7", "nothing proves", "--fake-label 7"]);
    let all = index("flat.csv", &["--label", "fake", "--split", "val"]);
    assert!(all.err.contains("all are fake by --label"), "{all:?}");
    assert_eq!((distinct(column(&out, 1)).len(), distinct(column(&out, 4))), (1, ["val".to_owned()].into()));
    // What it wrote is a manifest, which says all of that itself.
    dfrt!["data", "index", &out, "--out", folder().join("m.csv")].done();
    dfrt!["data", "index", &out, "--fake-label", "1", "--out", folder().join("m.csv")]
        .failed(2, &["is a manifest", "--fake-label"]);
    // Other commands say what makes one of a list.
    dfrt!["eval", "--model", model(), "--data", dir.join("flat.csv")]
        .failed(1, &["flat.csv", "\"path\" is missing", "`dfrt data index"]);
}

fn options_that_cannot_be() {
    let dir = tree(&[("real/a.png", ""), ("fake/b.png", "")]);
    let out = folder().join("manifest.csv");
    let says = |option: &str, value: &str, words: &[&str]| {
        dfrt!["data", "index", &dir, option, value, "--out", &out].failed(2, words);
    };
    says("--fake-label", "1", &["not a manifest or a list", "--fake-label"]);
    says("--root", "/", &["not a manifest or a list", "--root"]);
    says("--subset", "photos", &["--label real or --label fake"]);
    says("--seed", "many", &["--seed"]);
    assert!(!out.exists());
}

/// The pictures of the drawn test set in folders called after their classes alone.
fn bare() -> std::path::PathBuf {
    let dir = folder();
    for class in ["real", "fake"] {
        std::fs::create_dir(dir.join(class)).unwrap();
        for split in ["train", "val", "test"] {
            for entry in walkdir(&faces().join(split).join(class)) {
                std::fs::copy(&entry, dir.join(class).join(entry.file_name().unwrap())).unwrap();
            }
        }
    }
    dir
}

fn walkdir(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] }).collect()
}

fn a_bare_folder_is_measured() {
    let dir = bare();
    let ran = dfrt!["eval", "--model", model(), "--data", &dir, "--json"];
    assert!(ran.err.contains("by dfrt data index --seed 0"), "{ran:?}");
    let direct = ran.json();
    let out = dir.join("manifest.csv");
    dfrt!["data", "index", &dir, "--out", &out].done();
    let by_manifest = dfrt!["eval", "--model", model(), "--data", &out, "--json"].json();
    assert_eq!(direct["metrics"], by_manifest["metrics"]);
    assert!(direct["data"]["n_fake"].as_u64().unwrap() > 0 && direct["data"]["n_real"].as_u64().unwrap() > 0);
}

fn equal_names_stay_apart() {
    let dir = folder();
    let pictures = walkdir(&faces().join("test"));
    let names = [
        "test/real/a/x.png",
        "test/real/b/x.png",
        "test/real/b/y.png",
        "test/fake/a/x.png",
        "test/fake/x.png",
    ];
    for (name, picture) in names.iter().zip(&pictures) {
        std::fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        std::fs::copy(picture, dir.join(name)).unwrap();
    }
    // The same name under another ending, what is inside being no matter of its name.
    std::fs::copy(&pictures[5], dir.join("test/fake/x.jpg")).unwrap();
    let out = folder().join("attack");
    dfrt![
        "attack",
        "--model",
        model(),
        "--method",
        "random-noise",
        "--queries",
        "2",
        "--data",
        &dir,
        "--out",
        &out,
        "--json"
    ]
    .json();
    let samples = column(&out.join("samples.csv"), 0);
    assert_eq!(distinct(samples).len(), 6);
    let manifest = folder().join("manifest.csv");
    dfrt!["data", "index", &dir, "--out", &manifest].done();
    let groups = distinct(column(&manifest, 3));
    assert!(groups.contains("x.png") && groups.contains("x.jpg"), "{groups:?}");
}
