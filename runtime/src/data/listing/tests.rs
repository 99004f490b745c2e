use super::*;
use proptest::prelude::*;
use std::path::Path;

/// A folder with the list `text` and the `pictures` that it names.
fn set(text: &[u8], pictures: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for picture in pictures {
        let path = dir.path().join(picture);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"never opened").unwrap();
    }
    let list = dir.path().join("list.csv");
    std::fs::write(&list, text).unwrap();
    (dir, list)
}

fn read_with(text: &str, pictures: &[&str], options: &ListOptions) -> Result<Manifest, ManifestError> {
    let (_dir, list) = set(text.as_bytes(), pictures);
    read(&list, options)
}

/// Options for tests that are not about splits, so that few pictures are enough.
fn asked() -> ListOptions {
    ListOptions { split: Some(Split::Test), ..ListOptions::default() }
}

fn labels(manifest: &Manifest) -> Vec<&str> {
    manifest.samples.iter().map(|sample| sample.label.name()).collect()
}

#[track_caller]
fn says(text: &str, pictures: &[&str], options: &ListOptions, expected: &[&str]) {
    let message = read_with(text, pictures, options).unwrap_err().to_string();
    expected.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in {message}"));
}

const TWO: [&str; 2] = ["a.png", "b.png"];

#[test]
fn usual_columns_and_labels_in_words_are_known() {
    let lists = [
        "filename,label\na.png,real\nb.png,FAKE\n",
        "Label;Image Path\nOriginal;a.png\nmanipulated;b.png\n",
        "img_path\tclass\na.png\tnature\nb.png\tai\n",
        ",original_path,id,label,label_str,path\n0,/x/a,1,1,real,a.png\n1,/x/b,2,0,fake,b.png\n",
        "file,is_fake\na.png,0\nb.png,1\n",
        "file,is_real\na.png,True\nb.png,False\n",
        "file,Is Fake\na.png,0.0\nb.png,1.0\n",
    ];
    for list in lists {
        let manifest = read_with(list, &TWO, &asked()).unwrap();
        assert_eq!(labels(&manifest), ["real", "fake"], "{list}");
        assert!(
            manifest.rules.iter().any(|rule| rule.contains("labels are from the column")),
            "{:?}",
            manifest.rules
        );
    }
    let mark = [
        &[0xff, 0xfe][..],
        &"path;label\na.png;real\nb.png;fake\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    ]
    .concat();
    let (_dir, list) = set(&mark, &TWO);
    assert_eq!(labels(&read(&list, &asked()).unwrap()), ["real", "fake"]);
}

#[test]
fn numbers_are_ambiguous_unless_folders_prove_them() {
    let numbers = "filename,label\na.png,0\nb.png,1\n";
    says(
        numbers,
        &TWO,
        &asked(),
        &["\"label\" are 0, 1", "nothing proves", "--fake-label 1 or --fake-label 0"],
    );
    let fake = |labels: &[&str]| ListOptions {
        fake: labels.iter().map(|&label| label.to_owned()).collect(),
        ..asked()
    };
    assert_eq!(labels(&read_with(numbers, &TWO, &fake(&["1"])).unwrap()), ["real", "fake"]);
    assert_eq!(labels(&read_with(numbers, &TWO, &fake(&["0"])).unwrap()), ["fake", "real"]);
    says(numbers, &TWO, &fake(&["2"]), &["--fake-label 2", "there are 0, 1"]);
    // Of many labels those that are left over are the other class.
    let many = "filename,target\na.png,0\nb.png,6\n";
    let real = ListOptions { real: vec!["0".to_owned()], ..asked() };
    assert_eq!(labels(&read_with(many, &TWO, &real).unwrap()), ["real", "fake"]);
    let both = ListOptions { real: vec!["0".to_owned()], ..fake(&["5"]) };
    says(many, &TWO, &both, &["--fake-label 5", "there are 0, 6"]);
    says("filename,label\na.png,x\nb.png,y\n", &TWO, &asked(), &["--fake-label x or --fake-label y"]);

    let (real, fake) = ("test/real/a.png", "test/fake/b.png");
    let proved = format!("path,label\n{real},1\n{fake},0\n");
    let manifest = read_with(&proved, &[real, fake], &asked()).unwrap();
    assert_eq!(labels(&manifest), ["fake", "real"], "in the order of the paths");
    assert!(
        manifest.rules[1].contains("0 fake") || manifest.rules[1].contains("1 real"),
        "{:?}",
        manifest.rules
    );
    let contradicted = format!("path,label\n{real},1\n{fake},1\n");
    says(&contradicted, &[real, fake], &asked(), &["nothing proves"]);
    // A folder that contains everything proves nothing.
    let around = "path,label\nai/set/a.png,0\nai/set/b.png,1\n";
    says(around, &["ai/set/a.png", "ai/set/b.png"], &asked(), &["nothing proves"]);
    let unlabelled = format!("path\n{real}\n{fake}\n");
    assert_eq!(labels(&read_with(&unlabelled, &[real, fake], &asked()).unwrap()), ["fake", "real"]);
    says("path\na.png\nb.png\n", &TWO, &asked(), &["--label-column", "--label real or fake"]);
    let all = ListOptions { label: Some(Label::Fake), split: Some(Split::Test), ..asked() };
    let manifest = read_with("path\na.png\nb.png\n", &TWO, &all).unwrap();
    assert_eq!((labels(&manifest), manifest.split(Split::Test).len()), (vec!["fake", "fake"], 2));
}

#[test]
fn paths_are_looked_for_where_they_may_be() {
    let text = "path,label\nreal\\a.png,real\nfake\\b.png,fake\n";
    let manifest = read_with(text, &["real/a.png", "fake/b.png"], &asked()).unwrap();
    assert!(
        manifest
            .samples
            .iter()
            .all(|sample| sample.path.components().count() > 2 && sample.path.is_absolute())
    );
    assert_eq!(labels(&manifest), ["fake", "real"]);
    #[cfg(unix)]
    {
        // A name may hold a backslash there.
        let manifest = read_with(text, &["real\\a.png", "fake/b.png"], &asked()).unwrap();
        assert!(manifest.samples.iter().any(|sample| sample.path.ends_with("real\\a.png")));
    }
    let (dir, list) = set(b"path,label\na.png,real\nb.png,fake\n", &["pictures/a.png", "pictures/b.png"]);
    let message = read(&list, &asked()).unwrap_err().to_string();
    assert!(message.contains("none of its 2 pictures") && message.contains("--root"), "{message}");
    let root = ListOptions { root: Some(dir.path().join("pictures")), ..asked() };
    assert_eq!(read(&list, &root).unwrap().samples.len(), 2);

    let some = read_with(
        "path,label\na.png,real\nb.png,fake\ngone.png,fake\nfilm.mp4,fake\n",
        &["a.png", "b.png", "film.mp4"],
        &asked(),
    )
    .unwrap();
    assert_eq!(some.skipped, ["film.mp4: a video, not a picture", "gone.png: in the list, but missing"]);
    says("path,label\na.png,real\n../b.png,fake\n", &TWO, &asked(), &["line 3", "climbs out", "--climb"]);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let twice = read_with("path,label\na.png,real\na.png,real\nb.png,fake\n", &TWO, &asked()).unwrap();
    assert_eq!(
        (twice.samples.len(), &twice.skipped[..]),
        (2, &["line 3: is on line 2 already".to_owned()][..])
    );
    says("path,label\na.png,real\na.png,fake\n", &TWO, &asked(), &["line 3", "fake here and real on line 2"]);
    says("path,label\na.png,real\n,fake\n", &TWO, &asked(), &["line 3", "names no picture"]);
    says("path,label\na.png,real\nb.png,\n", &TWO, &asked(), &["line 3", "\"label\" is empty"]);
    says("a.png,real\nb.png,fake\n", &TWO, &asked(), &["--path-column", "a.png, real"]);
    says("path,label\n", &TWO, &asked(), &["holds no picture"]);
    says("", &TWO, &asked(), &["is empty"]);
    let column = |name: &str| ListOptions { path_column: Some(name.to_owned()), ..asked() };
    says(
        "path,label\na.png,real\n",
        &TWO,
        &column("where"),
        &["--path-column where", "there are path, label"],
    );
    let columns = ListOptions { label_column: Some("y?".to_owned()), ..column("where") };
    let manifest = read_with("where;y?\na.png;fake\nb.png;real\n", &TWO, &columns).unwrap();
    assert_eq!(labels(&manifest), ["fake", "real"]);
}

#[test]
fn splits_and_groups_are_the_lists_or_made() {
    let text = "path,label,split,video_id,method\na.png,real,train,v1,\nb.png,fake,Testing,v1,swap\n";
    let manifest = read_with(text, &TWO, &ListOptions::default()).unwrap();
    let of = |sample: &Sample| (sample.split, sample.group.clone(), sample.subset.clone());
    let expected = [(Split::Train, "v1", "real"), (Split::Test, "v1", "swap")];
    let expected = expected.map(|(split, group, subset)| (split, group.to_owned(), subset.to_owned()));
    assert_eq!(manifest.samples.iter().map(of).collect::<Vec<_>>(), expected);
    says("path,label,split\na.png,real,exam\n", &TWO, &ListOptions::default(), &["line 2", "exam"]);

    // The list's name, and nothing.
    let (dir, list) = set(b"path,label\na.png,real\nb.png,fake\n", &TWO);
    let message = read(&list, &ListOptions::default()).unwrap_err().to_string();
    assert!(message.contains("none can be drawn") && message.contains("--split test"), "{message}");
    let names: Vec<String> = ('a'..='h').map(|name| format!("{name}.png")).collect();
    let lines: String =
        names.iter().enumerate().map(|(n, name)| format!("{name},{}\n", ["real", "fake"][n % 2])).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let made = read_with(&format!("path,label\n{lines}"), &names, &ListOptions::default()).unwrap();
    assert!(made.rules.last().unwrap().contains("8 groups are drawn: train 4 (4 files)"), "{:?}", made.rules);
    let valid = dir.path().join("valid.csv");
    std::fs::copy(&list, &valid).unwrap();
    assert_eq!(read(&valid, &ListOptions::default()).unwrap().split(Split::Val).len(), 2);

    // The folders, where all of them say one.
    let (first, second) = ("train/a.png", "test\\b.png");
    let text = format!("path,label\n{first},real\n{second},fake\n");
    let manifest = read_with(&text, &["train/a.png", "test/b.png"], &ListOptions::default()).unwrap();
    assert_eq!([Split::Train, Split::Test].map(|split| manifest.split(split).len()), [1, 1]);

    // Frames of videos, by their folders.
    let pictures: Vec<String> =
        (0..24).map(|place| format!("clip_{}/{}.png", place / 4, place % 4)).collect();
    let lines: String = pictures
        .iter()
        .enumerate()
        .map(|(place, path)| format!("{path},{}\n", ["real", "fake"][place / 12]))
        .collect();
    let names: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let manifest = read_with(&format!("image,target\n{lines}"), &names, &ListOptions::default()).unwrap();
    let groups: std::collections::BTreeSet<&str> =
        manifest.samples.iter().map(|sample| sample.group.as_str()).collect();
    assert_eq!(groups.len(), 6, "{groups:?}");
    assert_eq!(manifest.samples[0].subset, "real");
}

/// Pairs of pictures `a.png` to `h.png`, real and fake, in a list with the columns `names` whose
/// further fields are `more`.
fn eight(names: &str, more: impl Fn(usize) -> String) -> Result<Manifest, ManifestError> {
    let pictures: Vec<String> = ('a'..='h').map(|name| format!("{name}.png")).collect();
    let line = |(at, name): (usize, &String)| format!("{name},{},{}\n", ["real", "fake"][at % 2], more(at));
    let lines: String = pictures.iter().enumerate().map(line).collect();
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    read_with(&format!("path,label,{names}\n{lines}"), &pictures, &ListOptions::default())
}

#[test]
fn persons_stay_in_one_split() {
    let manifest = eight("video_id,person,source_id", |at| format!("v{at},{},{}", at / 2, at / 2)).unwrap();
    assert_eq!((&*manifest.samples[2].group, &manifest.samples[2].people[..]), ("v2", &["1".to_owned()][..]));
    for pair in manifest.samples.chunks(2) {
        assert_eq!(pair[0].split, pair[1].split, "{pair:?}");
    }
    assert!(manifest.rules.last().unwrap().contains("4 parts (of 8 groups"), "{:?}", manifest.rules);
    // Without videos the person is the group; of a swap both people count.
    let alone = eight("identity", |at| format!("{}", at / 2)).unwrap();
    assert_eq!((&*alone.samples[7].group, &alone.samples[7].people[..]), ("3", &["3".to_owned()][..]));
    let one = eight("people", |at| format!("{at};{}", (at + 1) % 8)).unwrap_err().to_string();
    assert!(one.contains("share a group, name or person"), "{one}");
}

#[test]
fn named_splits_are_used_or_refused() {
    let splits = |manifest: Manifest| {
        Split::ALL.map(|split| manifest.samples.iter().filter(|sample| sample.split == split).count())
    };
    let cycled = |names: [&'static str; 4]| move |at: usize| names[at % 4].to_owned();
    let columns = [
        ("phase", ["train", "train", "dev", "test"], [4, 2, 2]),
        ("usage", ["Training", "Training", "Testing", "Testing"], [4, 0, 4]),
        ("subset", ["train", "train", "eval", "val"], [4, 2, 2]),
    ];
    for (name, values, expected) in columns {
        let manifest = eight(name, cycled(values)).unwrap();
        assert!(manifest.samples.iter().all(|sample| sample.subset == sample.label.name()), "{name}");
        assert_eq!(splits(manifest), expected, "{name}");
    }
    let refused = [
        ("partition", ["0", "0", "1", "2"], "\"0\" in the column \"partition\" is none of train, val, test"),
        ("set", ["train", "extra", "train", "test"], "line 3: \"extra\""),
        ("phase", ["train", "eval", "train", "eval"], "may be the split val or the split test"),
    ];
    for (name, values, expected) in refused {
        let message = eight(name, cycled(values)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message =
        eight("split,phase", |at| format!("train,{}", ["val", "test"][at % 2])).unwrap_err().to_string();
    assert!(message.contains("name different splits"), "{message}");
    // A column of that name may be about something else.
    assert!(eight("set", |_| "ffhq".to_owned()).unwrap().rules.last().unwrap().contains("are drawn"));

    // Folders that name splits, of absolute paths too; never of some pictures alone.
    let (dir, list) = set(b"", &["s/train/a.png", "s/test/b.png", "s/c.png"]);
    let listed = |names: &[&str]| {
        let line = |(at, name): (usize, &&str)| {
            format!("{},{}\n", dir.path().join(name).display(), ["real", "fake"][at % 2])
        };
        let lines: String = names.iter().enumerate().map(line).collect();
        std::fs::write(&list, format!("path,label\n{lines}")).unwrap();
        read(&list, &ListOptions::default())
    };
    assert_eq!(splits(listed(&["s/train/a.png", "s/test/b.png"]).unwrap()), [1, 0, 1]);
    let message = listed(&["s/train/a.png", "s/test/b.png", "s/c.png"]).unwrap_err().to_string();
    assert!(message.contains("the folders of 2 of 3 pictures name a split"), "{message}");
    let message = listed(&["s/test/b.png"]).unwrap_err().to_string();
    assert!(message.contains("pass --split test if they are that"), "{message}");
}

#[test]
fn manifests_are_distinguished_from_other_lists() {
    assert!(is_manifest(b"path,label,subset,group,split\n"));
    assert!(is_manifest(b"split;path;label;group;subset;people\n"));
    assert!(!is_manifest(b"path,label\n"));
    assert!(!is_manifest(b""));
    assert!(matches!(
        read(Path::new("/no/such.csv"), &ListOptions::default()),
        Err(ManifestError::Missing { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_manifest_or_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = parse(Path::new("list.csv"), &bytes, &ListOptions::default()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn mutated_lists_end_in_a_manifest_or_a_line(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        wide in any::<bool>(),
    ) {
        let text = "filename;label;split;video\nreal\\a_1.png;0;train;v\nfake/a_frame2.png;1;val;w\n";
        let mut bytes: Vec<u8> = match wide {
            true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.into(),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let all = ListOptions { label: Some(Label::Real), ..ListOptions::default() };
        for options in [ListOptions::default(), all] {
            if let Err(error) = parse(Path::new("list.csv"), &bytes, &options) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
