//! One picture's questions to the model: what a search may see of it, its budget, the count
//! of what was asked and what came back, and the record of it all.
//!
//! The judge makes a [`Query`] a picture, and an attack asks through a [`Handle`] on it,
//! whose type says whether logits or labels come back. There is no other way to the model, so
//! that the count is the judge's own and a handle's budget cannot be overrun.

use super::recorder::{Answer, Recorder};
use super::{Target, margin, planes};
use crate::data::batch::Batch;
use crate::detector::oracle::{DecisionOracle, Decisions, Oracle, OracleError};
use crate::random::{self, Key};
use crate::sample::Label;
use crate::sample::is_right;
use crate::threat::Threat;
use rand::TryRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::cell::RefCell;
use std::convert::Infallible;
use std::marker::PhantomData;

/// Pictures asked in one call, so that a large round of probes does not lie in
/// memory at once for every thread.
pub(super) const TOGETHER: usize = 16;

/// The answers to a search, as far as it matters whether they ever differed: to the bit,
/// since a saturated probability and a label repeat exactly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    first: Option<u64>,
    count: u64,
    differed: bool,
}

impl Answers {
    /// Takes in an answer by its bits.
    pub fn take(&mut self, bits: u64) {
        self.count += 1;
        self.differed |= *self.first.get_or_insert(bits) != bits;
    }

    /// Whether they were all the same; none where there were not several to compare.
    pub fn never_differed(&self) -> Option<bool> {
        (self.count > 1).then_some(!self.differed)
    }
}

/// Whether two sets of answers never differed, each within itself; what was not measured
/// says nothing.
pub fn together(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    }
}

/// Why a search ends before its rule does: it travels through `?`, so that no
/// search has to look at its budget.
#[derive(Debug)]
pub enum Stop {
    /// Found, or nothing left to ask with.
    Over,
    /// The model failed.
    Failed(OracleError),
}

impl From<OracleError> for Stop {
    fn from(error: OracleError) -> Self {
        Self::Failed(error)
    }
}

/// A picture under attack, and the model that may be asked about it.
pub struct Query<'a> {
    target: &'a Target,
    oracle: &'a dyn Oracle,
    threshold: f32,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    spent: u64,
    answers: Answers,
    recorder: Option<Recorder>,
}

impl<'a> Query<'a> {
    /// Asks `oracle`, whose logit above `threshold` says fake, about `target`.
    pub fn new(target: &'a Target, oracle: &'a dyn Oracle, threshold: f32) -> Self {
        Self { target, oracle, threshold, state: RefCell::default() }
    }

    /// The query, which from now on records every draw, question and decision.
    pub(super) fn recorded(self, recorder: Recorder) -> Self {
        self.state.borrow_mut().recorder = Some(recorder);
        self
    }

    /// The picture.
    pub fn target(&self) -> &'a Target {
        self.target
    }

    /// A handle for a search by logits within `threat` that may ask `budget` times; what other
    /// handles on this picture asked counts.
    pub fn by_logits(&self, threat: Threat, budget: u64) -> Handle<'_, Logits> {
        Handle::new(self, threat, budget)
    }

    /// A handle through which a search by labels asks.
    pub fn by_labels(&self, threat: Threat, budget: u64) -> Handle<'_, Labels> {
        Handle::new(self, threat, budget)
    }

    /// Logits and labels asked for.
    pub fn spent(&self) -> u64 {
        self.state.borrow().spent
    }

    /// Whether the answers were all the same; none where there were fewer than two.
    pub fn never_differed(&self) -> Option<bool> {
        self.state.borrow().answers.never_differed()
    }

    /// The record, which ends here.
    pub(super) fn into_recorder(self) -> Option<Recorder> {
        self.state.into_inner().recorder
    }

    fn record<T>(&self, use_it: impl FnOnce(&mut Recorder) -> T) -> Option<T> {
        self.state.borrow_mut().recorder.as_mut().map(use_it)
    }

    /// Takes in answers by their bits.
    fn take(&self, bits: impl Iterator<Item = u64>) {
        let mut state = self.state.borrow_mut();
        bits.for_each(|bits| state.answers.take(bits));
    }
}

