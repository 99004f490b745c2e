use super::*;
use crate::data::manifest::Manifest;
use crate::forgery::Blend;
use crate::forgery::photographs::splits_of_people;
use crate::forgery::synth::portrait::{Person, Shot, photograph};
use crate::sample::Split;
use std::collections::BTreeMap;

const SIZE: u32 = 64;

/// Generated people, two shots each, with landmarks.json and people.csv.
fn photos(people: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut faces = BTreeMap::new();
    let mut list = "person,age,gender,ethnicity\n".to_owned();
    let mut outline = Vec::new();
    for person in 0..people {
        let who = Person::draw(&mut stream(3, &["person".into(), person.into()]));
        for shot in ["neutral", "smiling"] {
            let how = Shot::draw(&mut stream(3, &[shot.into(), person.into()]));
            let portrait = photograph(&who, &how, 96, &mut stream(3, &["noise".into(), person.into()]));
            let file = format!("{person:03}_{shot}.png");
            std::fs::write(folder.path().join(&file), picture::encode_png(&portrait.picture)).unwrap();
            faces.insert(file, portrait.landmarks.points);
            outline = portrait.landmarks.outline;
        }
        list += &format!("{person:03},30,{},x\n", ["female", "male"][person as usize % 2]);
    }
    std::fs::write(folder.path().join("landmarks.json"), landmarks::listing(&outline, faces)).unwrap();
    std::fs::write(folder.path().join("people.csv"), list).unwrap();
    folder
}

fn order(method: Method) -> ForgerySetOptions {
    ForgerySetOptions {
        method,
        per_photo: 2,
        size: SIZE,
        crop: None,
        seed: 0,
        split: SplitBy::Kept,
        blend: Blend::Poisson,
        quality: 75..=96,
    }
}

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
fn any_number_of_threads_makes_the_same_bytes() {
    let photos = photos(6);
    for method in [Method::Sbi, Method::Swap] {
        let made = |threads: usize, seed: u64| {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("set");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let order = ForgerySetOptions { seed, ..order(method) };
            pool.install(|| order.make(photos.path(), &out, &|_, _| {})).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
            files(&out)
        };
        let one = made(1, 0);
        assert_eq!(one, made(3, 0), "{method:?}");
        assert_ne!(one, made(3, 1), "{method:?}");
    }
}

#[test]
fn each_person_is_in_one_split_and_donors_are_similar() {
    let photos = photos(20);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let order = ForgerySetOptions { per_photo: 1, ..order(Method::Swap) };
    let forged = order.make(photos.path(), &out, &|done, all| assert!(done <= all)).unwrap();
    assert!(forged.passed_over.is_empty(), "{:?}", forged.passed_over);
    let manifest = Manifest::of(&out).unwrap();
    assert!(manifest.skipped.is_empty(), "{:?}", manifest.skipped);
    assert_eq!(manifest.samples.len(), 40 + 40);
    let mut split_of: BTreeMap<&str, Split> = BTreeMap::new();
    for sample in &manifest.samples {
        for person in &sample.people {
            assert_eq!(*split_of.entry(person).or_insert(sample.split), sample.split, "{person}");
        }
        match sample.label {
            Label::Real => assert_eq!((sample.subset.as_str(), sample.people.len()), ("real", 1)),
            Label::Fake => {
                assert_eq!((sample.subset.as_str(), sample.people.len()), ("swap", 2));
                let [target, donor] = [0, 1].map(|place| sample.people[place].parse::<u32>().unwrap());
                // With two or more of each gender in a split, donors are of the target's.
                assert!(sample.split == Split::Val || target % 2 == donor % 2, "{sample:?}");
            }
        }
    }
    let counts = Split::ALL.map(|split| split_of.values().filter(|other| **other == split).count());
    assert_eq!(counts, [12, 3, 5]);
    assert_eq!(splits_of_people(&out.join("split.csv")).unwrap().len(), 20);
}

#[test]
fn reals_and_fakes_have_one_size_and_the_faces_are_where_landmarks_say() {
    let photos = photos(4);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let order =
        ForgerySetOptions { crop: Some(1.2), split: SplitBy::Shares([1.0, 1.0, 0.0]), ..order(Method::Sbi) };
    order.make(photos.path(), &out, &|_, _| {}).unwrap();
    let mut found = landmarks::LandmarkFiles::default();
    for sample in &Manifest::of(&out).unwrap().samples {
        assert_eq!(picture::open(&sample.path).unwrap().dimensions(), (SIZE, SIZE));
        let face = found.find(&sample.path).unwrap();
        assert_eq!(face.is_some(), sample.label == Label::Real);
        if let Some(face) = face {
            let bounds = face.landmarks.bounds();
            let share = bounds.height().max(bounds.width()) / SIZE as f32;
            assert!((share - 1.0 / 1.2).abs() < 0.05 && bounds.top > 0.0, "{bounds:?}");
        }
    }
    // The set is itself a source of photographs, with its splits.
    let again = folder.path().join("again");
    ForgerySetOptions { method: Method::Swap, split: SplitBy::Kept, ..order }
        .make(&out, &again, &|_, _| {})
        .unwrap();
    let reals = |set: &Path| {
        let manifest = Manifest::of(set).unwrap();
        let reals = manifest.samples.into_iter().filter(|sample| sample.label == Label::Real);
        reals.map(|sample| (sample.split, sample.group)).collect::<Vec<_>>()
    };
    assert_eq!(reals(&out), reals(&again));
}

