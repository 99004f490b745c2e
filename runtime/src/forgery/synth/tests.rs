use super::*;
use crate::data::manifest::Manifest;
use std::collections::{BTreeMap, BTreeSet};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let walk = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let walk = walk.filter(|entry| entry.file_type().is_file());
    walk.map(|entry| {
        let below = entry.path().strip_prefix(folder).unwrap().to_owned();
        (below, std::fs::read(entry.path()).unwrap())
    })
    .collect()
}

#[test]
fn any_number_of_threads_draws_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = |name: &str, threads: usize, seed: u64| {
        let out = folder.path().join(name);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| draw(&out, 21, 48, seed, &|_, _| {})).unwrap();
        files(&out)
    };
    let one = drawn("one", 1, 5);
    assert_eq!(one, drawn("three", 3, 5));
    assert_ne!(one, drawn("other", 3, 6));
    assert_eq!(one.len(), 22);
}

#[test]
fn the_set_is_balanced_and_its_persons_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let last = AtomicUsize::new(0);
    let summary = draw(&out, 80, 32, 0, &|done, all| {
        assert_eq!(all, 80);
        last.fetch_max(done, Ordering::Relaxed);
    });
    assert_eq!(last.into_inner(), 80);
    let summary = summary.unwrap();
    for (split, count) in [(Split::Train, 24), (Split::Val, 6), (Split::Test, 10)] {
        assert_eq!(summary.count(split, Label::Real), count, "{split}");
        assert_eq!(summary.count(split, Label::Fake), count, "{split}");
    }
    let manifest = Manifest::of(&out).unwrap();
    let persons = Split::ALL
        .map(|split| manifest.split(split).into_iter().map(|sample| sample.group).collect::<BTreeSet<_>>());
    assert!(persons[0].is_disjoint(&persons[1]) && persons[1].is_disjoint(&persons[2]));
    assert!(persons[0].is_disjoint(&persons[2]));
    let subsets: BTreeSet<_> = manifest.samples.iter().map(|s| s.subset.as_str()).collect();
    assert_eq!(subsets, BTreeSet::from(["real", "self-blend", "swap"]));
    let list = std::fs::read_to_string(out.join("split.csv")).unwrap();
    for line in list.lines().skip(1).filter(|line| line.contains("_from_")) {
        let fields: Vec<_> = line.split(',').collect();
        let split: Split = fields[0].parse().unwrap();
        let place = Split::ALL.iter().position(|other| *other == split).unwrap();
        assert!(persons[place].contains(fields[4]) && fields[3] != fields[4], "{line}");
    }
}

#[test]
fn small_and_odd_numbers_fill_every_split() {
    for count in [12, 13, 15, 17, 23, 50] {
        let plan = Plan { count, size: 32, seed: 0 };
        let entries: Vec<_> = (0..count).map(|index| plan.entry(index)).collect();
        for split in Split::ALL {
            for label in [Label::Real, Label::Fake] {
                let here = |entry: &&Entry| entry.split == split && entry.label == label;
                assert!(entries.iter().any(|entry| here(&entry)), "{count} {split} {label}");
            }
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "precious").unwrap();
    let refused = |out: &Path, count, size| draw(out, count, size, 0, &|_, _| {}).unwrap_err();
    assert!(matches!(refused(&mine, 20, 64), SynthError::NotEmpty { .. }));
    assert_eq!(std::fs::read(mine.join("thesis.txt")).unwrap(), b"precious");
    let new = folder.path().join("new");
    assert!(matches!(refused(&new, 11, 64), SynthError::Count { count: 11 }));
    assert!(matches!(refused(&new, 20, 0), SynthError::Size { size: 0 }));
    assert!(matches!(refused(&mine.join("thesis.txt/x"), 20, 64), SynthError::Folder { .. }));
    assert!(matches!(refused(&mine.join("thesis.txt"), 20, 64), SynthError::Folder { .. }));
    assert!(!new.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    std::fs::create_dir(&new).unwrap();
    draw(&new, 12, 32, 0, &|_, _| {}).unwrap();
}
