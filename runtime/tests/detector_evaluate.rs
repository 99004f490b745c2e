//! Clean evaluation with a planted model: the mean of a picture's values.

use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::data::corruption::Corruption;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::corrupted;
use dfrt_runtime::detector::evaluate::{EvaluateError, Subject, evaluate};
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::evaluation::{Evaluation, ModelInfo, Score, write_scores};
use dfrt_runtime::sample::{Label, Sample, Split};
use image::{Rgb, RgbImage};
use std::cell::Cell;
use std::path::Path;
use std::sync::Mutex;

struct Brightness;

impl Oracle for Brightness {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let mean = |index| batch.picture(index).iter().sum::<f32>() / batch.stride() as f32;
        Ok((0..batch.len()).map(|index| mean(index) * 255.0 - 100.0).collect())
    }

    fn res(&self) -> usize {
        8
    }
}

/// A picture of one grey, which the model scores grey - 100.
fn sample(folder: &Path, grey: u8, label: Label, subset: &str, group: &str) -> Sample {
    let path = folder.join(format!("{subset}-{group}-{grey}.png"));
    RgbImage::from_pixel(8, 8, Rgb([grey; 3])).save(&path).unwrap();
    Sample::new(path, label, subset, group, Split::Test)
}

fn brightness() -> ModelInfo {
    ModelInfo {
        path: "brightness".to_owned(),
        sha256: String::new(),
        arch: "planted".to_owned(),
        res: 8,
        reading: None,
    }
}

fn greys(model: &ModelInfo) -> Subject<'_> {
    Subject { model, data: "greys", split: Split::Test, threshold: 0.0, threshold_from: None, seed: 0 }
}

fn evaluated(samples: &[Sample]) -> Result<(Evaluation, Vec<Score>), EvaluateError> {
    let model = brightness();
    let subject = greys(&model);
    let last = Cell::new((0, 0));
    let result = evaluate(&Brightness, samples, &subject, &|done, all| last.set((done, all)));
    assert_eq!(last.get(), (samples.len(), samples.len()));
    result
}

/// A model that fails on bright pictures.
struct Failing;

impl Oracle for Failing {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let logits = Brightness.logits(batch)?;
        Ok(logits.into_iter().map(|logit| if logit > 20.0 { f32::NAN } else { logit }).collect())
    }

    fn res(&self) -> usize {
        8
    }
}

#[test]
fn answers_that_are_no_numbers_are_counted_and_fail() {
    let folder = tempfile::tempdir().unwrap();
    let make = |grey, label| sample(folder.path(), grey, label, "all", &grey.to_string());
    let samples = [make(90, Label::Real), make(130, Label::Fake), make(200, Label::Fake)];
    let model = ModelInfo {
        path: "failing.onnx".to_owned(),
        sha256: String::new(),
        arch: "planted".to_owned(),
        res: 8,
        reading: None,
    };
    let (data, split) = ("greys", Split::Test);
    let subject = Subject { model: &model, data, split, threshold: 0.0, threshold_from: None, seed: 0 };
    let text = evaluate(&Failing, &samples, &subject, &|_, _| ()).unwrap_err().to_string();
    assert!(text.contains("failing.onnx") && text.contains("2 of 3 pictures"), "{text}");
    assert!(text.contains("all-130-130.png"), "the first is named: {text}");
}

#[test]
fn parts_are_measured_against_the_other_class() {
    use Label::{Fake, Real};
    let folder = tempfile::tempdir().unwrap();
    let make = |grey, label, subset: &str, group: &str| sample(folder.path(), grey, label, subset, group);
    let samples = [
        make(90, Real, "camera", "a"),
        make(120, Real, "camera", "b"),
        make(130, Fake, "swap", "a"),
        make(140, Fake, "swap", "b"),
        make(80, Fake, "paint", "c"),
        make(150, Fake, "paint", "c"),
    ];
    let (evaluation, scores) = evaluated(&samples).unwrap();
    assert_eq!((evaluation.data.n_real, evaluation.data.n_fake), (2, 4));
    let value = |metric: Option<dfrt_runtime::metrics::Estimate>| metric.unwrap().value;
    // Wrong: the real of 120 and the fake of 80.
    assert!((value(evaluation.metrics.accuracy) - 4.0 / 6.0).abs() < 1e-12);
    assert!((value(evaluation.metrics.auc) - 6.0 / 8.0).abs() < 1e-12);
    let part = |name: &str| &evaluation.by_subset[name];
    assert_eq!((part("swap").n_real, part("swap").n_fake), (2, 2));
    assert_eq!(value(part("swap").metrics.auc), 1.0);
    assert_eq!(value(part("paint").metrics.auc), 0.5);
    assert_eq!((part("camera").n_real, part("camera").n_fake), (2, 4));
    // Person c's fakes average 15, person a has a real and a fake of their own.
    assert_eq!((evaluation.by_group.n_real, evaluation.by_group.n_fake), (2, 3));
    assert!((value(evaluation.by_group.metrics.auc) - 5.0 / 6.0).abs() < 1e-12);
    assert_eq!(scores.len(), 6);
    assert!((scores[4].logit + 20.0).abs() < 1e-3);
}

