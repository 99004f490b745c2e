//! Attacks propose, the judge decides. See [`Attack`] for the contract.

pub mod bench;
pub mod between;
mod bisection;
pub mod case;
pub mod catalog;
pub mod decision;
pub mod gates;
pub mod gradient;
pub mod judge;
pub mod networks;
pub mod query;
pub mod random_noise;
mod recorder;
pub mod resumption;
mod rounding;
pub mod schedule;
pub mod score;
pub mod square;
pub mod suite;
mod summary;
pub mod sweep;
mod target;
pub mod trace;
pub mod transferred;
pub mod trial;
pub mod verify;

pub use self::target::Target;

use self::query::Query;
use self::target::{margin, planes};
use crate::detector::oracle::OracleError;
use crate::names::named;
use crate::results::attack::{Gate, GradientCount};
use crate::threat::{Norm, Threat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an attack returns for one target: pixels that it believes adversarial
/// (the judge clips, rounds and asks again), and what it spent.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// 3 x res x res, any finite values; the judge clips them to the threat model.
    pub values: Vec<f32>,
    /// Forward and gradient evaluations on a device of the attack's own; what it asked
    /// through its [`Query`] is counted there.
    pub queries: u64,
    /// How many of them had been spent when the 8-bit picture that is proposed was found to
    /// cross, of a search that goes on after it; none where the search ends with it, or
    /// knows of none.
    pub queries_to_success: Option<u64>,
    /// How healthy the gradients were; all zero for an attack that uses none.
    pub gradients: GradientCount,
    /// The length of the shortest change that crossed, in floats and whatever the radius,
    /// in the norm that [`Attack::measures`] names; none where no change did.
    pub distance: Option<f64>,
    /// Whether the losses and logits that the search saw were all the same; none where it
    /// saw fewer than two, or does not look. Of an attack without gradients the [`Query`]
    /// knows.
    pub never_differed: Option<bool>,
}

/// What an attack that looks for the shortest change over the threshold is after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// The first 8-bit picture within the ball that crosses ends the search, as is
    /// enough for a robust accuracy.
    #[default]
    Inside,
    /// The search goes on to its end for the shortest change that crosses in floats, for
    /// its length. What is proposed is the first 8-bit picture within the ball all the
    /// same, where there is one.
    Nearest,
}

named!(Goal, "goal", [Nearest = "nearest", Inside = "inside"]);

impl Goal {
    /// The norm of the distances that a search after it measures within `threat`; none where
    /// it measures none, or has no radius to begin with.
    fn measures(self, threat: Threat) -> Option<Norm> {
        (self == Self::Nearest && threat.eps_255 > 0.0).then_some(threat.norm)
    }
}

/// Both norms, of an attack that searches the balls of either.
pub const BOTH_NORMS: &[Norm] = &[Norm::Linf, Norm::L2];

/// An attack. One object serves any number of radii.
pub trait Attack: Sync {
    /// Its name at the command line: "square", "pgd", …
    fn name(&self) -> &str;

    /// The norms whose balls it searches.
    fn norms(&self) -> &'static [Norm] {
        BOTH_NORMS
    }

    /// Its parameters within `threat`, for the record.
    fn parameters(&self, threat: Threat) -> Map<String, Value>;

    /// The norm of the distances that it measures within `threat` ([`Proposal::distance`]);
    /// none where it measures none.
    fn measures(&self, _threat: Threat) -> Option<Norm> {
        None
    }

    /// How many targets it wants at once (1 for attacks that run a picture a thread).
    fn batch(&self) -> usize {
        1
    }

    /// What it finds out about the model on a few targets before it begins, to be put
    /// beside the judge's own checks; costs no query of the attack.
    ///
    /// # Errors
    /// A model that fails.
    fn checks(&self, _: &[Target], _: Threat) -> Result<Vec<Gate>, OracleError> {
        Ok(Vec::new())
    }

    /// One proposal a picture, in order, within `threat`. The draws of a picture depend on its
    /// id and the attack's seed alone, never on its batch.
    ///
    /// An attack without gradients asks the model through `queries`, which count. One with
    /// gradients asks a device of its own and says in [`Proposal::queries`] what that cost.
    ///
    /// # Errors
    /// A model that fails.
    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError>;
}

/// An attack was given a ball that its search knows nothing of.
#[derive(Debug, thiserror::Error)]
#[error("{method} searches {searches} balls alone; give it --norm {searches}, or take another method")]
pub struct NormError {
    /// The attack.
    pub method: String,
    /// The one norm that it can be given.
    pub searches: Norm,
}

impl NormError {
    /// Refuses a norm that the attack of that name, which searches `norms`, does not know.
    ///
    /// # Errors
    /// `norm` is none of them.
    pub fn check(method: &str, norms: &[Norm], norm: Norm) -> Result<(), Self> {
        match norms {
            [first, ..] if !norms.contains(&norm) => {
                Err(Self { method: method.to_owned(), searches: *first })
            }
            _ => Ok(()),
        }
    }
}

/// Named parameters as an attack puts them on record.
fn record<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
