use super::*;
use proptest::prelude::*;
use std::path::PathBuf;

fn sample(path: impl Into<PathBuf>, label: Label, split: Split) -> Sample {
    let path = path.into();
    let group = path.file_stem().unwrap().to_string_lossy().into_owned();
    Sample::new(path, label, label.to_string(), group, split)
}

fn many(reals: usize, fakes: usize) -> Vec<Sample> {
    let of = |label: Label, count| {
        (0..count).map(move |i| sample(format!("{label}/{i:04}.png"), label, Split::Train))
    };
    of(Label::Real, reals).chain(of(Label::Fake, fakes)).collect()
}

fn read_text(text: &str) -> Result<Manifest, ManifestError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    std::fs::write(&path, text).unwrap();
    Manifest::read(&path)
}

#[test]
fn names_of_every_kind_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut samples: Vec<_> = ["a,b.png", "say \"x\".png", " lead ing.png", "häß/lich ü.png"]
        .iter()
        .map(|name| sample(folder.path().join("pictures").join(name), Label::Fake, Split::Val))
        .collect();
    samples.push(sample(elsewhere.path().join("far.png"), Label::Real, Split::Test));
    samples[0].group = "person, \"one\"\nof two".to_owned();
    let manifest = Manifest::new(samples, Vec::new());
    let path = folder.path().join("manifest.csv");
    manifest.write(&path).unwrap();
    assert_eq!(Manifest::read(&path).unwrap(), manifest);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("path,label,subset,group,split\n"));
    assert!(text.contains("\"pictures/a,b.png\"") && text.contains(elsewhere.path().to_str().unwrap()));
}

#[test]
fn a_manifest_moves_with_its_folder_and_keeps_its_hash() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let samples = ["train/real/a.png", "test/fake/b.png"]
        .map(|name| sample(here.path().join(name), Label::Real, Split::Train));
    let manifest = Manifest::new(samples.to_vec(), Vec::new());
    manifest.write(&here.path().join("manifest.csv")).unwrap();
    std::fs::copy(here.path().join("manifest.csv"), there.path().join("manifest.csv")).unwrap();
    let moved = Manifest::read(&there.path().join("manifest.csv")).unwrap();
    assert!(moved.samples.iter().all(|sample| sample.path.starts_with(there.path())));
    assert_eq!(moved.sha256(), manifest.sha256());
    let mut changed = moved.clone();
    changed.samples[0].group = "other".to_owned();
    assert_ne!(changed.sha256(), moved.sha256());
}

#[test]
fn a_manifest_elsewhere_has_the_same_hash() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let samples = ["train/real/a.png", "test/fake/b.png"]
        .map(|name| sample(data.path().join(name), Label::Real, Split::Train));
    let manifest = Manifest::new(samples.to_vec(), Vec::new());
    let path = elsewhere.path().join("manifest.csv");
    manifest.write(&path).unwrap();
    assert_eq!(Manifest::read(&path).unwrap().sha256(), manifest.sha256());
}

#[test]
fn columns_may_come_in_any_order_and_others_are_ignored() {
    let manifest = read_text("split,note,label,path,group,subset\nval,x,FAKE,a.png,7,swap\n").unwrap();
    let sample = &manifest.samples[0];
    assert_eq!((sample.label, sample.split), (Label::Fake, Split::Val));
    assert_eq!((sample.group.as_str(), sample.subset.as_str()), ("7", "swap"));
}

#[test]
fn people_are_written_where_they_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    let plain = sample(folder.path().join("a.png"), Label::Real, Split::Val);
    let swapped = sample(folder.path().join("b.png"), Label::Fake, Split::Val).showing(["7", "9", "7"]);
    assert_eq!(swapped.people, ["7", "9"]);
    let manifest = Manifest::new(vec![plain, swapped], Vec::new());
    manifest.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("path,label,subset,group,split,people\n") && text.contains(",val,7;9\n"),
        "{text}"
    );
    assert_eq!(Manifest::read(&path).unwrap(), manifest);
}

