//! Attacks that see scores: they lower the margin of the true class, and know
//! nothing of the model but its logits.
//!
//! They search in floats, as published. A candidate that crosses is asked again
//! as the 8-bit pictures that the judge may make of it, and the search goes on
//! where rounding undoes them all.

mod estimate;
pub mod nes;
pub mod sign_hunter;
pub mod simba;
pub mod spsa;

use super::inquiry::{Inquiry, Stop, TOGETHER};
use super::ledger::Counted;
use super::threat::Threat;
use super::{Proposal, Target, is_right, margin, planes, tape};
use crate::detector::oracle::{Oracle, OracleError};

/// A scoring model, the ball around each picture, and the budget of each.
struct Field<'a> {
    oracle: Counted<'a, dyn Oracle + 'a>,
    threat: Threat,
    threshold: f32,
    queries: u64,
}

impl<'a> Field<'a> {
    fn new(oracle: &'a dyn Oracle, threat: Threat, threshold: f32, queries: u64) -> Self {
        Self { oracle: Counted::new(oracle, Some(queries)), threat, threshold, queries }
    }

    /// What `search` found for each target. It ends by itself, with its budget,
    /// or with a success.
    fn propose(
        &self,
        targets: &[Target],
        search: impl Fn(&mut Search<'_>) -> Result<(), Stop>,
    ) -> Result<Vec<Proposal>, OracleError> {
        let propose = |target| {
            let mut state = Search::new(self, target);
            if !state.inquiry.idle()
                && let Err(Stop::Failed(error)) = search(&mut state)
            {
                return Err(error);
            }
            let queries = state.inquiry.spent();
            Ok(Proposal { values: state.best, queries, ..Proposal::default() })
        };
        targets.iter().map(propose).collect()
    }
}

/// One picture's search and the best candidate so far.
struct Search<'a> {
    inquiry: Inquiry<'a, dyn Oracle + 'a>,
    threshold: f32,
    best: Vec<f32>,
    margin: f32,
}

impl<'a> Search<'a> {
    fn new(field: &'a Field<'a>, target: &'a Target) -> Self {
        let inquiry = Inquiry::new(&field.oracle, target, field.threat, field.queries);
        Self { best: inquiry.clean.clone(), inquiry, threshold: field.threshold, margin: f32::INFINITY }
    }

    fn id(&self) -> u64 {
        self.inquiry.target.id
    }

    fn clean(&self) -> &[f32] {
        &self.inquiry.clean
    }

    fn best(&self) -> &[f32] {
        &self.best
    }

    /// Moves `values` into the ball and into \[0, 1\].
    fn clip(&self, values: &mut [f32]) {
        self.inquiry.threat.clip(&self.inquiry.clean, values);
    }

    fn ask(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Stop> {
        let batch = self.inquiry.charge(values)?;
        Ok(self.inquiry.oracle.logits(&batch)?)
    }

    /// Infinite for a logit that is no finite number: never an improvement.
    fn margin_of(&self, logit: f32) -> f32 {
        if !logit.is_finite() {
            return f32::INFINITY;
        }
        margin(logit, self.inquiry.target.label, self.threshold)
    }

    fn crosses(&self, logit: f32) -> bool {
        logit.is_finite() && !is_right(logit, self.inquiry.target.label, self.threshold)
    }

    /// The margins of up to [`TOGETHER`] pictures that need not lie in the ball.
    fn probe(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Stop> {
        let logits = self.ask(values)?;
        Ok(logits.into_iter().map(|logit| self.margin_of(logit)).collect())
    }

    /// Asks for a candidate within the ball and keeps it where it is the best
    /// so far: then true. Over once an 8-bit picture crosses.
    fn offer(&mut self, candidate: &[f32]) -> Result<bool, Stop> {
        let logit = self.ask(candidate.to_vec())?[0];
        let margin = self.margin_of(logit);
        if !tape::kept(margin < self.margin) {
            return Ok(false);
        }
        self.margin = margin;
        self.best = candidate.to_vec();
        if self.crosses(logit)
            && let Some(survivor) = self.survivor()?
        {
            self.best = survivor;
            return Err(Stop::Over);
        }
        Ok(true)
    }

    /// The first 8-bit picture that stands for the best candidate, which crosses, and
    /// crosses too; free where the candidate is one, a query each else.
    fn survivor(&mut self) -> Result<Option<Vec<f32>>, Stop> {
        let (threat, clean) = (self.inquiry.threat, &self.inquiry.target.picture);
        let plain = threat.round(clean, &self.best);
        let rounded = planes(&plain);
        if rounded == self.best || self.crosses_at(&rounded)? {
            return Ok(Some(rounded));
        }
        for other in threat.other_roundings(clean, &self.best, &plain) {
            let other = planes(&other);
            if self.crosses_at(&other)? {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    fn crosses_at(&mut self, values: &[f32]) -> Result<bool, Stop> {
        let logit = self.ask(values.to_vec())?[0];
        Ok(self.crosses(logit))
    }
}
