use super::*;
use crate::data::layouts;
use crate::sample::Label;
use std::collections::BTreeSet;

fn set(files: &[String]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"never opened").unwrap();
    }
    dir
}

/// Twenty pictures in each of `folders`.
fn filled(folders: &[&str]) -> tempfile::TempDir {
    let files = |folder: &&str| -> Vec<String> {
        let letters = ('a'..='t').map(|letter| format!("{folder}/{letter}.jpg"));
        letters.collect()
    };
    set(&folders.iter().flat_map(files).collect::<Vec<_>>())
}

fn counts(manifest: &Manifest) -> [[usize; 2]; 3] {
    let summary = manifest.summary();
    Split::ALL.map(|split| [Label::Real, Label::Fake].map(|label| summary.count(split, label)))
}

fn read(dir: &tempfile::TempDir) -> Manifest {
    let found = layouts::read(dir.path(), "auto", Media::Pictures).unwrap();
    assert_eq!(found, layouts::read(dir.path(), "classes", Media::Pictures).unwrap());
    assert_eq!(found, Manifest::of(dir.path()).unwrap());
    found
}

#[test]
fn bare_classes_are_divided_by_group() {
    let pairs = [
        ["real", "fake"],
        ["0_real", "1_fake"],
        ["original", "manipulated"],
        ["nature", "ai"],
        ["real_images", "fake_images"],
        ["training_real", "training_fake"],
        ["wrapped/Real", "wrapped/Fake"],
        ["deepfake_dataset/real", "deepfake_dataset/fake"],
        ["AI/images/real_faces", "AI/images/fake_faces"],
        ["real_vs_fake/real-vs-fake/REAL", "real_vs_fake/real-vs-fake/FAKE"],
    ];
    for pair in pairs {
        let manifest = read(&filled(&pair));
        // Equal names are one group, so both classes are divided in the same way.
        assert_eq!(counts(&manifest), [[14, 14], [3, 3], [3, 3]], "{pair:?}");
        assert!(manifest.rules.iter().any(|rule| rule.contains("--seed 0")), "{:?}", manifest.rules);
        let subsets: BTreeSet<&str> = manifest.samples.iter().map(|sample| sample.subset.as_str()).collect();
        assert_eq!(subsets.into_iter().collect::<Vec<_>>(), ["fake", "real"], "{pair:?}");
    }
}

#[test]
fn a_seed_draws_other_splits() {
    let dir = filled(&["real", "fake"]);
    let with = |seed| {
        let choices = Choices { seed, ..Choices::of(Media::Pictures) };
        layouts::read_as(dir.path(), "auto", &choices).unwrap()
    };
    assert_eq!(with(0), read(&dir));
    assert_ne!(with(0).samples, with(1).samples);
    assert!(with(5).rules.iter().any(|rule| rule.contains("--seed 5")));
}

#[test]
fn splits_that_folders_name_are_kept() {
    let dir = filled(&[
        "train/0_real",
        "train/1_fake",
        "valid/0_real",
        "valid/1_fake",
        "test/0_real",
        "test/1_fake",
    ]);
    let manifest = read(&dir);
    assert_eq!(counts(&manifest), [[20, 20]; 3]);
    assert!(manifest.rules.iter().all(|rule| !rule.contains("seed")), "{:?}", manifest.rules);
    let below = filled(&["real/train", "real/test", "fake/train", "fake/test"]);
    assert_eq!(counts(&read(&below)), [[20, 20], [0, 0], [20, 20]]);
    let named = filled(&["train_real", "train_fake", "test_real", "test_fake"]);
    assert_eq!(counts(&read(&named)), [[20, 20], [0, 0], [20, 20]]);
}

