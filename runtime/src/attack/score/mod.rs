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

use super::query::{Handle, Logits, Query, Stop, TOGETHER};
use super::{Proposal, planes};
use crate::detector::oracle::OracleError;
use crate::threat::Threat;

/// What `search` finds for each picture, within `threat` and with `budget` queries. It ends by
/// itself, with its budget, or with a success.
fn propose(
    queries: &[Query<'_>],
    threat: Threat,
    budget: u64,
    search: impl Fn(&mut Search<'_>) -> Result<(), Stop>,
) -> Result<Vec<Proposal>, OracleError> {
    let propose = |query: &Query<'_>| {
        let mut state = Search::new(query.by_logits(threat, budget));
        if !state.query.idle()
            && let Err(Stop::Failed(error)) = search(&mut state)
        {
            return Err(error);
        }
        Ok(Proposal { values: state.best, ..Proposal::default() })
    };
    queries.iter().map(propose).collect()
}

/// One picture's search and the best candidate so far.
struct Search<'a> {
    query: Handle<'a, Logits>,
    best: Vec<f32>,
    margin: f32,
}

impl<'a> Search<'a> {
    fn new(query: Handle<'a, Logits>) -> Self {
        Self { best: query.clean.clone(), query, margin: f32::INFINITY }
    }

    fn id(&self) -> u64 {
        self.query.target().id
    }

    fn clean(&self) -> &[f32] {
        &self.query.clean
    }

    fn best(&self) -> &[f32] {
        &self.best
    }

    /// Moves `values` into the ball and into \[0, 1\].
    fn clip(&self, values: &mut [f32]) {
        self.query.threat.clip(&self.query.clean, values);
    }

    /// The margins of up to [`TOGETHER`] pictures that need not lie in the ball.
    fn probe(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Stop> {
        let logits = self.query.logits(values)?;
        Ok(logits.into_iter().map(|logit| self.query.margin(logit)).collect())
    }

    /// Asks for a candidate within the ball and keeps it where it is the best
    /// so far: then true. Over once an 8-bit picture crosses.
    fn offer(&mut self, candidate: &[f32]) -> Result<bool, Stop> {
        let logit = self.query.logits(candidate.to_vec())?[0];
        let margin = self.query.margin(logit);
        if !self.query.kept(margin < self.margin) {
            return Ok(false);
        }
        self.margin = margin;
        self.best = candidate.to_vec();
        if self.query.crosses(logit)
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
        let (threat, clean) = (self.query.threat, &self.query.target().picture);
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
        let logit = self.query.logits(values.to_vec())?[0];
        Ok(self.query.crosses(logit))
    }
}
