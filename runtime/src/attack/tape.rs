//! The tape of an attack: every random draw, every answer of the model, and every
//! decision to keep or drop a candidate, so that the same search can be made again on
//! another machine, whose model may answer with other last digits, and be read by
//! people and programs that know nothing of this one.
//!
//! A tape is text, one JSON object a line: first the attack ([`Header`]), then for each
//! picture its id and its events in their order.
//!
//! - `{"drawn": "9ae1…"}`: words of random bits, 8 hexadecimal digits for 32 bits, 16 for
//!   64; where more than [`VERBATIM`] come in a row `{"drawn": {"words", "sha256"}}`, the
//!   hash of their bytes in little-endian order.
//! - `{"asked": {"pictures", "sha256", "logits" or "labels"}}`: a query, the hash of its
//!   values (32-bit floats, little-endian, N x 3 x res x res) and the answer.
//! - `{"step": …}`: what the attack says it tries (Square: its windows and signs).
//! - `{"kept": true}`: whether the candidate just asked takes the place of the best.
//!
//! Played again, the attack draws from its keyed streams as ever and asks the tape in
//! the place of the model; a draw, a candidate or a decision that differs from the
//! tape's ends it with the first difference. What it proposes is judged by the model.
//!
//! As the ledger's, the reel in use belongs to the thread.

use super::result::AttackReport;
use super::threat::{Norm, Threat};
use super::{Attack, Proposal};
use crate::data::batch::Batch;
use crate::data::manifest::Label;
use crate::detector::evaluate::ModelInfo;
use crate::detector::oracle::OracleError;
use crate::random::{self, Key};
use crate::storage::{self, StorageError};
use rand::TryRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Words of a row of draws that are written out.
pub const VERBATIM: usize = 64;

/// The first line of a tape.
const FORMAT: &str = "dfrt tape 1";

thread_local! {
    static REEL: RefCell<Option<Reel>> = const { RefCell::new(None) };
}

/// Whose tape it is: what must be the same when it is played.
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
            params: attack.parameters(),
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

/// Why a tape cannot be written or played.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is a file already.
    #[error("{}: is there already; pass --resume to go on with it, --force to replace it, or choose another --tape", .0.display())]
    Occupied(PathBuf),
    /// Not a tape, or one with a broken line.
    #[error("{}: line {line} is not of a tape of this version: {reason}; record it again", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The tape of another attack.
    #[error("{}: is the tape of another attack: it has {difference}; give the options it was recorded with", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The first thing that differs.
        difference: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// Random words.
    Drawn(Drawn),
    /// A query.
    Asked(Asked),
    /// What the attack says it tries.
    Step(Value),
    /// Whether the candidate was kept.
    Kept(bool),
}

/// A row of random words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Drawn {
    /// All of them.
    Words(String),
    /// Too many to write out.
    Hash {
        /// How many.
        words: u64,
        /// Of their bytes.
        sha256: String,
    },
}

/// A query and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// How many pictures were asked about together.
    pub pictures: usize,
    /// Of their values.
    pub sha256: String,
    /// The answer of a scoring model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<Vec<Logit>>,
    /// The answer of a labelling model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<Option<Label>>>,
}

/// A logit to its last bit; those that are no finite numbers are words.
#[derive(Clone, Copy, Debug)]
pub struct Logit(pub f32);

impl PartialEq for Logit {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits() || self.0.is_nan() && other.0.is_nan()
    }
}

impl Serialize for Logit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // As an f64 every f32 comes back, whatever a reader does with the last digit.
        if self.0.is_finite() {
            to.serialize_f64(self.0.into())
        } else {
            to.serialize_str(&self.0.to_string())
        }
    }
}

