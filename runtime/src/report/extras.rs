//! The parts of a report that are not in report.json: scores and results of single pictures,
//! training curves, example pictures. They are read from the files next to report.json (see
//! [`crate::results::study`]). A missing or broken file leaves out its part of the report and
//! adds a line to [`Extras::missing`].

use crate::results::attack::SampleResult;
use crate::results::attack::folder::{AttackFolder, Side};
use crate::results::evaluation::{self, Score};
use crate::results::explanation::one_model::OneModel;
use crate::results::explanation::{self, Measurement, images};
use crate::results::run::files;
use crate::results::study::{Arm, Report};
use crate::results::{ResultError, training_log};
use crate::sample::Label;
use crate::storage;
use image::RgbImage;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The most example pictures of each attack.
pub const EXAMPLES: usize = 3;

/// The curves of a training run, by rising step and epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Step and training loss.
    pub steps: Vec<(usize, f64)>,
    /// Epoch and validation loss.
    pub epochs: Vec<(usize, f64)>,
}

impl Curves {
    /// The curves of a log. Of a step or epoch that was logged twice (a resumed run) the last
    /// entry counts; NaN losses are left out.
    fn of(log: &[training_log::Entry]) -> Self {
        let (mut steps, mut epochs) = (BTreeMap::new(), BTreeMap::new());
        for entry in log {
            match *entry {
                training_log::Entry::Step { step, loss, .. } if loss.is_finite() => {
                    steps.insert(step, f64::from(loss));
                }
                training_log::Entry::Epoch { epoch, val_loss, .. } if val_loss.is_finite() => {
                    epochs.insert(epoch, val_loss);
                }
                _ => {}
            }
        }
        Self { steps: steps.into_iter().collect(), epochs: epochs.into_iter().collect() }
    }
}

/// A picture before and after an attack.
#[derive(Clone, Debug)]
pub struct ExamplePair {
    /// Its id in samples.csv.
    pub id: u64,
    /// The original picture.
    pub clean: RgbImage,
    /// The adversarial picture, as saved.
    pub adversarial: RgbImage,
}

/// The per-picture results of an attack.
#[derive(Clone, Debug, Default)]
pub struct AttackExtras {
    /// The rows of samples.csv.
    pub samples: Vec<SampleResult>,
    /// A few pictures, successes first.
    pub examples: Vec<ExamplePair>,
}

/// The per-picture results and the training curves of an arm.
#[derive(Clone, Debug, Default)]
pub struct ArmExtras {
    /// The rows of scores.csv.
    pub scores: Vec<Score>,
    /// The curves of log.jsonl.
    pub training: Curves,
    /// As many as the arm has attacks, in their order.
    pub attacks: Vec<AttackExtras>,
}

/// What decided on a few pictures under one model.
#[derive(Clone, Debug)]
pub struct ModelViews {
    /// The arm.
    pub arm: String,
    /// The model's threshold.
    pub threshold: f64,
    /// The pictures.
    pub pictures: Vec<PictureViews>,
}

/// The views of a picture, as PNG.
#[derive(Clone, Debug)]
pub struct PictureViews {
    /// What was measured on it.
    pub of: Measurement,
    /// The picture.
    pub original: Vec<u8>,
    /// The [`images::PARTS`] of it.
    pub parts: [Vec<u8>; images::PARTS.len()],
}

/// Everything in a report that is not in report.json.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// As many as the report has arms, in their order.
    pub arms: Vec<ArmExtras>,
    /// What decided on a few pictures, of every explained arm's first seed.
    pub views: Vec<ModelViews>,
    /// What could not be shown and why, a line each.
    pub missing: Vec<String>,
}

impl Extras {
    /// Reads the files next to report.json in `dir` (see the module's text). A missing or broken
    /// file is no error: it becomes a line of `missing`.
    pub fn load(dir: &Path, report: &Report) -> Self {
        let mut missing = Vec::new();
        let arms: Vec<ArmExtras> = report.arms.iter().map(|arm| load_arm(dir, arm, &mut missing)).collect();
        let views = load_views(dir, report, &mut missing);
        let mut extras = Self { arms, views, missing };
        extras.load_examples(dir, report);
        extras
    }

