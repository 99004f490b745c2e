use super::planted::{DRAWN, Planted};
use super::*;
use crate::data::layouts::{self, Media};
use crate::data::picture;
use crate::sample::Label;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage, imageops};
use std::path::Path;

fn decoded(bytes: &[u8]) -> RgbImage {
    picture::decode(bytes, Path::new("planted")).unwrap()
}

fn figure(found: &Audit, check: Check, name: &str) -> u64 {
    found.finding(check).unwrap().figures[name].as_u64().unwrap()
}

#[test]
fn a_clean_set_is_clean() {
    let found = Planted::new().finds(&[]);
    assert_eq!((found.data.pictures, found.data.looked_at, found.data.readable), (520, 520, 520));
    assert_eq!(found.severe().count(), 0);
    assert_eq!(found.attributes.len(), attributes::ATTRIBUTES.len());
}

#[test]
fn files_that_cannot_be_read() {
    let mut planted = Planted::new();
    let whole = std::fs::read(&planted.manifest.samples[0].path).unwrap();
    planted.manifest.samples[0].path = planted.file("cut.jpg", &whole[..whole.len() / 2]);
    planted.manifest.samples[1].path = planted.folder.path().join("absent.jpg");
    planted.manifest.skipped = vec!["test/real/x.jpg: in split.csv, but missing".to_owned()];
    let found = planted.finds(&[(Check::Files, Verdict::Error), (Check::PassedOver, Verdict::Note)]);
    assert_eq!((figure(&found, Check::Files, "unreadable"), figure(&found, Check::Files, "missing")), (2, 1));
    let notes: Vec<&str> =
        found.finding(Check::Files).unwrap().cases.iter().map(|case| case.note.as_str()).collect();
    assert!(notes[0].contains("truncated") && notes[1].contains("cannot be opened"), "{notes:?}");
    assert_eq!(found.data.readable, 518);
}

#[test]
fn files_that_are_not_what_they_say() {
    let mut planted = Planted::new();
    let bytes = std::fs::read(&planted.manifest.samples[0].path).unwrap();
    planted.manifest.samples[0].path = planted.file("a.png", &bytes);
    let found = planted.finds(&[(Check::Extensions, Verdict::Warning)]);
    assert_eq!(found.finding(Check::Extensions).unwrap().cases[0].note, "named png, is jpeg");
    let mut planted = Planted::new();
    let rgb = picture::open(&planted.manifest.samples[0].path).unwrap();
    let encoded = |picture: DynamicImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let glass: RgbaImage = DynamicImage::ImageRgb8(rgb.clone()).into_rgba8();
    planted.manifest.samples[0].path = planted.file("alpha.png", &encoded(glass.into()));
    planted.manifest.samples[1].path =
        planted.file("deep.png", &encoded(DynamicImage::ImageRgb8(rgb).into_rgb16().into()));
    let found = planted.finds(&[(Check::Colours, Verdict::Note), (Check::Copies, Verdict::Note)]);
    let figures = ["alpha", "cmyk", "over_8_bit"].map(|name| figure(&found, Check::Colours, name));
    assert_eq!(figures, [1, 0, 1]);
}

#[test]
fn copies_within_a_split() {
    let mut planted = Planted::new();
    let real = |sample: &&Sample| sample.label == Label::Real;
    let sample = planted.manifest.samples.iter().find(real).unwrap().clone();
    let bytes = std::fs::read(&sample.path).unwrap();
    planted.add("one.jpg", &bytes, sample.label, sample.split);
    planted.finds(&[(Check::Copies, Verdict::Note)]);
    for number in 0..5 {
        // Other bytes, the same pixels.
        planted.add(
            &format!("{number}.png"),
            &picture::encode_png(&decoded(&bytes)),
            sample.label,
            sample.split,
        );
    }
    let found = planted.finds(&[(Check::Copies, Verdict::Warning)]);
    assert_eq!(figure(&found, Check::Copies, "surplus"), 6);
    assert_eq!(found.finding(Check::Copies).unwrap().cases[0].paths.len(), 7);
}

#[test]
fn a_copy_of_a_test_picture_in_train() {
    let mut planted = Planted::new();
    let bytes = planted.leave_one_real();
    planted.add("copy.jpg", &bytes, Label::Real, Split::Train);
    let found = planted.finds(&[(Check::CopiesAcrossSplits, Verdict::Leak)]);
    assert_eq!(figure(&found, Check::CopiesAcrossSplits, "in_test"), 1);
    assert_eq!(found.finding(Check::CopiesAcrossSplits).unwrap().cases[0].paths.len(), 2);
}

