//! `dfrt data audit`.

use crate::dfrt;
use crate::workshop::{bytes, copied, faces, folder, json, plain};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("audit/a_drawn_set_is_sound", a_drawn_set_is_sound),
        plain("audit/a_leak_is_told_and_fails_where_asked", a_leak_is_told_and_fails_where_asked),
        plain("audit/the_result_is_written_whole_and_once", the_result_is_written_whole_and_once),
        plain("audit/damaged_pictures_are_found", damaged_pictures_are_found),
        plain("audit/a_manifest_of_one_class", a_manifest_of_one_class),
        plain("audit/what_cannot_be_audited", what_cannot_be_audited),
    ]
}

/// The verdict of a check.
#[track_caller]
fn verdict<'a>(audit: &'a Value, check: &str) -> &'a str {
    let findings = audit["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("{check} is missing"))["verdict"].as_str().unwrap()
}

/// The first picture below a folder, by name.
fn first(below: &Path) -> std::path::PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.swap_remove(0)
}

/// [`faces`] with a real picture of test once more in train, under another name.
fn leaking() -> std::path::PathBuf {
    let data = copied(faces());
    let picture = first(&data.join("test/real"));
    std::fs::copy(&picture, data.join("train/real/again.jpg")).unwrap();
    let list = String::from_utf8(bytes(data.join("split.csv"))).unwrap();
    std::fs::write(data.join("split.csv"), list + "train,real,again.jpg,somebody,somebody\n").unwrap();
    data
}

fn a_drawn_set_is_sound() {
    let ran = dfrt!["data", "audit", faces(), "--strict"];
    assert!(ran.err.contains("audited 48/48"), "{ran:?}");
    let table = ran.done();
    for words in ["48 pictures", "ok       people", "none of 12 persons", "note     groups", "what to do"] {
        assert!(table.contains(words), "{words} is not in {table}");
    }
    let audit = dfrt!["data", "audit", faces(), "--json", "--threads", "1"].json();
    assert_eq!(audit["data"]["readable"], 48);
    assert_eq!(audit["verdict"], "note");
    for check in ["files", "copies-across-splits", "near-copies", "people", "size", "metadata"] {
        assert_eq!(verdict(&audit, check), "ok", "{check}");
    }
    assert!(audit["attributes"].as_array().unwrap().iter().any(|one| one["attribute"] == "jpeg_quality"));
    let limited = dfrt!["data", "audit", faces(), "--limit", "4"].done();
    assert!(limited.contains("12 of them looked at"), "{limited}");
}

fn a_leak_is_told_and_fails_where_asked() {
    let data = leaking();
    let ran = dfrt!["data", "audit", &data];
    assert!(ran.err.contains("copies compared 2/2"), "{ran:?}");
    let table = ran.done();
    assert!(table.contains("leak     copies-across-splits") && table.contains("again.jpg"), "{table}");
    let ran = dfrt!["data", "audit", &data, "--strict", "--json"];
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let audit: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((verdict(&audit, "copies-across-splits"), verdict(&audit, "people")), ("leak", "ok"));
    let line = ran.err.lines().last().unwrap();
    assert!(line.starts_with("error: ") && line.contains("copies-across-splits (leak)"), "{line}");
}

fn the_result_is_written_whole_and_once() {
    let out = folder().join("deep/audit.json");
    let table = dfrt!["data", "audit", faces(), "--out", &out].done();
    assert!(table.contains("written to"), "{table}");
    assert_eq!(json(&out)["data"]["pictures"], 48);
    let before = bytes(&out);
    dfrt!["data", "audit", leaking(), "--out", &out].failed(1, &["audit.json", "--force"]);
    assert_eq!(bytes(&out), before);
    dfrt!["data", "audit", leaking(), "--out", &out, "--force"].done();
    assert_eq!(verdict(&json(&out), "copies-across-splits"), "leak");
    assert_eq!(std::fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    let strict = folder().join("audit.json");
    let ran = dfrt!["data", "audit", leaking(), "--out", &strict, "--strict"];
    assert_eq!((ran.code, json(&strict)["verdict"].as_str()), (Some(1), Some("leak")));
}

fn damaged_pictures_are_found() {
    let data = copied(faces());
    let (cut, renamed) = (first(&data.join("train/real")), first(&data.join("val/real")));
    let whole = bytes(&cut);
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let manifest = folder().join("manifest.csv");
    std::fs::remove_file(data.join("split.csv")).unwrap();
    std::fs::rename(&renamed, renamed.with_extension("png")).unwrap();
    dfrt!["data", "index", &data, "--out", &manifest].done();
    std::fs::remove_file(first(&data.join("test/real"))).unwrap();
    let audit = dfrt!["data", "audit", &manifest, "--json"].json();
    assert_eq!((verdict(&audit, "files"), verdict(&audit, "extensions")), ("error", "warning"));
    assert_eq!(verdict(&audit, "people"), "note", "without split.csv only names with numbers tell films");
    let files = &audit["findings"][0];
    assert_eq!((&files["figures"]["unreadable"], &files["figures"]["missing"]), (&2.into(), &1.into()));
    assert_eq!(files["cases"].as_array().unwrap().len(), 2);
}

fn a_manifest_of_one_class() {
    let manifest = folder().join("manifest.csv");
    dfrt!["data", "index", faces(), "--out", &manifest].done();
    let text = String::from_utf8(bytes(&manifest)).unwrap();
    let reals: Vec<&str> = text.lines().filter(|line| !line.contains(",fake,")).collect();
    std::fs::write(&manifest, reals.join("\n")).unwrap();
    let table = dfrt!["data", "audit", &manifest].done();
    assert!(table.contains("error    classes") && table.contains("100 % real"), "{table}");
}

fn what_cannot_be_audited() {
    dfrt!["data", "audit", folder().join("absent")].failed(1, &["absent", "no such file"]);
    dfrt!["data", "audit", folder()].failed(1, &["no known layout"]);
    dfrt!["data", "audit", faces(), "--limit", "1"].failed(2, &["--limit 1"]);
    dfrt!["data", "audit", faces(), "--out", folder()].failed(1, &["is a folder"]);
    dfrt!["data", "audit"].failed(2, &[]);
}
