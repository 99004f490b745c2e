//! `verify` on a real attack of a real ONNX file, as it was left and tampered with.

mod detector_fixture;

use detector_fixture::{RES, bytes, plainly, tiny};
use dfrt_runtime::attack::judge::{Judgement, judge};
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::attack::verify::verify;
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::random;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use image::RgbImage;
use rand::{Rng, RngExt};
use std::path::{Path, PathBuf};

struct Attacked {
    folder: tempfile::TempDir,
    out: PathBuf,
    judgement: Judgement,
}

/// Eight pictures of noise, labelled as the model sees them and attacked.
fn attacked() -> Attacked {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    let pictures: Vec<RgbImage> = (0..8).map(noise).collect();
    std::fs::write(&model, bytes(&tiny(1, None))).unwrap();
    let logits = TractOracle::new(Detector::load_as(&model, 1, &plainly()).unwrap())
        .logits(&Batch::of(RES, &pictures))
        .unwrap();
    let mut sorted = logits.clone();
    sorted.sort_by(f32::total_cmp);
    let threshold = f64::from(0.5 * (sorted[3] + sorted[4]));
    let metadata = Metadata::new("tiny", RES, threshold);
    std::fs::write(&model, bytes(&tiny(1, Some(&metadata)))).unwrap();
    let samples = pictures.iter().zip(&logits).enumerate();
    let subjects: Vec<Subject> = samples
        .map(|(id, (picture, &logit))| {
            let path = folder.path().join(format!("{id}.png"));
            picture.save(&path).unwrap();
            let label = Label::decided(logit, threshold as f32);
            let (subset, group) = (String::new(), id.to_string());
            Subject { id: id as u64, sample: Sample::new(path, label, subset, group, Split::Test) }
        })
        .collect();
    let out = folder.path().join("out");
    let judgement = run(&model, &subjects, &out);
    Attacked { folder, out, judgement }
}

fn run(model: &Path, subjects: &[Subject], out: &Path) -> Judgement {
    let oracle = TractOracle::new(Detector::load(model, 1).unwrap());
    let detector = oracle.detector();
    let threat = Threat::new(Norm::Linf, 8.0).unwrap();
    let settings = SquareSettings { queries: 100, ..SquareSettings::default() };
    let square = Square::new(settings);
    let trial = Trial {
        threshold: detector.threshold(),
        threshold_from: Some(detector.threshold_source()),
        out: Some(out),
        ..Trial::new(detector.info(), "noise", threat)
    };
    judge(&square, &oracle, subjects, &trial).unwrap()
}

fn noise(id: u64) -> RgbImage {
    let mut random = random::stream(2, &["picture".into(), id.into()]);
    let (brightness, mut bytes) = (random.random_range(0.3..1.0), vec![0; 3 * RES * RES]);
    random.fill_bytes(&mut bytes);
    bytes.iter_mut().for_each(|byte| *byte = (f64::from(*byte) * brightness) as u8);
    RgbImage::from_raw(RES as u32, RES as u32, bytes).unwrap()
}

fn complaints(out: &Path) -> String {
    verify(out, None).unwrap().mismatches.join("\n")
}

#[test]
fn what_was_not_touched_holds() {
    let Attacked { folder: _folder, out, judgement } = attacked();
    let report = verify(&out, None).unwrap();
    assert!(report.passed(), "{:?}", report.mismatches);
    assert_eq!((report.samples, report.pictures), (8, 8));
    assert_eq!(report.successes, judgement.report.certified_8bit);
    assert!(report.successes > 0, "the attack found something to verify");
    assert!(report.close.is_empty());
}

#[test]
fn a_changed_picture_is_found() {
    let Attacked { folder: _folder, out, .. } = attacked();
    let path = out.join("adversarial/3.png");
    let mut picture = image::open(&path).unwrap().into_rgb8();
    let byte = &mut picture.get_pixel_mut(5, 5)[1];
    *byte = if *byte > 128 { *byte - 100 } else { *byte + 100 };
    picture.save(&path).unwrap();
    let found = complaints(&out);
    assert!(found.contains("3.png: was changed"), "{found}");
    assert!(found.contains("sample 3: lies outside the ball"), "{found}");
    assert!(!found.contains("sample 2"), "{found}");
}

#[test]
fn a_missing_picture_is_found() {
    let Attacked { folder: _folder, out, .. } = attacked();
    std::fs::remove_file(out.join("clean/0.png")).unwrap();
    assert!(complaints(&out).contains("clean/0.png"));
}

#[test]
fn a_changed_figure_is_found() {
    let Attacked { folder: _folder, out, judgement } = attacked();
    let path = out.join("attack.json");
    let mut report = judgement.report;
    report.robust_accuracy += 0.125;
    std::fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
    assert!(complaints(&out).contains("robust_accuracy"));
}

#[test]
fn a_figure_that_is_missing_is_told() {
    let Attacked { folder: _folder, out, judgement } = attacked();
    let path = out.join("attack.json");
    let mut report = serde_json::to_value(&judgement.report).unwrap();
    // Files from before 2026-11-28 lack it.
    report.as_object_mut().unwrap().remove("eps");
    std::fs::write(&path, report.to_string()).unwrap();
    verify(&out, None).unwrap();
    report.as_object_mut().unwrap().remove("not_reached");
    std::fs::write(&path, report.to_string()).unwrap();
    let text = verify(&out, None).unwrap_err().to_string();
    assert!(text.contains("attack.json") && text.contains("not_reached"), "{text}");
    std::fs::write(&path, serde_json::to_string(&judgement.report).unwrap()).unwrap();
    let (path, table) = (out.join("samples.csv"), std::fs::read_to_string(out.join("samples.csv")).unwrap());
    std::fs::write(&path, table.replacen(",attack,", ",attacked,", 1)).unwrap();
    let text = verify(&out, None).unwrap_err().to_string();
    assert!(text.contains("samples.csv") && text.contains("attack"), "{text}");
}

#[test]
fn a_changed_verdict_is_found() {
    let Attacked { folder: _folder, out, judgement } = attacked();
    let path = out.join("samples.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let won = judgement.samples.iter().find(|sample| sample.success).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{},", won.id))).unwrap();
    let changed = line.replace(",true,", ",false,");
    std::fs::write(&path, text.replace(line, &changed)).unwrap();
    let found = complaints(&out);
    assert!(
        found.contains(&format!("sample {}: its adversarial picture is decided otherwise", won.id)),
        "{found}"
    );
}

#[test]
fn another_model_is_refused() {
    let Attacked { folder, out, .. } = attacked();
    let other = folder.path().join("other.onnx");
    let metadata = Metadata::new("tiny", RES, 0.0);
    std::fs::write(&other, bytes(&tiny(2, Some(&metadata)))).unwrap();
    let text = verify(&out, Some(&other)).unwrap_err().to_string();
    assert!(text.contains("is not the model that was attacked"), "{text}");
    std::fs::remove_file(folder.path().join("model.onnx")).unwrap();
    assert!(verify(&out, None).unwrap_err().to_string().contains("--model"));
}