#[test]
fn what_cannot_be_used_is_skipped_or_an_error() {
    let photos = photos(6);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let make = |order: &ForgerySetOptions| order.make(photos.path(), &out, &|_, _| {});
    let usual = order(Method::Swap);
    for (order, words) in [
        (ForgerySetOptions { size: 5, ..usual.clone() }, "--size 5"),
        (ForgerySetOptions { per_photo: 0, ..usual.clone() }, "--per-photo 0"),
        (ForgerySetOptions { quality: 90..=101, ..usual.clone() }, "--quality 90-101"),
        (ForgerySetOptions { crop: Some(0.5), ..usual.clone() }, "--crop 0.5"),
        (ForgerySetOptions { split: SplitBy::People(BTreeMap::new()), ..usual.clone() }, "no person"),
    ] {
        let error = make(&order).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    std::fs::write(photos.path().join("000_neutral.png"), "no picture").unwrap();
    std::fs::write(photos.path().join("007_new.png"), "never opened").unwrap();
    std::fs::write(photos.path().join("notes.txt"), "mine").unwrap();
    let forged = make(&usual).unwrap();
    let lines = forged.passed_over.join("\n");
    assert_eq!(forged.passed_over.len(), 3, "{lines}");
    assert!(lines.contains("000_neutral.png: not a readable picture"), "{lines}");
    assert!(lines.contains("007_new.png: its face is in no"), "{lines}");
    assert!(lines.contains("notes.txt: not a picture"), "{lines}");
    assert!(matches!(make(&usual).unwrap_err(), ForgerySetError::NotEmpty { .. }));
    std::fs::remove_dir_all(&out).unwrap();
    std::fs::write(photos.path().join("landmarks.json"), "{").unwrap();
    let error = make(&usual).unwrap_err().to_string();
    assert!(error.contains("landmarks.json") && !out.exists(), "{error}");
    std::fs::remove_file(photos.path().join("landmarks.json")).unwrap();
    let error = make(&usual).unwrap_err().to_string();
    assert!(error.contains("holds no photograph whose face is known") && !out.exists(), "{error}");
    let boxes: String = (0..6).map(|person| format!("{person:03}_smiling.png,20,20,70,80\n")).collect();
    std::fs::write(photos.path().join("boxes.csv"), format!("file,left,top,right,bottom\n{boxes}")).unwrap();
    let error = make(&usual).unwrap_err().to_string();
    assert!(error.contains("a swap needs landmarks"), "{error}");
    make(&order(Method::Sbi)).unwrap();
}

/// Photographs next to the project, if there are any.
#[test]
#[ignore = "needs the photographs in ../shared/faces"]
fn the_london_photographs_are_swapped_within_looks_and_seams_are_smooth() {
    let photos = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/faces/london"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let order = ForgerySetOptions { size: 128, per_photo: 1, ..order(Method::Swap) };
    let forged = order.make(photos, &out, &|_, _| {}).unwrap();
    assert!(forged.passed_over.is_empty(), "{:?}", forged.passed_over);
    let manifest = Manifest::of(&out).unwrap();
    assert_eq!(manifest.samples.len(), 2 * 204);
    let mut found = landmarks::LandmarkFiles::default();
    let pictures = |sample: &crate::sample::Sample| picture::open(&sample.path).unwrap();
    for fake in manifest.samples.iter().filter(|sample| sample.label == Label::Fake) {
        let name = fake.path.file_stem().unwrap().to_str().unwrap();
        let target = name.split("_from_").next().unwrap();
        let real = manifest
            .samples
            .iter()
            .find(|sample| sample.label == Label::Real && sample.path.file_stem().unwrap() == target);
        let (real, fake) = (real.unwrap(), pictures(fake));
        let bounds = found.find(&real.path).unwrap().unwrap().landmarks.bounds();
        let real = pictures(real);
        let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
        for (x, y, pixel) in fake.enumerate_pixels() {
            let place = [x as f32 + 0.5, y as f32 + 0.5];
            let difference = f64::from(pixel[1].abs_diff(real.get_pixel(x, y)[1]));
            let part = if bounds.holds(place) { &mut inside } else { &mut outside };
            *part = (part.0 + difference, part.1 + 1.0);
        }
        let (inside, outside) = (inside.0 / inside.1, outside.0 / outside.1);
        // Outside there is the JPEG's noise alone.
        assert!(inside > 3.0 && outside < 3.0 && inside > 2.0 * outside, "{name}: {inside} {outside}");
    }
}
