//! What a report shows and report.json does not hold: scores and results of
//! single pictures, training curves, example pictures. They are read from beside
//! report.json, in this layout:
//! ```text
//! report.json
//! <arm>-seed<k>/                        the arm's RUN: `Arm::run`
//!   log.jsonl                           {"kind":"step",…} and {"kind":"epoch",…}
//!   scores.csv                          path,label,subset,group,split,logit
//!   attacks/<method>-<norm>-<eps>/      `attack_folder`
//!     samples.csv                       lines of `SampleResult`
//!     clean/<id>.png  adversarial/<id>.png
//! ```
//! What is missing or broken costs its part of the report and leaves a line in
//! [`Extras::missing`].

use super::{Arm, Report, ReportError, attack_folder};
use crate::attack::result::{AttackReport, SampleResult};
use crate::sample::{Label, Split};
use crate::storage;
use image::RgbImage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Example pictures kept of each attack.
pub const EXAMPLES: usize = 3;

/// A line of scores.csv.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreLine {
    /// The picture's file.
    pub path: String,
    /// Its true label.
    pub label: Label,
    /// The source or forgery method.
    pub subset: String,
    /// The video or person.
    pub group: String,
    /// The part of the data.
    pub split: Split,
    /// What the detector said.
    pub logit: f32,
}

/// A training run's log.jsonl.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Step and loss.
    pub steps: Vec<(u64, f64)>,
    /// The epochs.
    pub epochs: Vec<Epoch>,
}

/// One epoch of a training run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number as logged.
    pub epoch: u64,
    /// Mean training loss.
    pub train_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Validation AUC.
    pub val_auc: Option<f64>,
}

/// A picture before and after an attack.
#[derive(Clone, Debug)]
pub struct ExamplePair {
    /// Its id in samples.csv.
    pub id: u64,
    /// Before.
    pub clean: RgbImage,
    /// After, as saved.
    pub adversarial: RgbImage,
}

/// The single pictures of an attack.
#[derive(Clone, Debug, Default)]
pub struct AttackExtras {
    /// samples.csv.
    pub samples: Vec<SampleResult>,
    /// A few pictures, successes first.
    pub examples: Vec<ExamplePair>,
}

/// The single pictures and the training of an arm.
#[derive(Clone, Debug, Default)]
pub struct ArmExtras {
    /// scores.csv.
    pub scores: Vec<ScoreLine>,
    /// log.jsonl.
    pub training: Training,
    /// As many as the arm has attacks, in their order.
    pub attacks: Vec<AttackExtras>,
}

/// Everything a report shows that is not in report.json.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// As many as the report has arms, in their order.
    pub arms: Vec<ArmExtras>,
    /// What could not be shown and why, a line each.
    pub missing: Vec<String>,
}

impl Extras {
    /// Reads what lies beside report.json in `dir` (see the module's text). Never
    /// fails: a missing or broken file becomes a line of `missing`.
    pub fn load(dir: &Path, report: &Report) -> Self {
        let mut missing = Vec::new();
        let arms: Vec<ArmExtras> =
            report.arms.iter().map(|arm| load_arm(&dir.join(&arm.run), arm, &mut missing)).collect();
        let mut extras = Self { arms, missing };
        extras.load_examples(dir, report);
        extras
    }

    /// Extras of nothing: as many empty ones as `report` has arms and attacks.
    pub fn none(report: &Report) -> Self {
        let empty = |arm: &Arm| ArmExtras {
            attacks: vec![AttackExtras::default(); arm.attacks.len()],
            ..ArmExtras::default()
        };
        let missing = vec!["scores, training curves and example pictures: not at hand".to_owned()];
        Self { arms: report.arms.iter().map(empty).collect(), missing }
    }

    /// The number of people or videos behind the scores; none without scores.
    pub fn groups(&self) -> Option<usize> {
        let scores = self.arms.iter().map(|arm| &arm.scores).find(|scores| !scores.is_empty())?;
        let groups: std::collections::BTreeSet<&str> =
            scores.iter().map(|line| line.group.as_str()).collect();
        Some(groups.len())
    }

    /// Loads the same pictures for every arm's first seed, chosen by the first
    /// arm that has the attack, so that arms can be looked at side by side.
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
                let folder = dir.join(&arm.run).join("attacks").join(attack_folder(attack));
                let pairs = ids.iter().map(|id| read_pair(&folder, *id));
                match pairs.collect::<Result<Vec<_>, _>>() {
                    Ok(pairs) => extras.examples = pairs,
                    Err(reason) => self.missing.push(format!("example pictures: {reason}")),
                }
            }
        }
    }
}