/// Of a handle that gives logits.
#[derive(Clone, Copy, Debug)]
pub enum Logits {}

/// Of a handle that gives labels alone.
#[derive(Clone, Copy, Debug)]
pub enum Labels {}

/// A search's handle on a [`Query`].
pub struct Handle<'a, Kind> {
    query: &'a Query<'a>,
    /// The norm and radius.
    pub threat: Threat,
    /// The clean picture, 3 x res x res.
    pub clean: Vec<f32>,
    budget: u64,
    kind: PhantomData<Kind>,
}

impl<'a, Kind> Handle<'a, Kind> {
    fn new(query: &'a Query<'a>, threat: Threat, budget: u64) -> Self {
        Self { query, threat, clean: planes(&query.target.picture), budget, kind: PhantomData }
    }

    /// The picture.
    pub fn target(&self) -> &'a Target {
        self.query.target
    }

    /// Whether there is nothing to try (no radius) or nothing to ask with.
    pub fn idle(&self) -> bool {
        self.threat.eps_255 <= 0.0 || self.budget == 0
    }

    /// Queries left.
    pub fn left(&self) -> u64 {
        self.budget.saturating_sub(self.spent())
    }

    /// Queries made.
    pub fn spent(&self) -> u64 {
        self.query.spent()
    }

    /// The 8-bit picture within the ball that stands for `values`, as values.
    pub fn rounded(&self, values: &[f32]) -> Vec<f32> {
        planes(&self.threat.round(&self.target().picture, values))
    }

    /// The generator of the stream `parts` under `seed`; what it draws is recorded.
    pub fn draws(&self, seed: u64, parts: &[Key<'_>]) -> Draws<'a> {
        let recorded = self.query.record(|_| ()).is_some();
        Draws { generator: random::stream(seed, parts), query: recorded.then_some(self.query) }
    }

    /// Records whether a candidate was kept.
    pub fn kept(&self, kept: bool) -> bool {
        self.query.record(|recorder| recorder.kept(kept));
        kept
    }

    /// Records what is tried next; `step` is not made where nothing is recorded.
    pub fn step(&self, step: impl FnOnce() -> Value) {
        self.query.record(|recorder| recorder.step(step()));
    }

    /// Pays for `values` (N x 3 x res x res) and makes a batch of them; over
    /// where the budget does not hold N more.
    fn charge(&self, values: Vec<f32>) -> Result<Batch, Stop> {
        let batch = Batch { res: self.target().picture.width() as usize, values };
        let pictures = batch.len() as u64;
        if pictures > self.left() {
            return Err(Stop::Over);
        }
        self.query.state.borrow_mut().spent += pictures;
        Ok(batch)
    }
}

impl Handle<'_, Logits> {
    /// The logits of `values`, N x 3 x res x res.
    ///
    /// # Errors
    /// The budget does not hold N more queries, or the model fails.
    pub fn logits(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Stop> {
        let batch = self.charge(values)?;
        let known = self.query.record(|recorder| recorder.ask(&batch, Answer::logits)).transpose();
        let logits = match known.map_err(OracleError)?.flatten() {
            Some(logits) => logits,
            // The model may have this thread do another picture's work: nothing is borrowed.
            None => self.query.oracle.logits(&batch)?,
        };
        self.query.record(|recorder| recorder.logits(&logits));
        self.query.take(logits.iter().map(|logit| u64::from(logit.to_bits())));
        Ok(logits)
    }

    /// How far a logit lies on the right side of the threshold; infinite for one that is no
    /// finite number: never an improvement.
    pub fn margin(&self, logit: f32) -> f32 {
        if !logit.is_finite() {
            return f32::INFINITY;
        }
        margin(logit, self.target().label, self.query.threshold)
    }

    /// Whether a logit is one of the other class.
    pub fn crosses(&self, logit: f32) -> bool {
        logit.is_finite() && !is_right(logit, self.target().label, self.query.threshold)
    }
}

impl Handle<'_, Labels> {
    /// The labels of `values`, N x 3 x res x res; none where the model gives no number.
    ///
    /// # Errors
    /// The budget does not hold N more queries, or the model fails.
    pub fn labels(&mut self, values: Vec<f32>) -> Result<Vec<Option<Label>>, Stop> {
        let batch = self.charge(values)?;
        let known = self.query.record(|recorder| recorder.ask(&batch, Answer::labels)).transpose();
        let labels = match known.map_err(OracleError)?.flatten() {
            Some(labels) => labels,
            None => Decisions::new(self.query.oracle, self.query.threshold).decisions(&batch)?,
        };
        self.query.record(|recorder| recorder.labels(&labels));
        let bits = |label: &Option<Label>| label.map_or(2, |label| u64::from(label == Label::Fake));
        self.query.take(labels.iter().map(bits));
        Ok(labels)
    }
}

