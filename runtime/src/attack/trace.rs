//! The trace of an attack: every random draw, every answer of the model, and every
//! decision to keep or drop a candidate, so that the same search can be made again on
//! another machine, whose model may answer with other last digits, and be read by
//! people and programs that know nothing of this one.
//!
//! A trace is text, one JSON object a line: first the attack ([`Header`]), then for each
//! picture its id and its events in their order.
//!
//! - `{"drawn": "9ae1…"}`: words of random bits, 8 hexadecimal digits for 32 bits, 16 for
//!   64; where more than 64 come in a row `{"drawn": {"words", "sha256"}}`, the
//!   hash of their bytes in little-endian order.
//! - `{"asked": {"pictures", "sha256", "logits" or "labels"}}`: a query, the hash of its
//!   values (32-bit floats, little-endian, N x 3 x res x res) and the answer.
//! - `{"step": …}`: what the attack says it tries (Square: its windows and signs).
//! - `{"kept": true}`: whether the candidate just asked takes the place of the best.
//!
//! Played again, the attack draws from its keyed streams as ever and asks the trace in
//! the place of the model; a draw, a candidate or a decision that differs from the
//! trace's ends it with the first difference. What it proposes is judged by the model.

use super::Attack;
use super::recorder::{Event, Recorder};
use crate::detector::oracle::OracleError;
use crate::results::attack::AttackReport;
use crate::results::evaluation::ModelInfo;
use crate::storage::{self, AppendLog, StorageError};
use crate::threat::{Norm, Threat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The first line of a trace.
const FORMAT: &str = "dfrt tape 1";

/// Whose trace it is: what must be the same when it is played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    format: String,
    /// The attack.
    pub method: String,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// The threat model's norm.
    pub norm: Norm,
    /// Its radius in 1/255.
    pub eps_255: f64,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// The model's hash.
    pub model_sha256: String,
    /// The side of its input.
    pub res: usize,
}

impl Header {
    /// That of `attack` on `model`, decided at `threshold`, under `threat`.
    pub fn of(attack: &dyn Attack, threat: Threat, threshold: f64, model: &ModelInfo) -> Self {
        Self {
            format: FORMAT.to_owned(),
            method: attack.name().to_owned(),
            params: attack.parameters(threat),
            norm: threat.norm,
            eps_255: threat.eps_255,
            threshold,
            model_sha256: model.sha256.clone(),
            res: model.res,
        }
    }

    /// That of the attack whose attack.json is `report`.
    pub fn of_report(report: &AttackReport) -> Self {
        Self {
            format: FORMAT.to_owned(),
            method: report.method.clone(),
            params: report.params.clone(),
            norm: report.norm,
            eps_255: report.eps_255,
            threshold: report.threshold,
            model_sha256: report.model.sha256.clone(),
            res: report.model.res,
        }
    }

    /// The first thing in which `other` differs, by its name and both values.
    fn difference(&self, other: &Self) -> Option<String> {
        let fields = |header: &Self| match serde_json::to_value(header) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let (own, others) = (fields(self), fields(other));
        own.into_iter().find_map(|(name, value)| {
            let theirs = others.get(&name).cloned().unwrap_or_default();
            (theirs != value).then(|| format!("{name} {value} instead of {theirs}"))
        })
    }
}

/// Why a trace cannot be written or played.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file exists already.
    #[error("{}: exists already; pass --resume to go on with it, --force to replace it, or choose another --tape", .0.display())]
    Occupied(PathBuf),
    /// Not a trace, or one with a broken line.
    #[error("{}: line {line} is not of a trace of this version: {reason}; record it again", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The trace of another attack.
    #[error("{}: is the trace of another attack: it has {difference}; give the options it was recorded with", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The first thing that differs.
        difference: String,
    },
}

/// A picture's line.
#[derive(Serialize, Deserialize)]
struct Picture {
    id: u64,
    events: Vec<Event>,
}

