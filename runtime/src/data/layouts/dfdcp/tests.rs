use super::super::trees::{error, lines, pictures, put, tree, videos};
use tempfile::TempDir;

const LIST: &str = r#"{
  "original_videos/643049/643049_A_001.mp4":
    {"augmentations": [], "label": "real", "set": "train", "target_id": 643049, "swapped_id": null},
  "original_videos/7/7_B_002.mp4": {"label": "real", "set": "test", "target_id": "7"},
  "method_A/643049/643049_A/7_643049_A_001.mp4":
    {"augmentations": ["fps"], "label": "fake", "set": "train", "target_id": "643049", "swapped_id": "7"},
  "method_B/7/7_B/643049_7_B_002.mp4":
    {"label": "fake", "set": "test", "target_id": "7", "swapped_id": "643049"},
  "method_B/7/7_B/gone.mp4": {"label": "fake", "set": "test"}
}"#;

fn set(files: &[&str]) -> TempDir {
    let dir = tree(files);
    put(dir.path(), "dataset.json", LIST);
    dir
}

const VIDEOS: [&str; 4] = [
    "method_A/643049/643049_A/7_643049_A_001.mp4",
    "method_B/7/7_B/643049_7_B_002.mp4",
    "original_videos/643049/643049_A_001.mp4",
    "original_videos/7/7_B_002.mp4",
];

#[test]
fn the_list_says_label_set_and_people() {
    let dir = set(&VIDEOS);
    let manifest = videos(&dir, "dfdcp");
    let expected = [
        "method_A/643049/643049_A/7_643049_A_001.mp4: fake method_A method_A/7_643049_A_001 train 643049+7",
        "method_B/7/7_B/643049_7_B_002.mp4: fake method_B method_B/643049_7_B_002 test 7+643049",
        "original_videos/643049/643049_A_001.mp4: real original_videos original_videos/643049_A_001 train 643049",
        "original_videos/7/7_B_002.mp4: real original_videos original_videos/7_B_002 test 7",
    ];
    assert_eq!(lines(&dir, &manifest), expected);
    assert_eq!(manifest.skipped, ["method_B/gone: in dataset.json, but missing"]);
    assert!(error(&dir).contains("4 videos and no pictures"));
}

#[test]
fn frames_lie_at_the_top_of_each_folder() {
    let mut files = VIDEOS.to_vec();
    files.extend(["method_A/frames/7_643049_A_001/000.png", "original_videos/frames/unknown/000.png"]);
    let dir = set(&files);
    let manifest = pictures(&dir, "dfdcp");
    let line = "method_A/frames/7_643049_A_001/000.png: fake method_A method_A/7_643049_A_001 train 643049+7";
    assert_eq!(lines(&dir, &manifest), [line]);
    let unknown = "original_videos/frames/unknown: 1 files, not in dataset.json, so its label is not known";
    assert!(manifest.skipped.iter().any(|found| found == unknown), "{:#?}", manifest.skipped);
}

#[test]
fn people_of_the_held_out_tenth_validate() {
    let dir = tree(["original_videos/a.mp4", "original_videos/b.mp4", "method_A/c.mp4"]);
    // The name whose digest holds it out, see held_out.rs.
    let held_out = "aapnvogymq";
    let list = format!(
        r#"{{"original_videos/a.mp4": {{"label": "real", "set": "train", "target_id": "{held_out}"}},
        "original_videos/b.mp4": {{"label": "real", "set": "train", "target_id": "1"}},
        "method_A/c.mp4": {{"label": "fake", "set": "train", "target_id": "1", "swapped_id": "{held_out}"}}}}"#
    );
    put(dir.path(), "dataset.json", list);
    let splits: Vec<_> = videos(&dir, "dfdcp").samples.iter().map(|sample| sample.split.name()).collect();
    assert_eq!(splits, ["val", "val", "train"]);
}

#[test]
fn faults_of_the_list_are_named() {
    let dir = set(&VIDEOS);
    let says = |list: &str, expected: &str| {
        put(dir.path(), "dataset.json", list);
        let error = error(&dir);
        assert!(error.contains(expected) && error.contains("dataset.json"), "{error}");
    };
    let of = |name: &str, facts: &str| format!("{{\"{name}\": {facts}}}");
    let good = r#"{"label": "real", "set": "test"}"#;
    says(
        &of("../../etc/x.mp4", good),
        "\"../../etc/x.mp4\": the name \"../../etc/x.mp4\" is empty or leaves",
    );
    says(&of("a.mp4", good), "is not of the form");
    says(&of("a/b.mp4", r#"{"label": "maybe", "set": "test"}"#), "\"a/b.mp4\": label \"maybe\" is neither");
    says(&of("a/b.mp4", r#"{"label": "real", "set": "spare"}"#), "split \"spare\"");
    says(&of("a/b.mp4", r#"{"label": "real"}"#), "missing field `set`");
    says(&format!("{{\"a/b.mp4\": {good}, \"a/b.mp4\": {good}}}"), "\"a/b.mp4\" is there twice");
    says(
        &format!("{{\"a/1/b.mp4\": {good}, \"a/2/b.mp4\": {{\"label\": \"fake\", \"set\": \"test\"}}}}"),
        "two different",
    );
    says("[1, 2]", "is not an object of videos");
    says(LIST.trim_end_matches('}'), "EOF while parsing");
}
