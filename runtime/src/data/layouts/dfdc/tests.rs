use super::super::trees::{error, lines, pictures, put, tree, videos};
use super::*;
use crate::data::layouts::Media;

const METADATA: &str = r#"{
  "aagfhgtpmv.mp4": {"label": "FAKE", "split": "train", "original": "vudstovrck.mp4"},
  "vudstovrck.mp4": {"label": "REAL", "split": "train", "original": null},
  "gone.mp4": {"label": "FAKE", "split": "train", "original": "aapnvogymq.mp4"}
}"#;

#[test]
fn parts_and_the_test_are_read_where_they_lie() {
    let dir = tree([
        "dfdc_train_part_0/aagfhgtpmv.mp4",
        "dfdc_train_part_0/vudstovrck.mp4",
        "dfdc_train_part_07/dfdc_train_part_7/vudstovrck.mp4",
        "train/dfdc_train_part_1/frames/aagfhgtpmv/000.png",
        "test/videos/aalscayrfi.mp4",
        "test_videos/abc.mp4",
    ]);
    put(dir.path(), "dfdc_train_part_0/metadata.json", METADATA);
    let one = r#"{"vudstovrck.mp4": {"label": "REAL"}}"#;
    put(dir.path(), "dfdc_train_part_07/dfdc_train_part_7/metadata.json", one);
    let fake = r#"{"aagfhgtpmv.mp4": {"is_fake": 1}}"#;
    put(dir.path(), "train/dfdc_train_part_1/metadata.json", fake);
    put(dir.path(), "test/labels.csv", "\u{feff}filename,label\r\naalscayrfi.mp4,1\r\n");
    let manifest = videos(&dir, "dfdc");
    let expected = [
        "dfdc_train_part_0/aagfhgtpmv.mp4: fake dfdc aagfhgtpmv train vudstovrck",
        "dfdc_train_part_0/vudstovrck.mp4: real dfdc vudstovrck train vudstovrck",
        "dfdc_train_part_07/dfdc_train_part_7/vudstovrck.mp4: real dfdc vudstovrck val vudstovrck",
        "test/videos/aalscayrfi.mp4: fake dfdc aalscayrfi test ",
    ];
    assert_eq!(lines(&dir, &manifest), expected);
    let skipped = [
        "dfdc_train_part_0/gone: in metadata.json, but missing",
        "test_videos: without metadata.json or labels.csv, so its labels are not known",
        "train/dfdc_train_part_1/aagfhgtpmv: in metadata.json, but missing",
    ];
    assert_eq!(manifest.skipped, skipped);
    let pictures = pictures(&dir, "dfdc");
    let expected = "train/dfdc_train_part_1/frames/aagfhgtpmv/000.png: fake dfdc aagfhgtpmv train ";
    assert_eq!(lines(&dir, &pictures), [expected]);
}

#[test]
fn without_a_part_that_validates_originals_do_with_what_was_made_of_them() {
    let dir = tree(["a.mp4", "aapnvogymq.mp4", "b.mp4", "vudstovrck.mp4"]);
    let list = r#"{"a.mp4": {"label": "FAKE", "original": "aapnvogymq.mp4"},
        "aapnvogymq.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE", "original": "vudstovrck.mp4"},
        "vudstovrck.mp4": {"label": "REAL"}}"#;
    put(dir.path(), "metadata.json", list);
    let splits = |dir| videos(dir, "dfdc").samples.iter().map(|s| s.split.name()).collect::<Vec<_>>();
    assert_eq!(splits(&dir), ["val", "val", "train", "train"]);
    put(dir.path(), "validation/c.mp4", "");
    put(dir.path(), "validation/labels.csv", "filename,label\nc.mp4,0\n");
    assert_eq!(
        splits(&dir),
        ["train", "train", "train", "val", "train"],
        "a folder that validates is enough"
    );
}

#[test]
fn videos_without_a_label_are_passed_over_and_faults_are_named() {
    let dir = tree(["dfdc_train_part_0/aagfhgtpmv.mp4", "dfdc_train_part_0/other.mp4"]);
    put(dir.path(), "dfdc_train_part_0/metadata.json", METADATA);
    let unknown = "dfdc_train_part_0/other.mp4: not in metadata.json, so its label is not known";
    assert!(videos(&dir, "dfdc").skipped.iter().any(|line| line == unknown));
    assert!(error(&dir).contains("1 videos and no pictures"));
    let says = |file: &str, list: &str, expected: &str| {
        put(dir.path(), file, list);
        let error = error(&dir);
        assert!(error.contains(expected) && error.contains(file), "{error}");
    };
    let part = "dfdc_train_part_0/metadata.json";
    says(part, r#"{"../../etc/x.mp4": {"label": "REAL"}}"#, "leaves the folder");
    says(part, r#"{"a.mp4": {"label": "FAKE", "original": "/etc/passwd"}}"#, "leaves the folder");
    says(part, r#"{"a.mp4": {"label": "SWAP"}}"#, "\"a.mp4\": label \"SWAP\"");
    says(part, r#"{"a.mp4": {"is_fake": 2}}"#, "is_fake 2");
    says(part, r#"{"a.mp4": {"split": "train"}}"#, "has neither a label nor is_fake");
    says(part, "{\"a.mp4\": ", "EOF while parsing");
    put(dir.path(), part, METADATA);
    says("test/labels.csv", "filename,label\na.mp4,REAL\n", "line 2: label \"REAL\" is neither 0");
    says("test/labels.csv", "name,label\na.mp4,1\n", "column \"filename\" is missing");
}

#[test]
fn a_folder_without_lists_says_that_labels_are_not_known() {
    let dir = tree(["dfdc_train_part_0/a.mp4"]);
    let error = layouts_error(dir.path());
    assert!(error.contains("holds no picture") && error.contains("metadata.json"), "{error}");
}

fn layouts_error(dir: &Path) -> String {
    crate::data::layouts::read(dir, "auto", Media::Pictures).unwrap_err().to_string()
}