/// A trace being recorded or played.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Recording(AppendLog),
    Playing(HashMap<u64, Vec<Event>>),
}

impl Trace {
    /// Records to a new file at `path`; with `resume` goes on behind what an
    /// interrupted attack left there.
    ///
    /// # Errors
    /// The file exists already, is another attack's, or cannot be written.
    pub fn record(path: &Path, header: &Header, resume: bool) -> Result<Self, TraceError> {
        let mut text = line(header);
        if path.exists() {
            if !resume {
                return Err(TraceError::Occupied(path.to_owned()));
            }
            for picture in read(path, header)? {
                text.extend(line(&picture));
            }
        }
        Ok(Self { path: path.to_owned(), mode: Mode::Recording(AppendLog::begin(path, &text)?) })
    }

    /// Plays the trace at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is another attack's.
    pub fn play(path: &Path, header: &Header) -> Result<Self, TraceError> {
        let pictures = read(path, header)?.into_iter().map(|picture| (picture.id, picture.events));
        Ok(Self { path: path.to_owned(), mode: Mode::Playing(pictures.collect()) })
    }

    /// The events of picture `id`, of a trace that is played.
    pub fn events(&self, id: u64) -> Option<&[Event]> {
        match &self.mode {
            Mode::Playing(pictures) => pictures.get(&id).map(Vec::as_slice),
            Mode::Recording(_) => None,
        }
    }

    /// Begins the record of picture `id`, which is compared with the trace's where it is played.
    ///
    /// # Errors
    /// A trace that is played does not have the picture.
    pub(super) fn begin(&self, id: u64) -> Result<Recorder, OracleError> {
        match &self.mode {
            Mode::Recording(_) => Ok(Recorder::new(None)),
            Mode::Playing(pictures) => match pictures.get(&id) {
                Some(events) => Ok(Recorder::new(Some(events.clone()))),
                None => Err(self.failed(id, "the picture is not on the trace")),
            },
        }
    }

    /// Writes the record of picture `id` down, of a search that was `whole` (no model failed).
    ///
    /// # Errors
    /// A disk that is full, or a trace that says otherwise.
    pub(super) fn end(&self, id: u64, recorder: Recorder, whole: bool) -> Result<(), OracleError> {
        let events = recorder.ended().map_err(|fault| self.failed(id, &fault))?;
        if let (Mode::Recording(log), true) = (&self.mode, whole) {
            // As durable as the journal, which says that the picture need not be attacked again.
            let written = log.append_synced(&line(&Picture { id, events }));
            written.map_err(|error| OracleError(error.to_string()))?;
        }
        Ok(())
    }

    fn failed(&self, id: u64, what: &str) -> OracleError {
        OracleError(format!("{}: picture {id}: {what}", self.path.display()))
    }
}

/// What is said about attacks that look at several pictures at once.
pub(super) fn together() -> OracleError {
    OracleError("a trace holds attacks by logits or labels, a picture at a time; leave out --tape".to_owned())
}

fn line(object: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(object).expect("numbers, words and lists of them");
    bytes.push(b'\n');
    bytes
}

/// The pictures of a trace; a torn last line is dropped.
fn read(path: &Path, header: &Header) -> Result<Vec<Picture>, TraceError> {
    let bytes = storage::read(path)?;
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    // What follows the last newline: nothing, or a line that was cut off.
    lines.pop();
    let garbled = |line: usize, reason: String| TraceError::Garbled { path: path.to_owned(), line, reason };
    let mut lines = lines.into_iter().enumerate();
    let (_, first) = lines.next().ok_or_else(|| garbled(1, "it is empty".to_owned()))?;
    let found: Header = serde_json::from_slice(first).map_err(|error| garbled(1, error.to_string()))?;
    if let Some(difference) = found.difference(header) {
        return Err(TraceError::Other { path: path.to_owned(), difference });
    }
    let picture = |(at, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| garbled(at + 1, error.to_string()))
    };
    lines.map(picture).collect()
}