impl<'de> Deserialize<'de> for Logit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Word(String),
        }
        match Form::deserialize(from)? {
            Form::Number(number) => Ok(Self(number as f32)),
            Form::Word(word) => word.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// A picture's line.
#[derive(Serialize, Deserialize)]
struct Picture {
    id: u64,
    events: Vec<Event>,
}

/// A tape being recorded or played.
#[derive(Debug)]
pub struct Tape {
    path: PathBuf,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Recording(Mutex<File>),
    Playing(HashMap<u64, Vec<Event>>),
}

impl Tape {
    /// Records to a new file at `path`; with `resume` goes on behind what an
    /// interrupted attack left there.
    ///
    /// # Errors
    /// The file is there already, is another attack's, or cannot be written.
    pub fn record(path: &Path, header: &Header, resume: bool) -> Result<Self, TapeError> {
        let mut text = line(header);
        if path.exists() {
            if !resume {
                return Err(TapeError::Occupied(path.to_owned()));
            }
            for picture in read(path, header)? {
                text.extend(line(&picture));
            }
        }
        // Written whole first, so that nothing is ever appended to a torn line.
        storage::write(path, &text)?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|source| StorageError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), mode: Mode::Recording(Mutex::new(file)) })
    }

    /// Plays the tape at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is another attack's.
    pub fn play(path: &Path, header: &Header) -> Result<Self, TapeError> {
        let pictures = read(path, header)?.into_iter().map(|picture| (picture.id, picture.events));
        Ok(Self { path: path.to_owned(), mode: Mode::Playing(pictures.collect()) })
    }

    /// The events of picture `id`, of a tape that is played.
    pub fn events(&self, id: u64) -> Option<&[Event]> {
        match &self.mode {
            Mode::Playing(pictures) => pictures.get(&id).map(Vec::as_slice),
            Mode::Recording(_) => None,
        }
    }

    /// Has `propose` attack picture `id` while the tape runs.
    ///
    /// # Errors
    /// Its own, a disk that is full, or a tape that says otherwise.
    pub(super) fn picture(
        &self,
        id: u64,
        propose: impl FnOnce() -> Result<Vec<Proposal>, OracleError>,
    ) -> Result<Vec<Proposal>, OracleError> {
        let expected = match &self.mode {
            Mode::Recording(_) => None,
            Mode::Playing(pictures) => Some(
                pictures
                    .get(&id)
                    .cloned()
                    .ok_or_else(|| self.failed(id, "the picture is not on the tape"))?,
            ),
        };
        let (proposals, reel) = run(Reel::new(expected), propose);
        let events = reel.ended().map_err(|fault| self.failed(id, &fault))?;
        let proposals = proposals?;
        if let Mode::Recording(file) = &self.mode {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let written = file.write_all(&line(&Picture { id, events })).and_then(|()| file.flush());
            written.map_err(|error| self.failed(id, &format!("it cannot be written: {error}")))?;
        }
        Ok(proposals)
    }

    fn failed(&self, id: u64, what: &str) -> OracleError {
        OracleError(format!("{}: picture {id}: {what}", self.path.display()))
    }
}

/// What is said about attacks that look at several pictures at once.
pub(super) fn together() -> OracleError {
    OracleError("a tape holds attacks by logits or labels, a picture at a time; leave out --tape".to_owned())
}

fn line(object: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(object).expect("numbers, words and lists of them");
    bytes.push(b'\n');
    bytes
}

/// The pictures of a tape; a torn last line is dropped.
fn read(path: &Path, header: &Header) -> Result<Vec<Picture>, TapeError> {
    let bytes = storage::read(path)?;
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    // What follows the last newline: nothing, or a line that was cut off.
    lines.pop();
    let garbled = |line: usize, reason: String| TapeError::Garbled { path: path.to_owned(), line, reason };
    let mut lines = lines.into_iter().enumerate();
    let (_, first) = lines.next().ok_or_else(|| garbled(1, "it is empty".to_owned()))?;
    let found: Header = serde_json::from_slice(first).map_err(|error| garbled(1, error.to_string()))?;
    if let Some(difference) = found.difference(header) {
        return Err(TapeError::Other { path: path.to_owned(), difference });
    }
    let picture = |(at, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| garbled(at + 1, error.to_string()))
    };
    lines.map(picture).collect()
}

/// One picture's events as they come, beside those of the tape that is played.
struct Reel {
    events: Vec<Event>,
    row: Row,
    expected: Option<Vec<Event>>,
    /// The first difference between the two.
    fault: Option<String>,
}

/// Words drawn one after the other.
#[derive(Default)]
struct Row {
    words: u64,
    digits: String,
    hash: Sha256,
}

impl Reel {
    fn new(expected: Option<Vec<Event>>) -> Self {
        Self { events: Vec::new(), row: Row::default(), expected, fault: None }
    }

    fn draw(&mut self, bytes: &[u8]) {
        self.row.words += 1;
        self.row.hash.update(bytes);
        if self.row.words <= VERBATIM as u64 {
            // As a number is written: the highest byte first.
            bytes.iter().rev().for_each(|byte| self.row.digits.push_str(&format!("{byte:02x}")));
        }
    }

    fn end_row(&mut self) {
        let Row { words, digits, hash } = std::mem::take(&mut self.row);
        if words == 0 {
            return;
        }
        let verbatim = words <= VERBATIM as u64;
        let drawn = if verbatim { Drawn::Words(digits) } else { Drawn::Hash { words, sha256: hex(hash) } };
        self.add(Event::Drawn(drawn));
    }

    fn push(&mut self, event: Event) {
        self.end_row();
        self.add(event);
    }

    fn add(&mut self, event: Event) {
        if let (Some(expected), None) = (&self.expected, &self.fault) {
            let at = self.events.len();
            let on_tape = expected.get(at);
            if on_tape != Some(&event) {
                self.fault = Some(difference(at, on_tape, &event));
            }
        }
        self.events.push(event);
    }

