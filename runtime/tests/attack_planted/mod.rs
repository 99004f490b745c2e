//! Models whose best attack is known in closed form, and pictures to attack.

use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::judge::{JudgeError, Judgement, judge};
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use image::RgbImage;
use std::path::Path;

/// The side of every picture.
pub const RES: usize = 16;

/// A model given as a function of 3 x RES x RES pixels.
pub struct Planted<F>(pub F);

impl<F: Fn(&[f32]) -> f32 + Sync> Oracle for Planted<F> {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        Ok((0..batch.len()).map(|index| (self.0)(batch.picture(index))).collect())
    }

    fn res(&self) -> usize {
        RES
    }
}

/// The sign that the linear model gives a value: some up, some down.
pub fn weight(place: usize) -> f32 {
    if place.wrapping_mul(2_654_435_761) >> 7 & 1 == 0 { 1.0 } else { -1.0 }
}

/// The linear model: how many levels, in the mean, the values lie on the side of
/// their weights, less a half. A picture of `level` (see [`levelled`]) gets
/// level - 0.5, and an Linf attack moves it by exactly its epsilon.
pub fn linear(values: &[f32]) -> f32 {
    let along: f64 = values
        .iter()
        .enumerate()
        .map(|(place, &value)| f64::from(weight(place)) * (f64::from(value) * 255.0 - 128.0))
        .sum();
    (along / values.len() as f64 - 0.5) as f32
}

/// Grey, moved by `level` levels along the linear model's weights.
pub fn levelled(level: i32) -> RgbImage {
    let plane = RES * RES;
    let byte = |at: usize| {
        let place = at % 3 * plane + at / 3;
        (128 + level * weight(place) as i32) as u8
    };
    RgbImage::from_raw(RES as u32, RES as u32, (0..3 * plane).map(byte).collect()).unwrap()
}

/// Saves `pictures` under `folder` and gives them as subjects, ids from 0.
pub fn subjects(folder: &Path, pictures: &[(Label, RgbImage)]) -> Vec<Subject> {
    let saved = pictures.iter().enumerate().map(|(id, (label, picture))| {
        let path = folder.join(format!("picture-{id:03}.png"));
        picture.save(&path).unwrap();
        let sample = Sample::new(path, *label, label.to_string(), format!("person-{id}"), Split::Test);
        Subject { id: id as u64, sample }
    });
    saved.collect()
}

/// Fakes of levels 1, 2, … and reals of levels 0, -1, …, `each` of both: the
/// linear model is right on all of them at threshold 0.
pub fn ladder(folder: &Path, each: i32) -> Vec<Subject> {
    let fakes = (1..=each).map(|level| (Label::Fake, levelled(level)));
    let reals = (0..each).map(|level| (Label::Real, levelled(-level)));
    subjects(folder, &fakes.chain(reals).collect::<Vec<_>>())
}

/// Linf of `eps` levels.
pub fn linf(eps: u32) -> Threat {
    Threat::new(Norm::Linf, f64::from(eps)).unwrap()
}

/// Judges with threshold 0 and a made-up model's name.
pub fn judged(
    attack: &dyn Attack,
    oracle: &dyn Oracle,
    subjects: &[Subject],
    threat: Threat,
    out: Option<(&Path, bool)>,
) -> Result<Judgement, JudgeError> {
    on_trial(threat, |trial| {
        let resume = out.is_some_and(|(_, resume)| resume);
        judge(attack, oracle, subjects, &Trial { out: out.map(|(folder, _)| folder), resume, ..trial })
    })
}

/// Runs `work` with a trial of threshold 0 and a made-up model that keeps nothing.
pub fn on_trial<T>(threat: Threat, work: impl FnOnce(Trial<'_>) -> T) -> T {
    let model = ModelInfo {
        path: "planted".to_owned(),
        sha256: "0".to_owned(),
        arch: "planted".to_owned(),
        res: RES,
        reading: None,
    };
    work(Trial::new(&model, "ladder", threat))
}
