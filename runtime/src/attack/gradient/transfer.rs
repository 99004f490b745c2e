//! Transfer: crafted on a surrogate, judged on another model.

use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, Target};
use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use crate::results::attack::Gate;
use crate::threat::{Norm, Threat};
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

    fn parameters(&self, threat: Threat) -> Map<String, Value> {
        let mut parameters = Map::new();
        parameters.insert("surrogate".to_owned(), json!(self.surrogate));
        parameters.insert("crafted_by".to_owned(), json!(self.crafting.name()));
        parameters.extend(self.crafting.parameters(threat));
        parameters
    }

    fn norms(&self) -> &'static [Norm] {
        self.crafting.norms()
    }

    fn batch(&self) -> usize {
        self.crafting.batch()
    }

    fn checks(&self, targets: &[Target], threat: Threat) -> Result<Vec<Gate>, OracleError> {
        self.crafting.checks(targets, threat)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        // A search that asked through the judge's queries would ask the model under attack.
        let own: Vec<_> = queries.iter().map(|query| Query::new(query.target(), &NoModel, 0.0)).collect();
        self.crafting.propose(&own, threat)
    }
}

/// In the place of the model under attack.
struct NoModel;

impl Oracle for NoModel {
    fn logits(&self, _: &Batch) -> Result<Vec<f32>, OracleError> {
        Err(OracleError(
            "a transfer asks its surrogate alone; craft it with an attack by gradients".to_owned(),
        ))
    }

    fn res(&self) -> usize {
        0
    }
}
