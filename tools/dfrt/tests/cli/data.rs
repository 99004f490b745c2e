//! `dfrt data` and `dfrt devices`.

use crate::dfrt;
use crate::workshop::{bytes, copied, faces, folder, gpu, plain};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("data/synth_draws_the_same_set_again", synth_draws_the_same_set_again),
        plain("data/synth_keeps_what_is_there", synth_keeps_what_is_there),
        plain("data/synth_refuses_what_cannot_be_drawn", synth_refuses_what_cannot_be_drawn),
        plain("data/index_counts_and_lists", index_counts_and_lists),
        plain("data/index_keeps_an_earlier_manifest", index_keeps_an_earlier_manifest),
        plain("data/several_are_joined", several_are_joined),
        plain("data/a_folder_of_one_class", a_folder_of_one_class),
        plain("data/folders_that_are_no_data_set", folders_that_are_no_data_set),
        gpu("devices/the_one_used_is_marked", the_one_used_is_marked),
    ]
}

fn synth_draws_the_same_set_again() {
    let out = folder().join("again");
    let drawn =
        dfrt!["data", "synth", "--out", &out, "--count", "48", "--size", "64", "--seed", "1", "--json"];
    let drawn = drawn.json();
    assert_eq!((drawn["pictures"].as_u64(), drawn["skipped"].as_u64()), (Some(48), Some(0)));
    assert_eq!(bytes(out.join("split.csv")), bytes(faces().join("split.csv")));
    let index = |data: &std::path::Path| {
        let manifest = folder().join("manifest.csv");
        dfrt!["data", "index", data, "--out", &manifest, "--json"].json()["sha256"].clone()
    };
    assert_eq!(index(&out), index(faces()));
}

fn synth_keeps_what_is_there() {
    let out = copied(faces());
    let before = bytes(out.join("split.csv"));
    let synth = |more: &str, count: &str| {
        dfrt!["data", "synth", "--out", &out, "--count", count, "--size", "32", "--seed", "2", more]
    };
    synth("--json", "12").failed(1, &["faces", "--force"]);
    assert_eq!(bytes(out.join("split.csv")), before);
    synth("--force", "3").failed(2, &["--count 3"]);
    assert_eq!(bytes(out.join("split.csv")), before, "nothing is removed before the new set is whole");
    synth("--force", "12").done();
    assert_ne!(bytes(out.join("split.csv")), before);
    let entries = std::fs::read_dir(out.parent().unwrap()).unwrap().count();
    assert_eq!(entries, 1, "nothing is left beside it");
    std::fs::write(out.join("thesis.txt"), "mine").unwrap();
    synth("--force", "12").failed(1, &["thesis.txt"]);
}

fn synth_refuses_what_cannot_be_drawn() {
    let out = folder().join("set");
    dfrt!["data", "synth", "--out", &out, "--count", "2"].failed(2, &["--count 2", "12"]);
    dfrt!["data", "synth", "--out", &out, "--size", "0"].failed(2, &["--size 0", "32"]);
    assert!(!out.exists());
    let file = folder().join("file");
    std::fs::write(&file, "").unwrap();
    dfrt!["data", "synth", "--out", &file].failed(1, &["is a file"]);
}

fn index_counts_and_lists() {
    let data = copied(faces());
    std::fs::write(data.join("README.txt"), "about").unwrap();
    std::fs::write(data.join("test/real/notes.txt"), "more").unwrap();
    let out = folder().join("manifest.csv");
    let ran = dfrt!["data", "index", &data, "--out", &out];
    assert!(
        ran.err.contains("2 entries") && ran.err.contains("notes.txt") && ran.err.contains("README.txt"),
        "{ran:?}"
    );
    let table = ran.done();
    for words in ["split", "pictures", "self-blend", "swap", "48 pictures"] {
        assert!(table.contains(words), "{words} is not in {table}");
    }
    let index =
        dfrt!["data", "index", &data, "--layout", "folder", "--out", &out, "--force", "--json"].json();
    assert_eq!(index["pictures"], 48);
    assert_eq!(index["skipped"], 2);
    assert_eq!(index["skipped_files"].as_array().unwrap().len(), 2);
    let text = String::from_utf8(bytes(&out)).unwrap();
    assert_eq!(text.lines().next(), Some("path,label,subset,group,split,people"));
    assert_eq!(text.lines().count(), 49);
}