#[test]
fn a_picture_that_is_real_and_fake() {
    let mut planted = Planted::new();
    let sample = planted.manifest.samples.iter().find(|sample| sample.label == Label::Real).unwrap();
    let (bytes, split) = (std::fs::read(&sample.path).unwrap(), sample.split);
    planted.add("fake.jpg", &bytes, Label::Fake, split);
    let found = planted.finds(&[
        (Check::CopiesAcrossLabels, Verdict::Error),
        // A subset of its own, in one split only.
        (Check::Subsets, Verdict::Note),
    ]);
    assert_eq!(found.verdict, Verdict::Error);
}

#[test]
fn a_near_copy_of_a_test_picture_in_train() {
    type Way<'a> = &'a dyn Fn(&RgbImage) -> Vec<u8>;
    let scaled = |picture: &RgbImage| picture::encode_jpeg(&picture::prepare(picture, 80), 90);
    let encoded = |picture: &RgbImage| picture::encode_jpeg(picture, 60);
    let turned = |picture: &RgbImage| picture::encode_jpeg(&imageops::flip_horizontal(picture), 85);
    let ways: [(&str, Way<'_>); 3] = [("scaled", &scaled), ("encoded", &encoded), ("turned", &turned)];
    for (name, way) in ways {
        let mut planted = Planted::new();
        let picture = decoded(&planted.leave_one_real());
        planted.add(&format!("{name}.jpg"), &way(&picture), Label::Real, Split::Train);
        let found = planted.finds(&[(Check::NearCopies, Verdict::Leak)]);
        assert_eq!(figure(&found, Check::NearCopies, "train_test"), 1, "{name}");
        let case = &found.finding(Check::NearCopies).unwrap().cases[0];
        assert!(case.paths[1].contains(name), "{case:?}");
        assert_eq!(case.note.contains("mirrored"), name == "turned");
    }
}

#[test]
fn a_fake_whose_photograph_is_in_another_split() {
    let mut planted = Planted::new();
    let swap = |sample: &Sample| sample.split == Split::Test && sample.subset == "swap";
    let fake = planted.manifest.samples.iter().find(|sample| swap(sample)).unwrap().clone();
    let shot = fake.path.file_stem().unwrap().to_str().unwrap()[..7].to_owned();
    let bytes =
        std::fs::read(fake.path.ancestors().nth(3).unwrap().join(format!("real/{shot}.jpg"))).unwrap();
    planted.manifest.samples.retain(|sample| sample.path == fake.path || sample.group != fake.group);
    planted.add("source.jpg", &bytes, Label::Real, Split::Train);
    planted.finds(&[(Check::NearCopies, Verdict::Leak)]);
}

#[test]
fn a_person_in_two_splits() {
    let mut planted = Planted::new();
    let donor = planted.manifest.samples.iter().find(|sample| sample.split == Split::Test).unwrap();
    let donor = donor.group.clone();
    let train = |sample: &&mut Sample| sample.split == Split::Train && sample.subset == "swap";
    planted.manifest.samples.iter_mut().find(train).unwrap().people[1] = donor.clone();
    let found = planted.finds(&[(Check::People, Verdict::Leak)]);
    let finding = found.finding(Check::People).unwrap();
    assert!(finding.cases.len() == 1 && finding.cases[0].note.contains(&donor), "{finding:?}");
    let pairs = finding.figures["by_subsets"].as_array().unwrap();
    assert!(pairs.iter().any(|pair| pair["earlier"] == "train/swap" && pair["later"] == "test/real"));
}

#[test]
fn people_that_are_not_named() {
    let mut planted = Planted::new();
    for sample in &mut planted.manifest.samples {
        sample.people.clear();
        sample.group = sample.path.file_stem().unwrap().to_str().unwrap().to_owned();
    }
    let found = planted.finds(&[(Check::People, Verdict::Warning)]);
    assert!(found.finding(Check::People).unwrap().advice.as_ref().unwrap().contains("split.csv"));
    // Some of them named, none of those twice.
    planted.manifest.samples[0].people = vec!["x".to_owned()];
    planted.finds(&[(Check::People, Verdict::Note)]);
}

#[test]
fn the_encoder_separates_the_classes() {
    let mut planted = Planted::new();
    let quality =
        |quality: u8| move |path: &Path| picture::encode_jpeg(&picture::open(path).unwrap(), quality);
    planted.remake(Label::Real, "a.jpg", quality(95));
    planted.remake(Label::Fake, "a.jpg", quality(75));
    let found = planted.audit();
    let finding = found.finding(Check::Encoder).unwrap();
    assert_eq!(finding.verdict, Verdict::Warning);
    assert!(finding.what.contains("jpeg_quality (balanced accuracy 100.0 %"), "{}", finding.what);
    assert!(finding.what.contains("reals median 95, fakes median 75"), "{}", finding.what);
    // What else is found is what such an encoder does to pixels.
    let others = found.findings.iter().filter(|finding| finding.verdict > Verdict::Ok);
    let possible = [Check::Encoder, Check::Frame, Check::Pixels];
    assert!(others.map(|finding| finding.check).all(|check| possible.contains(&check)));
}

#[test]
fn metadata_separate_the_classes() {
    let mut planted = Planted::new();
    planted.remake(Label::Real, "a.jpg", |path| {
        let file = std::fs::read(path).unwrap();
        let block = exif::tests::block(&[0x010f, 0x0110]);
        let length = (block.len() as u16 + 2).to_be_bytes();
        [&file[..2], &[0xff, 0xe1], &length, &block, &file[2..]].concat()
    });
    let found = planted.finds(&[(Check::Metadata, Verdict::Warning)]);
    let of = |name: &str| found.attributes.iter().find(|shortcut| shortcut.attribute == name).unwrap();
    assert_eq!(of("camera").balanced_accuracy.unwrap().value, 1.0);
    assert_eq!(of("camera").by_split[&Split::Test], 1.0);
    assert!(of("colour_profile").constant && of("colour_profile").balanced_accuracy.is_none());
}

#[test]
fn size_and_brightness_separate_the_classes() {
    let mut planted = Planted::new();
    planted.remake(Label::Fake, "a.jpg", |path| {
        picture::encode_jpeg(&picture::prepare(&picture::open(path).unwrap(), 112), 85)
    });
    assert_eq!(planted.audit().finding(Check::Size).unwrap().verdict, Verdict::Warning);
    let mut planted = Planted::new();
    planted.remake(Label::Fake, "a.png", |path| {
        let mut picture = picture::open(path).unwrap();
        picture.iter_mut().for_each(|value| *value = value.saturating_add(90));
        picture::encode_png(&picture)
    });
    planted.remake(Label::Real, "a.png", |path| picture::encode_png(&picture::open(path).unwrap()));
    let found = planted.audit();
    assert_eq!(found.finding(Check::Frame).unwrap().verdict, Verdict::Warning);
    assert!(found.finding(Check::Pixels).unwrap().verdict >= Verdict::Note);
    assert_eq!(found.finding(Check::Encoder).unwrap().verdict, Verdict::Ok);
}

#[test]
fn one_subset_that_is_separated() {
    let mut planted = Planted::new();
    for place in 0..planted.manifest.samples.len() {
        let sample = &planted.manifest.samples[place];
        if sample.subset == "swap" {
            let png = picture::encode_png(&picture::open(&sample.path).unwrap());
            planted.manifest.samples[place].path = planted.file(&format!("{place}.png"), &png);
        }
    }
    let found = planted.audit();
    let format = found.attributes.iter().find(|shortcut| shortcut.attribute == "format").unwrap();
    assert_eq!(format.by_subset["swap"].balanced_accuracy.value, 1.0);
    assert!(format.by_subset["self-blend"].balanced_accuracy.value <= 0.5);
    assert!(format.balanced_accuracy.unwrap().value < 0.8);
    assert!(found.finding(Check::Encoder).unwrap().what.contains("of subset swap"));
}

#[test]
fn classes_subsets_and_groups() {
    let mut planted = Planted::new();
    planted.manifest.samples.retain(|sample| sample.split != Split::Test || sample.label == Label::Real);
    planted.finds(&[(Check::Classes, Verdict::Error), (Check::Subsets, Verdict::Note)]);
    let mut planted = Planted::new();
    let mut reals = 0;
    planted.manifest.samples.retain(|sample| {
        reals += usize::from(sample.split == Split::Val && sample.label == Label::Real);
        sample.split != Split::Val || sample.label == Label::Fake || reals <= 2
    });
    planted.finds(&[(Check::Classes, Verdict::Warning)]);
    let mut planted = Planted::new();
    planted.manifest.samples.retain(|sample| sample.split != Split::Test || sample.group.as_str() < "p0125");
    planted.finds(&[(Check::Groups, Verdict::Note)]);
    let mut planted = Planted::new();
    planted.manifest.samples.retain(|sample| sample.split != Split::Train || sample.subset != "swap");
    let found = planted.finds(&[(Check::Subsets, Verdict::Note), (Check::Classes, Verdict::Note)]);
    assert_eq!(found.finding(Check::Subsets).unwrap().what, "swap (fake) is in val and test, not in train");
}

#[test]
fn faceapp_in_another_split_than_ffhq() {
    let mut planted = Planted::new();
    for sample in &mut planted.manifest.samples {
        sample.subset = if sample.label == Label::Real { "ffhq" } else { "faceapp" }.to_owned();
    }
    planted.finds(&[(Check::Faceapp, Verdict::Warning)]);
    let test = |sample: &&Sample| sample.split == Split::Test && sample.label == Label::Fake;
    let fake = planted.manifest.samples.iter().find(test).unwrap().clone();
    let again = picture::encode_jpeg(&picture::open(&fake.path).unwrap(), 50);
    let other = planted
        .manifest
        .samples
        .iter_mut()
        .find(|sample| sample.split == Split::Train && sample.label == Label::Real);
    let other = other.unwrap();
    let path = planted.folder.path().join("source.jpg");
    std::fs::write(&path, again).unwrap();
    other.path = path;
    let found = planted.audit();
    assert_eq!(found.finding(Check::Faceapp).unwrap().verdict, Verdict::Leak);
    assert!(figure(&found, Check::Faceapp, "near_copies") >= 1);
}

#[test]
fn a_limit_looks_at_fewer_and_threads_change_nothing() {
    let manifest = &DRAWN.1;
    let pool = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let run = |threads: usize, limit: Option<usize>| {
        pool(threads).install(|| audit("drawn", manifest, limit, &|_| {}))
    };
    let limited = run(1, Some(20));
    assert_eq!((limited.data.pictures, limited.data.looked_at), (520, 60));
    assert_eq!(limited.finding(Check::Encoder).unwrap().verdict, Verdict::Ok);
    let text = |audit: &Audit| serde_json::to_string(audit).unwrap();
    assert_eq!(text(&limited), text(&run(3, Some(20))));
    assert_eq!(text(&run(1, None)), text(&run(3, None)));
}

#[test]
fn a_set_of_which_nothing_can_be_read_is_audited() {
    let mut planted = Planted::new();
    planted.manifest.samples.iter_mut().for_each(|sample| sample.path = "/absent.jpg".into());
    let found = planted.finds(&[(Check::Files, Verdict::Error)]);
    assert_eq!(found.data.readable, 0);
}

#[test]
#[ignore = "needs the photographs in ../shared/faces"]
fn photographs_of_other_people_are_no_near_copies() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/faces"));
    let manifest = layouts::read(&root.join("london-swap"), "folder", Media::Pictures).unwrap();
    let found = audit("london-swap", &manifest, None, &|_| {});
    for check in [
        Check::Files,
        Check::CopiesAcrossSplits,
        Check::NearCopies,
        Check::People,
        Check::Encoder,
        Check::Frame,
    ] {
        assert_eq!(found.finding(check).unwrap().verdict, Verdict::Ok, "{check}");
    }
    // The same people neutral in train and smiling in test.
    let names = std::fs::read_dir(root.join("london")).unwrap().flatten().map(|entry| entry.path());
    let samples = names.filter(|path| Media::Pictures.holds(path)).map(|path| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let split = if stem.ends_with("neutral") { Split::Train } else { Split::Test };
        Sample::new(path, Label::Real, "real", &stem[..3], split)
    });
    let manifest = Manifest::new(samples.collect(), Vec::new());
    let found = audit("london", &manifest, None, &|_| {});
    assert_eq!(figure(&found, Check::NearCopies, "train_test"), 0);
    assert_eq!(figure(&found, Check::People, "in_two_splits"), 102);
}
