//! Attacks propose, the judge decides. See [`Attack`] for the contract.

pub mod bench;
pub mod catalog;
pub mod contents;
pub mod decision;
pub mod distances;
pub mod dossier;
pub mod gates;
pub mod gradient;
mod halves;
mod inquiry;
mod journal;
pub mod judge;
pub mod ledger;
pub mod models;
pub mod random_noise;
pub mod result;
pub mod resumption;
mod rounding;
pub mod schedule;
pub mod score;
mod settings;
pub mod square;
pub mod suite;
mod summary;
pub mod sweep;
pub mod tape;
pub mod threat;
pub mod trial;
pub mod verify;

use self::result::Gate;
use crate::data::manifest::Label;
use crate::detector::oracle::OracleError;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A picture to attack.
#[derive(Clone, Debug)]
pub struct Target {
    /// Keys the random draws: the picture's place in the manifest's split.
    pub id: u64,
    /// Its true label.
    pub label: Label,
    /// The clean picture, res x res.
    pub picture: RgbImage,
}

/// What an attack returns for one target: pixels that it believes adversarial
/// (the judge clips, rounds and asks again), and what it spent.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// 3 x res x res, any finite values; the judge clips them to the threat model.
    pub values: Vec<f32>,
    /// Forward (and gradient) evaluations of the model that this picture cost.
    /// The judge's own count goes before it where there is one.
    pub queries: u64,
    /// How many of them had been spent when the 8-bit picture that is proposed was found to
    /// cross, of a search that goes on after it; none where the search ends with it, or
    /// knows of none.
    pub landed_after: Option<u64>,
    /// How healthy the gradients were; all zero for an attack that uses none.
    pub gradients: GradientCount,
    /// The length of the shortest change that crossed, in floats and whatever the radius,
    /// in the norm that [`Attack::measures`] names; none where no change did.
    pub distance: Option<f64>,
    /// Whether the losses and logits that the search saw were all the same; none where it
    /// saw fewer than two, or does not look. For an attack without gradients the ledger
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

/// The input gradients that an attack saw of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradientCount {
    /// Gradients computed.
    pub evaluated: u64,
    /// Of these zero in every pixel.
    pub zero: u64,
    /// Of these with a value that is no finite number.
    pub non_finite: u64,
}

/// An attack, holding the oracle it may ask.
pub trait Attack: Sync {
    /// Its name at the command line: "square", "pgd", …
    fn name(&self) -> &str;

    /// Its parameters, for the record.
    fn parameters(&self) -> Map<String, Value>;

    /// The norm of the distances that it measures ([`Proposal::distance`]); none where it
    /// measures none.
    fn measures(&self) -> Option<threat::Norm> {
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
    fn checks(&self, _: &[Target]) -> Result<Vec<Gate>, OracleError> {
        Ok(Vec::new())
    }

    /// One proposal a target, in order. The draws of a target depend on its id
    /// and the attack's seed alone, never on its batch. A [`ledger::Counted`]
    /// oracle is asked on the calling thread.
    fn propose(&self, targets: &[Target]) -> Result<Vec<Proposal>, OracleError>;
}

/// An attack was given a ball that its search knows nothing of.
#[derive(Debug, thiserror::Error)]
#[error("{method} searches {searches:?} balls alone; give it --norm {searches:?}, or take another method")]
pub struct NormError {
    /// The attack.
    pub method: &'static str,
    /// The one norm that it can be given.
    pub searches: threat::Norm,
}

impl NormError {
    /// Refuses every norm but `searches`.
    fn unless(method: &'static str, searches: threat::Norm, threat: threat::Threat) -> Result<(), Self> {
        if threat.norm == searches { Ok(()) } else { Err(Self { method, searches }) }
    }
}

/// Named parameters as an attack puts them on record.
fn record<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The values of `picture` as an oracle sees them, 3 x res x res.
fn planes(picture: &RgbImage) -> Vec<f32> {
    crate::data::batch::Batch::of(picture.width() as usize, [picture]).values
}

/// Whether a logit puts a picture into its true class; one that is no finite
/// number never does.
pub fn is_right(logit: f32, label: Label, threshold: f32) -> bool {
    logit.is_finite() && Label::decided(logit, threshold) == label
}

/// How far a logit lies on the right side of the threshold: the loss that
/// score-based attacks lower. Negative once the picture has crossed.
fn margin(logit: f32, label: Label, threshold: f32) -> f32 {
    label.sign() * (logit - threshold)
}
