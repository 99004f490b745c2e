//! `dfrt data index` on a small tree of every published layout, recognised and named, and
//! what it says of lists and folders that are wrong.

use crate::dfrt;
use crate::workshop::{bytes, folder, plain};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("indexing/every_layout_is_recognised_and_named", every_layout_is_recognised_and_named),
        plain("indexing/videos_alone_say_what_to_run", videos_alone_say_what_to_run),
        plain("indexing/thousands_of_missing_files_stay_short", thousands_of_missing_files_stay_short),
        plain("indexing/subsets_are_chosen", subsets_are_chosen),
        plain("indexing/manifests_may_climb_where_asked", manifests_may_climb_where_asked),
        plain("indexing/hostile_lists_are_refused", hostile_lists_are_refused),
    ]
}

fn put(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// A new folder with `files`: names and texts.
pub fn tree(files: &[(&str, &str)]) -> PathBuf {
    let dir = folder();
    put(&dir, files);
    dir
}

fn faceforensics() -> PathBuf {
    tree(&[
        ("splits/train.json", "[[\"000\", \"003\"]]"),
        ("splits/val.json", "[[\"720\", \"672\"]]"),
        ("splits/test.json", "[[\"953\", \"974\"]]"),
        ("original_sequences/youtube/c23/frames/000/000.png", ""),
        ("original_sequences/youtube/c40/frames/953/000.png", ""),
        ("manipulated_sequences/Deepfakes/c23/frames/000_003/000.png", ""),
        ("manipulated_sequences/FaceSwap/c23/frames/000_003/000.png", ""),
    ])
}

fn every_layout_is_recognised_and_named() {
    let layouts = [
        ("folder", tree(&[("train/real/a.png", ""), ("train/fake/swap/b.png", "")]), 2),
        ("faceforensics", faceforensics(), 4),
        ("dffd", tree(&[("ffhq/train/R_FFHQ_00000.png", ""), ("stargan/test/F_STGN_0000-01.png", "")]), 2),
        (
            "celeb-df",
            tree(&[
                ("List_of_testing_videos.txt", "1 YouTube-real/00170.mp4\n"),
                ("youtube-real/frames/00170/0.png", ""),
                ("Celeb-synthesis/frames/id0_id1_0000/0.png", ""),
            ]),
            2,
        ),
        (
            "dfdc",
            tree(&[
                ("dfdc_train_part_0/metadata.json", "{\"a.mp4\": {\"label\": \"REAL\"}}"),
                ("dfdc_train_part_0/frames/a/0.png", ""),
                ("test/labels.csv", "filename,label\nb.mp4,1\n"),
                ("test/frames/b/0.png", ""),
            ]),
            2,
        ),
        (
            "dfdcp",
            tree(&[
                (
                    "dataset.json",
                    "{\"method_A/1/1_A/2_1_A_001.mp4\": {\"label\": \"fake\", \"set\": \"train\", \"target_id\": 1}}",
                ),
                ("method_A/frames/2_1_A_001/0.png", ""),
            ]),
            1,
        ),
    ];
    for (layout, dir, pictures) in layouts {
        let index = |name: &str| {
            let out = folder().join("manifest.csv");
            let index = dfrt!["data", "index", &dir, "--layout", name, "--out", &out, "--json"].json();
            (index["sha256"].clone(), index["pictures"].clone(), bytes(out))
        };
        let found = index("auto");
        assert_eq!(found.1, pictures, "{layout}");
        assert_eq!(found, index(layout), "{layout}");
    }
}

fn videos_alone_say_what_to_run() {
    let dir = tree(&[("List_of_testing_videos.txt", ""), ("Celeb-real/id0_0000.mp4", "")]);
    let out = folder().join("manifest.csv");
    let command = format!("dfrt data extract {} --out faces", dir.display());
    dfrt!["data", "index", &dir, "--out", &out].failed(1, &["1 videos and no pictures", &command]);
    let plain = tree(&[("train/real/a.mp4", ""), ("train/fake/b.MOV", "")]);
    dfrt!["data", "index", &plain, "--out", &out].failed(1, &["2 videos and no pictures"]);
    assert!(!out.exists());
}

fn thousands_of_missing_files_stay_short() {
    let listed: String = (0..14_000).map(|number| format!("F_STGN_{number:05}-01.png\n")).collect();
    let dir = tree(&[
        ("scripts/data_lists/test_fake.txt", &listed),
        ("stargan/test/F_STGN_00000-01.png", ""),
        ("ffhq/test/R_FFHQ_10000.png", ""),
    ]);
    let out = folder().join("dffd.csv");
    let ran = dfrt!["data", "index", &dir, "--out", &out];
    assert!(ran.err.lines().count() < 30 && ran.err.contains("13999 entries"), "{ran:?}");
    assert!(ran.err.contains("and 13979 more, all of them in") && ran.err.contains("dffd.skipped.txt"));
    ran.done();
    let all = String::from_utf8(bytes(out.with_extension("skipped.txt"))).unwrap();
    assert_eq!(all.lines().count(), 13_999);
    assert!(
        all.contains("stargan/test/F_STGN_13999-01.png: in scripts/data_lists/test_fake.txt, but missing")
    );
    std::fs::remove_file(&out).unwrap();
    dfrt!["data", "index", &dir, "--out", &out].failed(1, &["dffd.skipped.txt", "--force"]);
    let index = dfrt!["data", "index", &dir, "--out", &out, "--force", "--json"].json();
    assert_eq!((index["skipped"].as_u64(), index["pictures"].as_u64()), (Some(13_999), Some(2)));
    assert_eq!(index["skipped_files"].as_array().unwrap().len(), 13_999);
}

fn subsets_are_chosen() {
    let dir = faceforensics();
    let out = folder().join("manifest.csv");
    let count = |data: &Path, names: &str| {
        let run = dfrt!["data", "index", data, "--subsets", names, "--out", &out, "--force", "--json"];
        run.json()["pictures"].as_u64().unwrap()
    };
    assert_eq!(
        [count(&dir, "c23"), count(&dir, "youtube"), count(&dir, "youtube/c23, Deepfakes/c23")],
        [3, 2, 2]
    );
    let copy = folder().join("all.csv");
    dfrt!["data", "index", &dir, "--out", &copy].done();
    assert_eq!(count(&copy, "c40"), 1, "of a manifest too");
    let absent = dfrt!["data", "index", &dir, "--subsets", "FaceShifter", "--out", &out, "--force"];
    absent.failed(1, &["FaceShifter", "Deepfakes/c23", "youtube/c40"]);
}

fn manifests_may_climb_where_asked() {
    let dir =
        tree(&[("lists/old.csv", "path,label,subset,group,split\n../a.png,real,r,a,train\n"), ("a.png", "")]);
    let (old, new) = (dir.join("lists/old.csv"), dir.join("lists/new.csv"));
    dfrt!["data", "index", &old, "--out", &new].failed(1, &["old.csv", "line 2", "climbs out", "--climb"]);
    dfrt!["data", "index", &old, "--climb", "--out", &new].done();
    let text = String::from_utf8(bytes(&new)).unwrap();
    assert!(text.contains(dir.join("a.png").to_str().unwrap()), "{text}");
    dfrt!["data", "index", &new, "--out", folder().join("third.csv")].done();
    dfrt!["data", "index", &dir, "--climb", "--out", &new, "--force"].failed(2, &["not a manifest"]);
    dfrt!["data", "index", &old, "--layout", "dffd", "--out", &new, "--force"].failed(2, &["not a folder"]);
}

fn hostile_lists_are_refused() {
    let dir = tree(&[("dfdc_train_part_0/a.mp4", "")]);
    let list = "dfdc_train_part_0/metadata.json";
    let out = folder().join("manifest.csv");
    let says = |text: &str, expected: &[&str]| {
        put(&dir, &[(list, text)]);
        let line = dfrt!["data", "index", &dir, "--out", &out].failed(1, expected);
        assert!(line.contains(list), "{line}");
    };
    says("{\"../../etc/x.mp4\": {\"label\": \"REAL\"}}", &["../../etc/x.mp4", "leaves the folder"]);
    says("{\"a.mp4\": {\"label\": \"REAL\"", &["EOF while parsing", "line 1"]);
    says("{\"a.mp4\": {\"label\": \"DEEP\"}}", &["DEEP", "neither real nor fake"]);
    says(&format!("{{\"a.mp4\": {}", "[".repeat(1_000_000)), &["is not an object"]);
    let huge = std::fs::File::create(dir.join(list)).unwrap();
    huge.set_len(1 << 33).unwrap();
    dfrt!["data", "index", &dir, "--out", &out].failed(1, &[list, "has more than 256 MiB"]);
    assert!(!out.exists());
}