#[test]
fn unreadable_pictures_are_listed_and_keep_the_others_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<Sample> = (0..150)
        .map(|index| {
            let label = if index % 2 == 0 { Label::Real } else { Label::Fake };
            sample(folder.path(), 60 + index, label, "set", &format!("p{index:03}"))
        })
        .collect();
    for broken in [3, 64, 149] {
        std::fs::write(&samples[broken].path, b"cut short").unwrap();
    }
    let (evaluation, scores) = evaluated(&samples).unwrap();
    assert_eq!((scores.len(), evaluation.skipped.len()), (147, 3));
    assert!(evaluation.skipped[0].contains("p003"), "{:?}", evaluation.skipped);
    for score in &scores {
        assert_eq!(score.sample, samples[score.id as usize]);
        assert!((score.logit - (score.id as f32 - 40.0)).abs() < 1e-3);
    }
    let path = folder.path().join("scores.csv");
    write_scores(&path, &scores).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id,path,label,subset,group,split,logit"));
    assert!(lines.next().unwrap().starts_with("0,") && lines.count() == 146);
}

#[test]
fn one_class_leaves_open_what_needs_two() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [sample(folder.path(), 130, Label::Fake, "swap", "a")];
    let (evaluation, _) = evaluated(&samples).unwrap();
    assert_eq!(evaluation.metrics.auc, None);
    assert_eq!(evaluation.metrics.accuracy.unwrap().value, 1.0);
    assert_eq!(evaluation.rates.true_positive_rate, evaluation.metrics.accuracy);
    assert_eq!(evaluation.rates.true_negative_rate, None);
    assert!(evaluation.undefined.unwrap().starts_with("all pictures are fake"));
}

#[test]
fn nothing_to_evaluate_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [sample(folder.path(), 130, Label::Fake, "swap", "a")];
    std::fs::write(&samples[0].path, b"").unwrap();
    let text = evaluated(&samples).unwrap_err().to_string();
    assert!(text.contains("none of the 1 pictures"), "{text}");
}

/// [`Brightness`], with the logits that it gave, a list for each call.
#[derive(Default)]
struct Noted(Mutex<Vec<Vec<f32>>>);

impl Oracle for Noted {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let logits = Brightness.logits(batch)?;
        self.0.lock().unwrap().push(logits.clone());
        Ok(logits)
    }

    fn res(&self) -> usize {
        8
    }
}

#[test]
fn a_picture_has_the_same_noise_whatever_else_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let label = |place: usize| if place.is_multiple_of(2) { Label::Real } else { Label::Fake };
    let one = |place: usize| sample(folder.path(), 100, label(place), "all", &place.to_string());
    let all: Vec<Sample> = (0..6).map(one).collect();
    let logits = |places: &[usize]| {
        let chosen = places.iter().map(|&place| all[place].clone()).collect();
        let data = Chosen { name: "greys".to_owned(), split: Split::Test, all: all.clone(), chosen };
        let (model, noted) = (brightness(), Noted::default());
        let kinds = [Corruption::GaussianNoise];
        corrupted::measure(&noted, &data.with_ids(), &greys(&model), &kinds, &|_, _| {}).unwrap();
        noted.0.into_inner().unwrap()
    };
    let (whole, part) = (logits(&[0, 1, 2, 3, 4, 5]), logits(&[3, 4]));
    assert_eq!(whole.len(), 1 + Corruption::LEVELS);
    for (level, (whole, part)) in whole.iter().zip(&part).enumerate() {
        assert_eq!(part[..], whole[3..5], "level {level}");
        assert_eq!(whole[3] == whole[4], level == 0, "level {level}: noise is the picture's own");
    }
}