    /// The answer that the tape has for the query `asked`, whose own answer is open.
    fn answer(&mut self, asked: &Asked) -> Result<Option<Asked>, String> {
        self.end_row();
        let Some(expected) = &self.expected else { return Ok(None) };
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let at = self.events.len();
        match expected.get(at) {
            Some(Event::Asked(on_tape))
                if on_tape.sha256 == asked.sha256 && on_tape.pictures == asked.pictures =>
            {
                Ok(Some(on_tape.clone()))
            }
            other => {
                let fault = difference(at, other, &Event::Asked(asked.clone()));
                self.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }

    /// All events, or the first that differs from the tape's.
    fn ended(mut self) -> Result<Vec<Event>, String> {
        self.end_row();
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (found, expected) = (self.events.len(), self.expected.map(|events| events.len()));
        match expected {
            Some(expected) if expected != found => {
                Err(format!("ends after {found} events, the tape has {expected}"))
            }
            _ => Ok(self.events),
        }
    }
}

fn difference(at: usize, on_tape: Option<&Event>, found: &Event) -> String {
    let shown = |event: &Event| serde_json::to_string(event).unwrap_or_default();
    let on_tape = on_tape.map_or_else(|| "nothing more".to_owned(), shown);
    format!(
        "event {} is {} and on the tape {on_tape}; its pictures, or this version of the attack, are others",
        at + 1,
        shown(found)
    )
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs `work` with `reel` on this thread and gives both back.
fn run<T>(reel: Reel, work: impl FnOnce() -> T) -> (T, Reel) {
    /// Gives the outer reel back even where `work` panics.
    struct Outer(Option<Reel>);
    impl Drop for Outer {
        fn drop(&mut self) {
            REEL.set(self.0.take());
        }
    }
    let outer = Outer(REEL.replace(Some(reel)));
    let result = work();
    let reel = REEL.take().expect("whoever ran in between gave it back");
    drop(outer);
    (result, reel)
}

fn with_reel<T>(use_it: impl FnOnce(&mut Reel) -> T) -> Option<T> {
    REEL.with_borrow_mut(|reel| reel.as_mut().map(use_it))
}

/// The generator of the stream `parts` under `seed`; what it draws goes on the tape.
pub(super) fn draws(seed: u64, parts: &[Key<'_>]) -> Draws {
    Draws { generator: random::stream(seed, parts), taped: with_reel(|_| ()).is_some() }
}

/// The draws of an attack.
pub(super) struct Draws {
    generator: ChaCha8Rng,
    taped: bool,
}

impl Draws {
    fn noted(&self, bytes: &[u8]) {
        if self.taped {
            with_reel(|reel| reel.draw(bytes));
        }
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let word = self.generator.try_next_u32()?;
        self.noted(&word.to_le_bytes());
        Ok(word)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let word = self.generator.try_next_u64()?;
        self.noted(&word.to_le_bytes());
        Ok(word)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.generator.try_fill_bytes(bytes)?;
        self.noted(bytes);
        Ok(())
    }
}

/// Puts on the tape whether a candidate was kept.
pub(super) fn kept(kept: bool) -> bool {
    with_reel(|reel| reel.push(Event::Kept(kept)));
    kept
}

/// Puts on the tape what is tried next; `step` is not made where no tape runs.
pub(super) fn step(step: impl FnOnce() -> Value) {
    with_reel(|reel| reel.push(Event::Step(step())));
}

/// The logits of `batch`: the tape's, or else those that `ask` gives, which go on it.
pub(super) fn logits(
    batch: &Batch,
    ask: impl FnOnce() -> Result<Vec<f32>, OracleError>,
) -> Result<Vec<f32>, OracleError> {
    let on_tape = |asked: &Asked| asked.logits.as_ref().map(|all| all.iter().map(|one| one.0).collect());
    answered(batch, ask, on_tape, |asked, logits: &Vec<f32>| {
        asked.logits = Some(logits.iter().copied().map(Logit).collect());
    })
}

/// The labels of `batch`, likewise.
pub(super) fn labels(
    batch: &Batch,
    ask: impl FnOnce() -> Result<Vec<Option<Label>>, OracleError>,
) -> Result<Vec<Option<Label>>, OracleError> {
    answered(
        batch,
        ask,
        |asked| asked.labels.clone(),
        |asked, labels: &Vec<_>| {
            asked.labels = Some(labels.clone());
        },
    )
}

fn answered<T>(
    batch: &Batch,
    ask: impl FnOnce() -> Result<T, OracleError>,
    on_tape: impl FnOnce(&Asked) -> Option<T>,
    write: impl FnOnce(&mut Asked, &T),
) -> Result<T, OracleError> {
    if with_reel(|_| ()).is_none() {
        return ask();
    }
    let mut asked = Asked { pictures: batch.len(), sha256: hash(batch), logits: None, labels: None };
    let known = with_reel(|reel| reel.answer(&asked)).unwrap_or(Ok(None)).map_err(OracleError)?;
    let answer = match known.and_then(|known| on_tape(&known)) {
        Some(answer) => answer,
        // The model may have this thread do another picture's work: no borrow is held.
        None => ask()?,
    };
    write(&mut asked, &answer);
    with_reel(|reel| reel.push(Event::Asked(asked)));
    Ok(answer)
}

fn hash(batch: &Batch) -> String {
    let mut hash = Sha256::new();
    for values in batch.values.chunks(4096) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hex(hash)
}
