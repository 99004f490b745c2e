//! The record of one picture's search: its random draws, questions, answers and decisions
//! in their order, and their comparison with those of an earlier run.

use crate::data::batch::Batch;
use crate::sample::Label;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Words of a row of draws that are written out.
pub const VERBATIM: usize = 64;

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
#[serde(try_from = "Line", into = "Line")]
pub struct Asked {
    /// What was asked.
    pub question: Question,
    /// What the model answered, as much as there are pictures.
    pub answer: Answer,
}

/// The pictures of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// How many were asked about together.
    pub pictures: usize,
    /// Of their values.
    pub sha256: String,
}

/// What a model answers, a picture each.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of a scoring model.
    Logits(Vec<Logit>),
    /// Of a labelling model; none where it gave no number.
    Labels(Vec<Option<Label>>),
}

impl Answer {
    /// The logits; none where labels were answered.
    pub(super) fn logits(&self) -> Option<Vec<f32>> {
        match self {
            Self::Logits(logits) => Some(logits.iter().map(|logit| logit.0).collect()),
            Self::Labels(_) => None,
        }
    }

    /// The labels; none where logits were answered.
    pub(super) fn labels(&self) -> Option<Vec<Option<Label>>> {
        match self {
            Self::Labels(labels) => Some(labels.clone()),
            Self::Logits(_) => None,
        }
    }
}

/// A query as a trace has it: with `logits` or `labels`.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    question: Question,
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<Logit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Option<Label>>>,
}

impl TryFrom<Line> for Asked {
    type Error = String;

    fn try_from(Line { question, logits, labels }: Line) -> Result<Self, String> {
        let (count, answer) = match (logits, labels) {
            (Some(logits), None) => (logits.len(), Answer::Logits(logits)),
            (None, Some(labels)) => (labels.len(), Answer::Labels(labels)),
            (None, None) => return Err("a query without an answer".to_owned()),
            (Some(_), Some(_)) => return Err("a query with two answers".to_owned()),
        };
        if count != question.pictures {
            return Err(format!("a query of {} pictures with {count} answers", question.pictures));
        }
        Ok(Self { question, answer })
    }
}

impl From<Asked> for Line {
    fn from(Asked { question, answer }: Asked) -> Self {
        let (logits, labels) = match answer {
            Answer::Logits(logits) => (Some(logits), None),
            Answer::Labels(labels) => (None, Some(labels)),
        };
        Self { question, logits, labels }
    }
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

/// One picture's events as they come, beside those of the trace that is played.
pub(super) struct Recorder {
    events: Vec<Event>,
    row: Row,
    expected: Option<Vec<Event>>,
    /// The first difference between the two.
    fault: Option<String>,
    /// The query whose answer is open.
    open: Option<Question>,
}

/// Words drawn one after the other.
#[derive(Default)]
struct Row {
    words: u64,
    digits: String,
    hash: Sha256,
}

impl Recorder {
    /// Records; with `expected` it compares with the events of a trace that is played.
    pub fn new(expected: Option<Vec<Event>>) -> Self {
        Self { events: Vec::new(), row: Row::default(), expected, fault: None, open: None }
    }

    /// Notes that the pictures of `batch` are asked about; where a trace is played gives its
    /// answer, of which `read` takes the kind that the attack asks for.
    ///
    /// # Errors
    /// The trace has something else at this place.
    pub fn ask<T>(
        &mut self,
        batch: &Batch,
        read: impl FnOnce(&Answer) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let question = Question { pictures: batch.len(), sha256: hash(batch) };
        let known = self.known(&question, read);
        self.open = Some(question);
        known
    }

    /// Notes the answer of a scoring model.
    pub fn logits(&mut self, logits: &[f32]) {
        self.answered(Answer::Logits(logits.iter().copied().map(Logit).collect()));
    }

    /// Notes the answer of a labelling model.
    pub fn labels(&mut self, labels: &[Option<Label>]) {
        self.answered(Answer::Labels(labels.to_vec()));
    }

    fn answered(&mut self, answer: Answer) {
        if let Some(question) = self.open.take() {
            self.push(Event::Asked(Asked { question, answer }));
        }
    }

    /// Notes whether a candidate was kept.
    pub fn kept(&mut self, kept: bool) {
        self.push(Event::Kept(kept));
    }

    /// Notes what is tried next.
    pub fn step(&mut self, step: Value) {
        self.push(Event::Step(step));
    }

    /// Notes a word of random bits, its bytes in little-endian order.
    pub fn draw(&mut self, bytes: &[u8]) {
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
            let on_trace = expected.get(at);
            if on_trace != Some(&event) {
                self.fault = Some(difference(at, on_trace, &shown(&event)));
            }
        }
        self.events.push(event);
    }

    /// What `read` takes from the answer that the trace has for `question`.
    fn known<T>(
        &mut self,
        question: &Question,
        read: impl FnOnce(&Answer) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.end_row();
        let Some(expected) = &self.expected else { return Ok(None) };
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let at = self.events.len();
        let known = match expected.get(at) {
            Some(Event::Asked(on_trace)) if on_trace.question == *question => {
                read(&on_trace.answer).ok_or_else(|| {
                    format!(
                        "event {} of the trace is an answer of another kind (logits or labels) than the attack \
                        asks for; record it again",
                        at + 1
                    )
                })
            }
            other => {
                let found = serde_json::to_string(question).unwrap_or_default();
                Err(difference(at, other, &format!("{{\"asked\":{found}}}")))
            }
        };
        self.fault = known.as_ref().err().cloned();
        known.map(Some)
    }

    /// All events, or the first that differs from the trace's.
    ///
    /// # Errors
    /// The difference.
    pub fn ended(mut self) -> Result<Vec<Event>, String> {
        self.end_row();
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (found, expected) = (self.events.len(), self.expected.map(|events| events.len()));
        match expected {
            Some(expected) if expected != found => {
                Err(format!("ends after {found} events, the trace has {expected}"))
            }
            _ => Ok(self.events),
        }
    }
}

fn shown(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn difference(at: usize, on_trace: Option<&Event>, found: &str) -> String {
    let on_trace = on_trace.map_or_else(|| "nothing more".to_owned(), shown);
    format!(
        "event {} is {found} and on the trace {on_trace}; its pictures, or this version of the attack, are others",
        at + 1
    )
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(batch: &Batch) -> String {
    let mut hash = Sha256::new();
    for values in batch.values.chunks(4096) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hex(hash)
}