    /// Empty extras for the arms and attacks of `report`.
    pub fn none(report: &Report) -> Self {
        let empty = |arm: &Arm| ArmExtras {
            attacks: vec![AttackExtras::default(); arm.attacks.len()],
            ..ArmExtras::default()
        };
        let missing = vec!["scores, training curves and example pictures: not at hand".to_owned()];
        Self { arms: report.arms.iter().map(empty).collect(), views: Vec::new(), missing }
    }

    /// The number of people or videos in the scores; `None` without scores.
    pub fn groups(&self) -> Option<usize> {
        let scores = self.arms.iter().map(|arm| &arm.scores).find(|scores| !scores.is_empty())?;
        let groups: std::collections::BTreeSet<&str> =
            scores.iter().map(|score| score.sample.group.as_str()).collect();
        Some(groups.len())
    }

    /// Loads the same pictures for every arm's first seed, chosen by the first arm that has the
    /// attack, so that arms can be compared.
    fn load_examples(&mut self, dir: &Path, report: &Report) {
        for key in report.attack_keys() {
            let saved = self.saved_by_all(dir, report, &key);
            let mut chosen: Option<Vec<u64>> = None;
            for name in report.names() {
                let index = report.seeds_of(name)[0];
                let arm = &report.arms[index];
                let Some(place) = arm.attack_place(&key) else { continue };
                let attack = &arm.attacks[place];
                let extras = &mut self.arms[index].attacks[place];
                if extras.samples.is_empty() {
                    continue;
                }
                let ids = chosen.get_or_insert_with(|| choose_examples(&extras.samples, &saved));
                let files = arm.attack_files(dir, attack);
                let pairs = ids.iter().map(|id| read_pair(&files, *id));
                match pairs.collect::<Result<Vec<_>, _>>() {
                    Ok(pairs) => extras.examples = pairs,
                    Err(reason) => self.missing.push(format!("example pictures: {reason}")),
                }
            }
        }
    }
}

impl Extras {
    /// The ids of pictures that the first seed of every arm saved for the attack `key`: a picture
    /// that an arm misclassifies before the attack is not saved.
    fn saved_by_all(&self, dir: &Path, report: &Report, key: &str) -> HashSet<u64> {
        let mut saved: Option<HashSet<u64>> = None;
        for name in report.names() {
            let index = report.seeds_of(name)[0];
            let Some(place) = report.arms[index].attack_place(key) else { continue };
            let arm = &report.arms[index];
            let files = arm.attack_files(dir, &arm.attacks[place]);
            let is_saved = |id: u64| Side::BOTH.iter().all(|&side| files.picture_path(side, id).is_file());
            let samples = &self.arms[index].attacks[place].samples;
            let own: HashSet<u64> =
                samples.iter().map(|sample| sample.id).filter(|&id| is_saved(id)).collect();
            saved = Some(match saved {
                None => own,
                Some(common) => common.intersection(&own).copied().collect(),
            });
        }
        saved.unwrap_or_default()
    }
}

fn load_views(dir: &Path, report: &Report, missing: &mut Vec<String>) -> Vec<ModelViews> {
    let explained = report.explanation.iter().flat_map(|explanation| &explanation.arms);
    let arms = explained.filter_map(|arm| {
        let index = *report.seeds_of(&arm.name).first()?;
        Some((&arm.name, dir.join(&report.arms[index].run).join(explanation::FOLDER)))
    });
    let mut views = Vec::new();
    for (name, folder) in arms {
        match model_views(&folder, name) {
            Ok(found) => views.push(found),
            Err(error) => missing.push(format!("what decided: {error}")),
        }
    }
    views
}

fn model_views(folder: &Path, arm: &str) -> Result<ModelViews, ResultError> {
    let measured = OneModel::read(folder)?.measured;
    let read = |name: String| storage::read(&folder.join(explanation::IMAGES).join(name));
    let shown = measured.surfaces.iter().map(|surface| surface.id);
    let shown = shown.filter_map(|id| measured.pictures.iter().find(|picture| picture.id == id));
    let pictures = shown.map(|of| {
        let mut parts = [const { Vec::new() }; images::PARTS.len()];
        for (part, name) in parts.iter_mut().zip(images::PARTS) {
            *part = read(images::part(of.id, arm, name))?;
        }
        Ok(PictureViews { original: read(images::original(of.id))?, of: of.clone(), parts })
    });
    let pictures = pictures.collect::<Result<_, ResultError>>()?;
    Ok(ModelViews { arm: arm.to_owned(), threshold: measured.threshold, pictures })
}