#[test]
fn every_fault_is_named_with_its_line() {
    let head = "path,label,subset,group,split\na.png,real,r,a,train\n";
    let cases = [
        (String::new(), "first line must name the columns"),
        ("path,label,group,split\n".into(), "\"subset\" is missing"),
        ("path,label,subset,group,split\n".into(), "holds no picture"),
        (format!("{head}b.png,reel,r,b,train\n"), "line 3: label \"reel\""),
        (format!("{head}b.png,real,r,b,spare\n"), "line 3: split \"spare\""),
        (format!("{head}b.png,real,r,,train\n"), "line 3: the field \"group\" is empty"),
        (format!("{head}b.png,real,r,train\n"), "line 3: has 4 fields"),
        (format!("{head}a.png,fake,r,a,train\n"), "line 3: \"a.png\" is on line 2"),
        (format!("{head}../b.png,fake,r,a,train\n"), "line 3: the path \"../b.png\" climbs out"),
        (format!("{head}x/../../b.png,fake,r,a,train\n"), "climbs out"),
        (format!("{head}x/..,fake,r,a,train\n"), "names no file"),
    ];
    for (text, expected) in cases {
        let message = read_text(&text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    assert!(read_text(&format!("{head}x/../b.png,fake,r,a,train\n")).is_ok());
    assert!(read_text(&format!("{head}/far/../b.png,fake,r,a,train\n")).is_ok());
    let missing = Manifest::read(Path::new("/no/such/manifest.csv")).unwrap_err();
    assert!(missing.to_string().contains("/no/such/manifest.csv"));
}

#[test]
fn paths_climb_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists/manifest.csv");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "path,label,subset,group,split\n../a.png,real,r,a,train\n").unwrap();
    let refused = Manifest::read(&path).unwrap_err().to_string();
    assert!(refused.contains("--climb"), "{refused}");
    let manifest = Manifest::read_within(&path, Reach::Anywhere).unwrap();
    let written = folder.path().join("lists/new.csv");
    manifest.write(&written).unwrap();
    let again = Manifest::read(&written).unwrap();
    assert_eq!(again.samples[0].path, folder.path().join("a.png"));
    assert_eq!(again.sha256(), manifest.sha256());
}

#[test]
fn the_first_line_that_comes_twice_is_named() {
    let head = "path,label,subset,group,split\n";
    let line = |name: &str| format!("{name},real,r,a,train\n");
    let text = [head.to_owned(), line("z"), line("a"), line("z"), line("a"), line("z")].concat();
    let message = read_text(&text).unwrap_err().to_string();
    assert!(message.contains("line 4: \"z\" is on line 2 already"), "{message}");
}

#[test]
fn subsets_are_chosen_by_name_or_by_a_part_of_it() {
    let subset =
        |name: &str, path: &str| Sample { subset: name.to_owned(), ..sample(path, Label::Fake, Split::Test) };
    let samples = vec![subset("Deepfakes/c23", "a"), subset("Deepfakes/c40", "b"), subset("swap", "c")];
    let manifest = Manifest::new(samples, vec!["x: foreign".into()]);
    let count = |names: &[&str]| manifest.clone().only(names).unwrap().samples.len();
    assert_eq!((count(&["Deepfakes"]), count(&["c23", "swap"]), count(&["Deepfakes/c40"])), (2, 2, 1));
    let error = manifest.only(&["c23", "Deep"]).unwrap_err().to_string();
    assert_eq!(error, "no subset is called \"Deep\"; there are Deepfakes/c23, Deepfakes/c40, swap");
}

#[test]
fn both_classes_are_required() {
    assert!(require_both_classes(&many(1, 1), "train").is_ok());
    let one = require_both_classes(&many(3, 0), "the train split").unwrap_err().to_string();
    assert!(one.contains("the train split: all 3 pictures are real; add fake"), "{one}");
    assert!(matches!(require_both_classes(&[], "val"), Err(ManifestError::NoSamples { .. })));
}

#[test]
fn the_summary_counts_pictures_and_groups() {
    let mut samples = many(3, 2);
    samples[0].group = samples[1].group.clone();
    let summary = Manifest::new(samples, vec!["notes.txt: foreign".into()]).summary();
    assert_eq!(summary.count(Split::Train, Label::Real), 3);
    assert_eq!(summary.count(Split::Test, Label::Real), 0);
    assert_eq!((summary.parts[1].pictures, summary.parts[1].groups), (3, 2));
    let table = summary.to_string();
    assert!(table.contains("1 entries passed over"), "{table}");
    assert_eq!(table.lines().count(), 4);
}

proptest! {
    #[test]
    fn a_limit_is_balanced_and_repeats(
        reals in 0..40_usize, fakes in 0..40_usize, n in 0..90_usize, seed in any::<u64>(),
    ) {
        let samples = many(reals, fakes);
        let chosen = limit(&samples, n, seed);
        prop_assert_eq!(&chosen, &limit(&samples, n, seed));
        prop_assert_eq!(chosen.len(), n.min(reals + fakes));
        let real = chosen.iter().filter(|sample| sample.label == Label::Real).count();
        let fake = chosen.len() - real;
        let balanced = real.abs_diff(fake) <= 1;
        prop_assert!(balanced || real == reals.min(real) && (real == reals || fake == fakes));
        let mut places = chosen.iter().map(|a| samples.iter().position(|b| a == b).unwrap());
        let mut last = None;
        prop_assert!(places.all(|place| last.replace(place).is_none_or(|before| before < place)));
    }

    #[test]
    fn any_names_come_back(names in proptest::collection::btree_set("[^/\0]{1,12}", 1..6), group in "\\PC{1,8}") {
        prop_assume!(!group.trim().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let samples = names.iter().filter(|name| !name.trim().is_empty() && *name != "." && *name != "..");
        let samples: Vec<_> = samples
            .map(|name| Sample::new(folder.path().join(name), Label::Real, "s", group.clone(), Split::Test))
            .collect();
        prop_assume!(!samples.is_empty());
        let manifest = Manifest::new(samples, Vec::new());
        let path = folder.path().join("manifest.csv");
        manifest.write(&path).unwrap();
        prop_assert_eq!(Manifest::read(&path).unwrap(), manifest);
    }

    #[test]
    fn any_bytes_end_in_a_manifest_or_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        parses(&bytes);
    }

    #[test]
    fn mutated_manifests_end_in_a_manifest_or_a_line(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..8),
    ) {
        let mut bytes = b"path,label,subset,group,split,people\na.png,real,r,\"a,b\",train,1;2\n\
            ../b.png,fake,s/t,c,test,\n".to_vec();
        for (place, byte, replace) in changes {
            let at = place.index(bytes.len());
            if replace { bytes[at] = byte } else { bytes.insert(at, byte) }
        }
        parses(&bytes);
    }
}

/// No bytes may make the reader panic; what it accepts, it accepts again after writing.
fn parses(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    for reach in [Reach::Folder, Reach::Anywhere] {
        match Manifest::parse(&path, bytes, reach) {
            Ok(manifest) => {
                manifest.write(&path).unwrap();
                let again = Manifest::read_within(&path, reach).unwrap();
                assert_eq!(again.samples.len(), manifest.samples.len());
            }
            Err(error) => assert!(error.to_string().contains("manifest.csv: "), "{error}"),
        }
    }
}