/// The draws of an attack.
pub struct Draws<'a> {
    generator: ChaCha8Rng,
    /// Where they are recorded.
    query: Option<&'a Query<'a>>,
}

impl Draws<'_> {
    fn noted(&self, bytes: &[u8]) {
        if let Some(query) = self.query {
            query.record(|recorder| recorder.draw(bytes));
        }
    }
}

impl TryRng for Draws<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threat::Norm;
    use image::RgbImage;

    /// Says the first value of a picture.
    struct Bright;
    impl Oracle for Bright {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            Ok((0..batch.len()).map(|place| batch.picture(place)[0]).collect())
        }
        fn res(&self) -> usize {
            1
        }
    }

    fn target() -> Target {
        Target { id: 0, label: Label::Fake, picture: RgbImage::new(1, 1) }
    }

    fn threat() -> Threat {
        Threat::new(Norm::Linf, 8.0).unwrap()
    }

    #[test]
    fn the_budget_is_hard_and_a_refused_question_is_not_charged() {
        let target = target();
        let query = Query::new(&target, &Bright, 0.5);
        let mut handle = query.by_logits(threat(), 3);
        assert_eq!(handle.logits(vec![1.0; 6]).unwrap(), [1.0, 1.0]);
        assert!(matches!(handle.logits(vec![0.0; 6]), Err(Stop::Over)));
        assert_eq!((handle.left(), query.spent()), (1, 2));
        handle.logits(vec![0.0; 3]).unwrap();
        assert_eq!((handle.left(), query.never_differed()), (0, Some(false)));
        assert!(query.by_logits(threat(), 0).idle());
    }

    #[test]
    fn labels_are_those_of_the_threshold_and_logits_stay_out_of_reach() {
        let target = target();
        let query = Query::new(&target, &Bright, 0.5);
        let mut handle = query.by_labels(threat(), 10);
        let labels = handle.labels([vec![0.9; 3], vec![0.7; 3], vec![f32::NAN; 3]].concat()).unwrap();
        assert_eq!(labels, [Some(Label::Fake), Some(Label::Fake), None]);
        assert_eq!((query.spent(), query.never_differed()), (3, Some(false)));
        let alike = Query::new(&target, &Bright, 0.5);
        alike.by_labels(threat(), 9).labels(vec![0.9; 3]).unwrap();
        assert_eq!(alike.never_differed(), None, "one answer says nothing");
        alike.by_labels(threat(), 9).labels(vec![0.6; 3]).unwrap();
        assert_eq!(alike.never_differed(), Some(true));
    }

    #[test]
    fn what_was_not_measured_says_nothing() {
        assert_eq!(together(Some(true), None), Some(true));
        assert_eq!(together(Some(true), Some(false)), Some(false));
        assert_eq!(together(None, None), None);
    }
}
