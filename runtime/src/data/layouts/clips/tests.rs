use super::super::trees::{pictures, put, tree, videos};

fn set() -> tempfile::TempDir {
    let dir = tree(["Celeb-real/frames/id1_0000/a, b.png", "Celeb-real/frames/id1_0000/ c \"d\".PNG"]);
    put(dir.path(), "List_of_testing_videos.txt", "");
    dir
}

#[test]
fn names_with_spaces_and_commas_come_back_through_a_manifest() {
    let dir = set();
    let manifest = pictures(&dir, "celeb-df");
    assert_eq!(manifest.samples.len(), 2);
    let path = dir.path().join("manifest.csv");
    manifest.write(&path).unwrap();
    assert_eq!(crate::data::manifest::Manifest::read(&path).unwrap(), manifest);
}

#[cfg(unix)]
#[test]
fn loops_end_and_names_that_are_no_text_are_listed() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let dir = set();
    let frames = dir.path().join("Celeb-real/frames/id1_0000");
    symlink(dir.path(), frames.join("loop")).unwrap();
    symlink("/no/such/file.png", frames.join("dead.png")).unwrap();
    std::fs::write(frames.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.png")), "").unwrap();
    let manifest = pictures(&dir, "celeb-df");
    assert_eq!(manifest.samples.len(), 2);
    let expected = ["a link back to", "cannot be read", "not UTF-8"];
    assert_eq!(manifest.skipped.len(), 3, "{:?}", manifest.skipped);
    for words in expected {
        assert!(manifest.skipped.iter().any(|line| line.contains(words)), "{words}: {:?}", manifest.skipped);
    }
}

#[cfg(unix)]
#[test]
fn links_to_another_disk_are_followed() {
    let elsewhere = tree(["id1_0000.mp4"]);
    let dir = tree(["List_of_testing_videos.txt"]);
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("Celeb-real")).unwrap();
    assert_eq!(videos(&dir, "celeb-df").samples.len(), 1);
}

#[test]
fn crops_of_faces_are_read_before_frames() {
    let dir = set();
    put(dir.path(), "Celeb-real/faces/id1_0000/1.png", "");
    put(dir.path(), "Celeb-real/faces/id1_0000/deep/1.png", "");
    let manifest = pictures(&dir, "celeb-df");
    assert_eq!(manifest.samples.len(), 1);
    let expected = [
        "Celeb-real/faces/id1_0000/deep: a folder within a video's pictures",
        "Celeb-real/frames: 2 files, those of faces are read",
    ];
    assert_eq!(manifest.skipped, expected);
}
