use super::*;
use crate::data::layouts::{self, Media};

fn set(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"never opened").unwrap();
    }
    dir
}

const SMALL: [&str; 4] =
    ["train/real/a.jpg", "train/fake/swap/b.PNG", "validation/real/c.png", "validation/fake/d.webp"];

#[test]
fn splits_labels_subsets_and_groups_come_from_the_folders() {
    let dir = set(&SMALL);
    let manifest = Manifest::of(dir.path()).unwrap();
    let lines: Vec<_> =
        manifest.samples.iter().map(|s| (s.split, s.label, s.subset.as_str(), s.group.as_str())).collect();
    let expected = [
        (Split::Train, Label::Fake, "swap", "b"),
        (Split::Train, Label::Real, "real", "a"),
        (Split::Val, Label::Fake, "fake", "d"),
        (Split::Val, Label::Real, "real", "c"),
    ];
    assert_eq!(lines, expected);
    assert!(manifest.skipped.is_empty());
    assert_eq!(manifest, layouts::read(dir.path(), "folder", Media::Pictures).unwrap());
}

#[test]
fn eval_is_the_split_that_is_left() {
    let splits = |files: &[&str]| {
        let samples = Manifest::of(set(files).path()).unwrap().samples;
        samples.iter().map(|sample| sample.split.name()).collect::<Vec<_>>()
    };
    assert_eq!(splits(&["train/real/a.jpg", "dev/fake/b.jpg", "eval/fake/c.jpg"]), ["val", "test", "train"]);
    assert_eq!(
        splits(&["train/real/a.jpg", "eval/fake/b.jpg", "testing/fake/c.jpg"]),
        ["val", "test", "train"]
    );
    let unclear = set(&["train/real/a.jpg", "eval/fake/b.jpg"]);
    let error = Manifest::of(unclear.path()).unwrap_err().to_string();
    assert!(error.contains("\"eval\" may be the split val or the split test"), "{error}");
}

#[test]
fn the_list_names_persons_and_its_missing_files_are_counted() {
    let dir = set(&SMALL);
    let list = "split,label,file,target,donor\ntrain,real,a.jpg,7,7\ntrain,fake,swap/b.PNG,7,8\n\
                val,real,c.png,9,9\nval,fake,d.webp,9,3\nval,fake,gone.png,9,4\n";
    std::fs::write(dir.path().join("split.csv"), list).unwrap();
    let manifest = Manifest::of(dir.path()).unwrap();
    let groups: Vec<_> = manifest.samples.iter().map(|s| s.group.as_str()).collect();
    assert_eq!(groups, ["7", "7", "9", "9"]);
    assert_eq!(manifest.samples[0].subset, "swap");
    assert_eq!(
        (&manifest.samples[0].people, &manifest.samples[1].people),
        (&vec!["7".into(), "8".into()], &vec!["7".into()])
    );
    assert_eq!(manifest.skipped, ["val/fake/gone.png: in split.csv, but missing"]);

    std::fs::write(dir.path().join("train/real/new.jpg"), b"").unwrap();
    let error = Manifest::of(dir.path()).unwrap_err().to_string();
    assert!(error.contains("train/real/new.jpg"), "{error}");
    std::fs::write(dir.path().join("split.csv"), "split,label,file,target\ntrain,odd,a.jpg,7\n").unwrap();
    let error = Manifest::of(dir.path()).unwrap_err().to_string();
    assert!(error.contains("line 2: label \"odd\""), "{error}");
}

#[test]
fn foreign_entries_are_listed_and_hidden_ones_are_not() {
    let mut files = SMALL.to_vec();
    files.extend(["train/real/notes.txt", "train/real/.DS_Store", "train/masks/m.png"]);
    files.extend(["extra/x.png", "README.md", ".git/config", "train/stray.png", "split"]);
    let dir = set(&files);
    let manifest = Manifest::of(dir.path()).unwrap();
    assert_eq!(manifest.samples.len(), 4);
    let names: Vec<_> = manifest.skipped.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = ["README.md", "extra", "split", "train/masks", "train/real/notes.txt", "train/stray.png"];
    assert_eq!(names, expected);
}

#[cfg(unix)]
#[test]
fn loops_end_and_odd_names_are_listed() {
    use std::os::unix::ffi::OsStrExt;
    let dir = set(&SMALL);
    std::os::unix::fs::symlink(dir.path(), dir.path().join("train/real/loop")).unwrap();
    std::os::unix::fs::symlink("/no/such/file.png", dir.path().join("train/real/dead.png")).unwrap();
    let odd = dir.path().join("train/real").join(OsStr::from_bytes(b"\xff\xfe.png"));
    std::fs::write(odd, b"").unwrap();
    let manifest = Manifest::of(dir.path()).unwrap();
    assert_eq!(manifest.samples.len(), 4);
    assert_eq!(manifest.skipped.len(), 3, "{:?}", manifest.skipped);
    assert!(manifest.skipped.iter().any(|line| line.contains("not UTF-8")));
    assert!(manifest.skipped.iter().any(|line| line.contains("loop")));
    assert!(manifest.skipped.iter().any(|line| line.contains("dead.png")));
}

#[test]
fn what_cannot_be_read_is_reported() {
    let says = |dir: &Path, layout: &str, expected: &str| {
        let message = layouts::read(dir, layout, Media::Pictures).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let empty = tempfile::tempdir().unwrap();
    says(empty.path(), "auto", "in no known layout");
    says(empty.path(), "folder", "holds no picture");
    says(empty.path(), "celebrities", "choose one of folder");
    says(Path::new("/no/such/folder"), "auto", "/no/such/folder: no such");
    says(Path::new("/no/such/folder"), "folder", "/no/such/folder: no such");
    says(set(&["train/real/a.txt", "train/fake/b.txt"]).path(), "auto", "2 entries passed over");
    let missing = Manifest::of(Path::new("/no/such/folder")).unwrap_err();
    assert!(matches!(missing, ManifestError::Missing { .. }));
}

/// A folder of real photographs next to the project, if there is one.
fn photographs() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/faces/london-swap")).to_owned()
}

#[test]
#[ignore = "needs the photographs in ../shared/faces"]
fn the_london_photographs_are_read_by_person() {
    let manifest = Manifest::of(&photographs()).unwrap();
    let summary = manifest.summary();
    let counts =
        Split::ALL.map(|split| (summary.count(split, Label::Real), summary.count(split, Label::Fake)));
    assert_eq!(counts, [(136, 408), (26, 78), (42, 168)]);
    assert!(manifest.skipped.is_empty(), "{:?}", manifest.skipped);
    let test = manifest.split(Split::Test);
    assert!(test.iter().all(|s| { s.path.file_name().unwrap().to_str().unwrap().starts_with(&s.group) }));
    for sample in &test {
        let picture = crate::data::picture::load(&sample.path, 96).unwrap();
        assert_eq!(picture.dimensions(), (96, 96));
    }
}