fn index_keeps_an_earlier_manifest() {
    let out = folder().join("manifest.csv");
    std::fs::write(&out, "mine").unwrap();
    dfrt!["data", "index", faces(), "--out", &out].failed(1, &["manifest.csv", "--force"]);
    assert_eq!(bytes(&out), b"mine");
    dfrt!["data", "index", folder(), "--out", &out, "--force"].failed(1, &["no known layout"]);
    assert_eq!(bytes(&out), b"mine", "a folder that cannot be read costs no earlier manifest");
    dfrt!["data", "index", faces(), "--out", &out, "--force"].done();
    assert_ne!(bytes(&out), b"mine");
}

fn a_folder_of_one_class() {
    let portraits = faces().join("test/real");
    let out = folder().join("portraits.csv");
    let said =
        dfrt!["data", "index", &portraits, "--label", "fake", "--subset", "gan", "--out", &out, "--json"];
    assert_eq!(said.json()["pictures"], 6);
    let text = String::from_utf8(bytes(&out)).unwrap();
    assert_eq!(
        text.lines().filter(|line| line.contains(",fake,gan,p0") && line.ends_with(",test")).count(),
        6
    );
    let model = crate::workshop::model();
    let alone = dfrt!["eval", "--model", model, "--data", &out].done();
    assert!(alone.contains("all pictures are fake") && alone.contains("undefined"), "{alone}");
    dfrt!["data", "index", &portraits, "--split", "val", "--out", &out, "--force"].failed(1, &["--label"]);
    // Reals alone in a layout: what self-blended images need.
    let reals = copied(faces());
    for split in ["train", "val", "test"] {
        std::fs::remove_dir_all(reals.join(split).join("fake")).unwrap();
    }
    std::fs::remove_file(reals.join("split.csv")).unwrap();
    let index = dfrt!["data", "index", &reals, "--out", &out, "--force", "--json"].json();
    assert_eq!(index["pictures"], 24);
    crate::workshop::train(&reals, &folder().join("run"), &[]).failed(1, &["all 14 pictures are real"]);
}

fn several_are_joined() {
    let other = folder().join("other");
    dfrt!["data", "synth", "--out", &other, "--count", "12", "--size", "32", "--seed", "3"].done();
    let out = folder().join("both.csv");
    let named = |name: &str, path: &std::path::Path| format!("{name}={}", path.display());
    let said = dfrt!["data", "join", named("a", faces()), named("b", &other), "--out", &out, "--json"].json();
    assert_eq!(said["pictures"], 60);
    let text = String::from_utf8(bytes(&out)).unwrap();
    assert!(text.contains(",fake,a/swap,a/p00") && text.contains(",real,b/real,b/p00"), "{text}");
    // The same pictures twice are there once, unless they are said to be another thing.
    let once = dfrt!["data", "join", faces(), faces(), "--out", &out, "--force", "--json"].json();
    assert_eq!(once["pictures"], 48);
    let lie = folder().join("lie.csv");
    let fake = text.lines().find(|line| line.contains(",fake,a/")).unwrap();
    let header = text.lines().next().unwrap();
    std::fs::write(&lie, format!("{header}\n{}\n", fake.replace(",fake,", ",real,"))).unwrap();
    dfrt!["data", "join", faces(), &lie, "--out", &out, "--force"].failed(1, &["is fake in", "and real in"]);
    dfrt!["data", "join", faces(), "--out", &out].failed(1, &["both.csv", "--force"]);
    dfrt!["data", "join", "--out", folder().join("none.csv")].failed(2, &["no data set is named"]);
}

fn folders_that_are_no_data_set() {
    let out = folder().join("manifest.csv");
    let index = |data: &std::path::Path| dfrt!["data", "index", data, "--out", &out];
    index(&folder().join("absent")).failed(1, &["absent", "no such file"]);
    index(&folder()).failed(1, &["no known layout", "{train,val,test}/{real,fake}"]);
    let empty = folder();
    for class in ["real", "fake"] {
        std::fs::create_dir_all(empty.join("test").join(class)).unwrap();
    }
    index(&empty).failed(1, &["holds no picture"]);
    dfrt!["data", "index", faces(), "--layout", "magic", "--out", &out]
        .failed(2, &["--layout magic", "auto", "folder"]);
    assert!(!out.exists());
}

fn the_one_used_is_marked() {
    let table = dfrt!["devices"].done();
    assert!(table.contains("\n * "), "{table}");
    let list = dfrt!["devices", "--json"].json();
    let devices = list.as_array().unwrap();
    assert_eq!(devices.iter().filter(|device| device["default"] == true).count(), 1);
    for key in ["index", "name", "type", "api", "driver"] {
        assert!(devices.iter().all(|device| !device[key].is_null()), "{key} is missing in {list}");
    }
    let ran = dfrt!["devices"];
    let used = devices.iter().find(|device| device["default"] == true).unwrap();
    assert_eq!(ran.err.contains("software"), used["type"] == "software", "{ran:?}");
}
