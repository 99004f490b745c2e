//! Attacks propose, the judge decides. See [`Attack`] for the contract.

pub mod judge;
pub mod result;
pub mod threat;

use crate::data::manifest::Label;
use crate::detector::oracle::OracleError;
use image::RgbImage;
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
#[derive(Clone, Debug)]
pub struct Proposal {
    /// 3 x res x res, any finite values; the judge clips them to the threat model.
    pub values: Vec<f32>,
    /// Forward (and gradient) evaluations of the model that this picture cost.
    pub queries: u64,
}

/// An attack, holding the oracle it may ask.
pub trait Attack: Sync {
    /// Its name at the command line: "square", "pgd", …
    fn name(&self) -> &str;

    /// Its parameters, for the record.
    fn parameters(&self) -> Map<String, Value>;

    /// How many targets it wants at once (1 for attacks that run a picture a thread).
    fn batch(&self) -> usize {
        1
    }

    /// One proposal a target, in order. The draws of a target depend on its id
    /// and the attack's seed alone, never on its batch.
    fn propose(&self, targets: &[Target]) -> Result<Vec<Proposal>, OracleError>;
}
