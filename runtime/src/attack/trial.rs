//! What an attack is judged on and by: the pictures, the threat model, the detector's
//! threshold, and where results go. The verdict is the judge's matter.

use super::Attack;
use super::trace::Trace;
use crate::data::selection::Chosen;
use crate::results::attack::settings::Settings;
use crate::results::evaluation::ModelInfo;
use crate::results::evaluation::ThresholdSource;
use crate::sample::{Sample, Split};
use crate::threat::Threat;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// A picture to be judged.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its place in the manifest's split: the key of its random draws.
    pub id: u64,
    /// The picture.
    pub sample: Sample,
}

impl Subject {
    /// The pictures of `data` that are used, under their places in the whole part.
    pub fn of(data: &Chosen) -> Vec<Self> {
        data.with_ids().into_iter().map(|(id, sample)| Self { id, sample: sample.clone() }).collect()
    }

    /// Its path, as results name it.
    pub(super) fn shown(&self) -> String {
        self.sample.path.to_string_lossy().into_owned()
    }
}

/// What an attack is judged by.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// The threat model.
    pub threat: Threat,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Where that came from.
    pub threshold_from: Option<&'a ThresholdSource>,
    /// The model, as attack.json names it.
    pub model: &'a ModelInfo,
    /// The data set, as the user named it.
    pub data: &'a str,
    /// Its part.
    pub split: Split,
    /// Where the pictures, samples.csv and attack.json go; none keeps nothing.
    pub out: Option<&'a Path>,
    /// Whether to go on with what lies in `out`.
    pub resume: bool,
    /// When no further picture is begun; those left over are counted, not attacked.
    pub deadline: Option<Instant>,
    /// Where draws, answers and decisions are recorded or come from.
    pub trace: Option<&'a Trace>,
    /// Told after every picture.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Trial<'a> {
    /// A trial of `model` on the test split of `data` within `threat` that keeps nothing and judges
    /// every picture, at the threshold 0.
    pub fn new(model: &'a ModelInfo, data: &'a str, threat: Threat) -> Self {
        Self {
            threat,
            threshold: 0.0,
            threshold_from: None,
            model,
            data,
            split: Split::Test,
            out: None,
            resume: false,
            deadline: None,
            trace: None,
            progress: &|_| {},
        }
    }
}

/// How far the judge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pictures judged, those of an earlier run included.
    pub done: usize,
    /// Queries of an earlier run, among [`Progress::queries`].
    pub queries_before: u64,
    /// Pictures to judge.
    pub total: usize,
    /// Of those judged, rightly classified before.
    pub attacked: usize,
    /// Of those, turned over.
    pub successes: usize,
    /// Queries spent.
    pub queries: u64,
    /// Pictures that an earlier run judged and whose files have changed since, or are damaged:
    /// they are judged anew.
    pub changed: usize,
}

impl Settings {
    /// Those of `attack` under what `trial` says.
    pub fn of(attack: &dyn Attack, trial: &Trial<'_>) -> Self {
        let settings = json!({
            "method": attack.name(),
            "params": attack.parameters(trial.threat),
            "norm": trial.threat.norm,
            "eps_255": trial.threat.eps_255,
            "threshold": trial.threshold,
            "model": trial.model.sha256,
            "res": trial.model.res,
            "reading": trial.model.reading,
            "split": trial.split,
            "data": trial.data,
        });
        // As they come back from a file, whatever a reader does with a number's last digit.
        serde_json::from_str(&settings.to_string()).expect("an object that was just written")
    }
}
