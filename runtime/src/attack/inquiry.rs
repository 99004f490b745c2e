//! One picture's questions to a model under a budget. What a search may ask,
//! scores or labels, is told by the oracle's type; the counting is the same.

use super::ledger::Counted;
use super::threat::Threat;
use super::{Target, planes};
use crate::data::batch::Batch;
use crate::detector::oracle::OracleError;

/// Pictures asked in one call, so that a large round of probes does not lie in
/// memory at once for every thread.
pub(super) const TOGETHER: usize = 16;

/// Why a search ends before its rule does: it travels through `?`, so that no
/// search has to look at its budget.
#[derive(Debug)]
pub(super) enum Stop {
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

/// The picture in hand and what it has cost.
pub(super) struct Inquiry<'a, O: ?Sized> {
    pub oracle: &'a Counted<'a, O>,
    pub target: &'a Target,
    pub threat: Threat,
    /// The clean picture, 3 x res x res.
    pub clean: Vec<f32>,
    budget: u64,
    spent: u64,
}

impl<'a, O: ?Sized> Inquiry<'a, O> {
    /// Asks `oracle` about `target` at most `budget` times.
    pub fn new(oracle: &'a Counted<'a, O>, target: &'a Target, threat: Threat, budget: u64) -> Self {
        Self { oracle, target, threat, clean: planes(&target.picture), budget, spent: 0 }
    }

    /// Whether there is nothing to try (no radius) or nothing to ask with.
    pub fn idle(&self) -> bool {
        self.threat.eps_255 <= 0.0 || self.budget == 0
    }

    /// Queries left.
    pub fn left(&self) -> u64 {
        self.budget - self.spent
    }

    /// Queries made.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Pays for `values` (N x 3 x res x res) and makes a batch of them; over
    /// where the budget does not hold N more.
    pub fn charge(&mut self, values: Vec<f32>) -> Result<Batch, Stop> {
        let batch = Batch { res: self.target.picture.width() as usize, values };
        let pictures = batch.len() as u64;
        if pictures > self.left() {
            return Err(Stop::Over);
        }
        self.spent += pictures;
        Ok(batch)
    }

    /// The 8-bit picture within the ball that stands for `values`, as values.
    pub fn rounded(&self, values: &[f32]) -> Vec<f32> {
        planes(&self.threat.round(&self.target.picture, values))
    }
}