impl Extras {
    /// The ids whose pictures the first seed of every arm saved under the attack
    /// `key`: a picture that an arm calls wrongly before it is attacked has none.
    fn saved_by_all(&self, dir: &Path, report: &Report, key: &str) -> HashSet<u64> {
        let mut saved: Option<HashSet<u64>> = None;
        for name in report.names() {
            let index = report.seeds_of(name)[0];
            let Some(place) = report.arms[index].attack_place(key) else { continue };
            let arm = &report.arms[index];
            let folder = dir.join(&arm.run).join("attacks").join(attack_folder(&arm.attacks[place]));
            let is_saved = |id: u64| {
                ["clean", "adversarial"]
                    .iter()
                    .all(|kind| folder.join(kind).join(format!("{id}.png")).is_file())
            };
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

fn load_arm(run: &Path, arm: &Arm, missing: &mut Vec<String>) -> ArmExtras {
    let mut note = |what: &str, error: ReportError| missing.push(format!("{what}: {error}"));
    let scores = read_scores(&run.join("scores.csv"));
    let training = read_log(&run.join("log.jsonl"));
    let attacks = arm.attacks.iter().map(|attack| {
        let samples = read_samples(&samples_path(run, attack));
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
        training: training.unwrap_or_else(|error| {
            note("training curves", error);
            Training::default()
        }),
        attacks,
    }
}

fn samples_path(run: &Path, attack: &AttackReport) -> std::path::PathBuf {
    run.join("attacks").join(attack_folder(attack)).join("samples.csv")
}

/// Up to [`EXAMPLES`] pictures: successes before failures, fakes and reals in
/// turn, then by id.
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

fn read_pair(folder: &Path, id: u64) -> Result<ExamplePair, String> {
    let open = |kind: &str| {
        let path = folder.join(kind).join(format!("{id}.png"));
        let picture = image::open(&path);
        picture.map(|picture| picture.to_rgb8()).map_err(|error| format!("{}: {error}", path.display()))
    };
    let pair = ExamplePair { id, clean: open("clean")?, adversarial: open("adversarial")? };
    match pair.clean.dimensions() == pair.adversarial.dimensions() {
        true => Ok(pair),
        false => Err(format!("{}: picture {id} changed its size", folder.display())),
    }
}

/// Reads a scores.csv.
pub fn read_scores(path: &Path) -> Result<Vec<ScoreLine>, ReportError> {
    read_csv(path)
}

/// Reads an attack's samples.csv.
pub fn read_samples(path: &Path) -> Result<Vec<SampleResult>, ReportError> {
    read_csv(path)
}

fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReportError> {
    let bytes = storage::read(path)?;
    let lines = csv::Reader::from_reader(bytes.as_slice()).into_deserialize();
    let broken = |error: csv::Error| ReportError::Broken {
        path: path.to_owned(),
        reason: format!("not the table it should be ({error})"),
    };
    lines.collect::<Result<Vec<T>, _>>().map_err(broken)
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum LogLine {
    Step {
        step: u64,
        loss: Option<f64>,
    },
    Epoch {
        epoch: u64,
        #[serde(default)]
        train_loss: Option<f64>,
        #[serde(default)]
        val_loss: Option<f64>,
        #[serde(default)]
        val_auc: Option<f64>,
    },
    #[serde(other)]
    Other,
}

/// Reads a log.jsonl. A step or epoch that was logged twice (a resumed run)
/// counts once, as logged last; a last line cut short (a killed run) is left out;
/// a loss that is no number (null) is left out.
pub fn read_log(path: &Path) -> Result<Training, ReportError> {
    let bytes = storage::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let (mut steps, mut epochs) = (BTreeMap::new(), BTreeMap::new());
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(LogLine::Step { step, loss: Some(loss) }) => {
                steps.insert(step, loss);
            }
            Ok(LogLine::Epoch { epoch, train_loss, val_loss, val_auc }) => {
                epochs.insert(epoch, Epoch { epoch, train_loss, val_loss, val_auc });
            }
            Ok(LogLine::Step { loss: None, .. } | LogLine::Other) => {}
            Err(_) if line.trim().is_empty() => {}
            Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(error) => {
                let reason = format!("line {} is no log entry ({error})", number + 1);
                return Err(ReportError::Broken { path: path.to_owned(), reason });
            }
        }
    }
    Ok(Training { steps: steps.into_iter().collect(), epochs: epochs.into_values().collect() })
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
    fn a_log_of_a_killed_and_resumed_run_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let text = "{\"kind\":\"step\",\"step\":1,\"epoch\":0,\"loss\":0.7,\"lr\":0.1}\n\
            {\"kind\":\"note\",\"text\":\"x\"}\n\
            {\"kind\":\"step\",\"step\":1,\"epoch\":0,\"loss\":0.6,\"lr\":0.1}\n\
            {\"kind\":\"step\",\"step\":2,\"epoch\":0,\"loss\":null,\"lr\":0.1}\n\
            {\"kind\":\"epoch\",\"epoch\":0,\"train_loss\":0.65,\"val_loss\":0.7,\"val_auc\":0.5}\n";
        std::fs::write(&path, format!("{text}{{\"kind\":\"st")).unwrap();
        let log = read_log(&path).unwrap();
        assert_eq!(log.steps, [(1, 0.6)]);
        assert_eq!(log.epochs.len(), 1);
        assert_eq!(log.epochs[0].val_auc, Some(0.5));
        std::fs::write(&path, format!("oops\n{text}")).unwrap();
        let error = read_log(&path).unwrap_err().to_string();
        assert!(error.contains("log.jsonl") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_table_with_a_wrong_cell_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        std::fs::write(&path, "path,label,subset,group,split,logit\na.png,fake,s,g,test,maybe\n").unwrap();
        let error = read_scores(&path).unwrap_err().to_string();
        assert!(error.contains("scores.csv") && error.contains("line: 2"), "{error}");
        std::fs::write(&path, "path,label,subset,group,split,logit\na.png,fake,s,g,test,-1.5\n").unwrap();
        assert_eq!(read_scores(&path).unwrap()[0].logit, -1.5);
        let absent = read_scores(&folder.path().join("none.csv")).unwrap_err().to_string();
        assert!(absent.contains("cannot be read"), "{absent}");
    }
}