#[test]
fn generators_and_things_above_the_classes_are_subsets() {
    let dir = filled(&[
        "set/progan_val/cat/0_real",
        "set/progan_val/cat/1_fake",
        "set/progan_val/car/0_real",
        "set/progan_val/car/1_fake",
    ]);
    let manifest = read(&dir);
    assert_eq!(counts(&manifest), [[0, 0], [40, 40], [0, 0]]);
    let subsets: BTreeSet<&str> = manifest.samples.iter().map(|sample| sample.subset.as_str()).collect();
    assert_eq!(subsets.into_iter().collect::<Vec<_>>(), ["car", "cat"]);
    let groups: BTreeSet<&str> = manifest.samples.iter().map(|sample| sample.group.as_str()).collect();
    assert_eq!(groups.len(), 40, "a of the cats is not a of the cars");
    let dir = filled(&["Midjourney/imagenet_midjourney/val/ai", "Midjourney/imagenet_midjourney/val/nature"]);
    assert_eq!(counts(&read(&dir)), [[0, 0], [20, 20], [0, 0]]);
}

#[test]
fn frames_of_a_video_stay_in_one_split() {
    let files = (0..20).flat_map(|video| {
        ["real", "fake"].into_iter().flat_map(move |class| {
            (0..6).map(move |frame| format!("{class}/{class}clip{video}/{frame:03}.png"))
        })
    });
    let manifest = read(&set(&files.collect::<Vec<_>>()));
    assert_eq!(counts(&manifest), [[84, 84], [18, 18], [18, 18]]);
    let pairs: BTreeSet<(&str, Split)> =
        manifest.samples.iter().map(|sample| (sample.group.as_str(), sample.split)).collect();
    assert_eq!(pairs.len(), 40, "each video is in one split");
    assert!(manifest.rules[0].starts_with("240 pictures in 40 groups by the folder"), "{:?}", manifest.rules);
}

#[test]
fn a_split_may_be_given_where_none_is_named() {
    let with = |folders: &[&str]| {
        let choices = Choices { split: Some(Split::Test), ..Choices::of(Media::Pictures) };
        layouts::read_as(filled(folders).path(), "auto", &choices)
    };
    assert_eq!(counts(&with(&["real", "fake"]).unwrap()), [[0, 0], [0, 0], [20, 20]]);
    let error = with(&["train/0_real", "test/1_fake"]).unwrap_err().to_string();
    assert!(error.contains("name splits; leave --split out"), "{error}");
    let error = with(&["train/real", "test/fake"]).unwrap_err().to_string();
    assert!(error.contains("folder has splits of its own; leave --split out"), "{error}");
}

#[test]
fn what_lies_outside_is_listed() {
    let dir = filled(&["train/real_faces", "train/fake_faces"]);
    for file in [
        "notes.txt",
        "extra/x.jpg",
        "train/real_faces/notes.txt",
        "train/fake_faces/real/x.jpg",
        "real/y.jpg",
    ] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
    }
    let manifest = read(&dir);
    assert_eq!(manifest.samples.len(), 40);
    let names: Vec<&str> = manifest.skipped.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected =
        ["extra/x.jpg", "notes.txt", "real/y.jpg", "train/fake_faces/real", "train/real_faces/notes.txt"];
    assert_eq!(names, expected);
}

#[test]
fn other_folders_are_not_recognised() {
    let says = |folders: &[&str]| {
        layouts::read(filled(folders).path(), "auto", Media::Pictures).unwrap_err().to_string()
    };
    for folders in [&["cats", "dogs"][..], &["originals"], &["real_esrgan", "fakery"]] {
        assert!(says(folders).contains("in no known layout"), "{folders:?}");
    }
    // One class alone is read where the layout is named.
    let dir = filled(&["originals"]);
    let manifest = layouts::read(dir.path(), "classes", Media::Pictures).unwrap();
    assert_eq!(counts(&manifest), [[14, 0], [3, 0], [3, 0]]);
    // A manifest in a folder of classes has priority over the folders' names.
    let dir = filled(&["real", "fake"]);
    std::fs::write(
        dir.path().join("manifest.csv"),
        "path,label,subset,group,split\nreal/a.jpg,fake,s,g,val\n",
    )
    .unwrap();
    assert_eq!(counts(&Manifest::of(dir.path()).unwrap()), [[0, 0], [0, 1], [0, 0]]);
}