fn load_arm(dir: &Path, arm: &Arm, missing: &mut Vec<String>) -> ArmExtras {
    let run = dir.join(&arm.run);
    let mut note = |what: &str, error: ResultError| missing.push(format!("{what}: {error}"));
    let scores = evaluation::read_scores(&evaluation::scores_path(&run.join(evaluation::FILE)));
    let training = training_log::read(&run.join(files::LOG));
    let attacks = arm.attacks.iter().map(|attack| {
        let samples = arm.attack_files(dir, attack).samples();
        let samples = samples.unwrap_or_else(|error| {
            note("single pictures of an attack", error);
            Vec::new()
        });
        AttackExtras { samples, examples: Vec::new() }
    });
    let attacks = attacks.collect();
    ArmExtras {
        scores: scores.unwrap_or_else(|error| {
            note("ROC and scores", error);
            Vec::new()
        }),
        training: Curves::of(&training.unwrap_or_else(|error| {
            note("training curves", error);
            Vec::new()
        })),
        attacks,
    }
}

/// Up to [`EXAMPLES`] pictures: successes before failures, fakes and reals alternating, then by
/// id.
fn choose_examples(samples: &[SampleResult], saved: &HashSet<u64>) -> Vec<u64> {
    let of = |success: bool, label: Label| {
        let mut ids: Vec<u64> = samples
            .iter()
            .filter(|sample| saved.contains(&sample.id))
            .filter(|sample| sample.success == success && sample.label == label)
            .map(|sample| sample.id)
            .collect();
        ids.sort_unstable();
        ids
    };
    let mut chosen = Vec::new();
    for success in [true, false] {
        let (fakes, reals) = (of(success, Label::Fake), of(success, Label::Real));
        for turn in 0..EXAMPLES {
            chosen.extend(fakes.get(turn));
            chosen.extend(reals.get(turn));
        }
    }
    chosen.truncate(EXAMPLES);
    chosen
}

fn read_pair(files: &AttackFolder, id: u64) -> Result<ExamplePair, String> {
    let open = |side| files.picture(side, id).map(|(picture, _)| picture).map_err(|error| error.to_string());
    let pair = ExamplePair { id, clean: open(Side::Clean)?, adversarial: open(Side::Adversarial)? };
    match pair.clean.dimensions() == pair.adversarial.dimensions() {
        true => Ok(pair),
        false => Err(format!("{}: picture {id} changed its size", files.path().display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: u64, label: Label, success: bool) -> SampleResult {
        SampleResult {
            id,
            label,
            clean_logit: 0.0,
            adv_logit: 0.0,
            success,
            queries: 1,
            linf_255: 8,
            l2: 0.1,
            seconds: 0.0,
            path: format!("{id}.png"),
            clean_sha256: String::new(),
            adv_sha256: String::new(),
            attack: String::new(),
            distance: None,
            queries_to_success: None,
        }
    }

    #[test]
    fn examples_are_successes_of_both_classes_first() {
        use Label::{Fake, Real};
        let samples = [
            sample(0, Real, false),
            sample(1, Fake, true),
            sample(2, Fake, true),
            sample(3, Real, true),
            sample(4, Fake, false),
        ];
        let all: HashSet<u64> = samples.iter().map(|sample| sample.id).collect();
        assert_eq!(choose_examples(&samples, &all), [1, 3, 2]);
        let without = &all - &HashSet::from([1]);
        assert!(!choose_examples(&samples, &without).contains(&1));
        assert_eq!(choose_examples(&samples[3..], &all), [3, 4]);
    }

    #[test]
    fn what_was_logged_twice_counts_once() {
        use training_log::Entry;
        let step = |step, loss| Entry::Step { step, epoch: 1, loss, perturbed_loss: None, lr: 0.1 };
        let curves = Curves::of(&[step(2, 0.5), step(1, 0.75), step(2, 0.25), step(3, f32::NAN)]);
        assert_eq!(curves.steps, [(1, 0.75), (2, 0.25)]);
        assert_eq!(curves.epochs, []);
    }
}
