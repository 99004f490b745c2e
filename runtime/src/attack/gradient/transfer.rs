//! Transfer: crafted on a surrogate, judged on another model.

use crate::attack::result::Gate;
use crate::attack::{Attack, Proposal, Target};
use crate::detector::oracle::OracleError;
use serde_json::{Map, Value, json};

/// The name of every transfer.
pub const NAME: &str = "transfer";

/// An attack on a surrogate, whose proposals a judge puts to another model. Queries,
/// gradients and whether answers differed are those of the surrogate; the model that is
/// judged sees none before the verdict.
///
/// An attack that stops at the threshold transfers badly: give it settings that take
/// every step (`stop_early: false`) or a confidence.
pub struct Transfer<'a> {
    crafting: Box<dyn Attack + 'a>,
    surrogate: String,
}

impl<'a> Transfer<'a> {
    /// `crafting` holds the surrogate, which the record names `surrogate` (its file,
    /// or its file's hash).
    pub fn new(crafting: Box<dyn Attack + 'a>, surrogate: impl Into<String>) -> Self {
        Self { crafting, surrogate: surrogate.into() }
    }
}

impl Attack for Transfer<'_> {
    fn name(&self) -> &str {
        NAME
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        parameters.insert("surrogate".to_owned(), json!(self.surrogate));
        parameters.insert("crafted_by".to_owned(), json!(self.crafting.name()));
        parameters.extend(self.crafting.parameters());
        parameters
    }

    fn batch(&self) -> usize {
        self.crafting.batch()
    }

    fn checks(&self, targets: &[Target]) -> Result<Vec<Gate>, OracleError> {
        self.crafting.checks(targets)
    }

    fn propose(&self, targets: &[Target]) -> Result<Vec<Proposal>, OracleError> {
        self.crafting.propose(targets)
    }
}
