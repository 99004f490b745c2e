//! The adversarial pictures that an attack made on one model, judged by another: what a study's
//! mismatch matrix is made of.

use crate::data::batch::Batch;
use crate::data::picture::{self, PictureError};
use crate::data::selection::Chosen;
use crate::detector::oracle::{Oracle, OracleError};
use crate::detector::session::TractOracle;
use crate::metrics::decisions;
use crate::results::ResultError;
use crate::results::attack::folder::{AttackFolder, Side};
use crate::results::attack::{SampleResult, attacked};
use crate::results::transfer::Row;
use crate::sample::{Label, Sample};
use image::RgbImage;
use std::collections::HashMap;

/// Why pictures cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file of the attack.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A clean picture that cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// An attacked picture that is not among those of the judge.
    #[error(
        "{path}: was attacked and is not among the pictures of this study; attack again, or restore the data set"
    )]
    Unknown {
        /// The picture.
        path: String,
    },
}

/// Pictures that are judged together.
const CHUNK: usize = 32;

/// A model that judges others' adversarial pictures.
pub struct Judge<'a> {
    oracle: &'a TractOracle,
    /// Each clean picture by its id, and whether the judge is right about it.
    clean: HashMap<u64, (&'a Sample, bool)>,
}

impl<'a> Judge<'a> {
    /// A judge that knows its decisions on the clean pictures of `data`.
    ///
    /// # Errors
    /// A picture that cannot be read, a model that fails.
    pub fn new(oracle: &'a TractOracle, data: &'a Chosen) -> Result<Self, TransferError> {
        let samples = data.with_ids();
        let mut clean = HashMap::with_capacity(samples.len());
        for chunk in samples.chunks(CHUNK) {
            let load = |(_, sample): &(u64, &Sample)| picture::load(&sample.path, oracle.res());
            let pictures: Vec<RgbImage> = chunk.iter().map(load).collect::<Result<_, _>>()?;
            let labels: Vec<Label> = chunk.iter().map(|(_, sample)| sample.label).collect();
            let right = decide(oracle, &pictures, &labels)?;
            clean.extend(chunk.iter().zip(right).map(|(&(id, sample), right)| (id, (sample, right))));
        }
        Ok(Self { oracle, clean })
    }

    /// Judges the pictures of the attack in `files`, called `(run, attack)` in results. Where the attacked
    /// model was wrong before, and so no picture was made, the decision on the clean one counts.
    ///
    /// # Errors
    /// A picture or file that cannot be read, a model that fails.
    pub fn row(&self, (run, attack): (&str, &str), files: &AttackFolder) -> Result<Row, TransferError> {
        let (report, samples) = (files.report()?, files.samples()?);
        let before = |sample: &SampleResult| {
            let known = self
                .clean
                .get(&sample.id)
                .filter(|(known, _)| known.path.display().to_string() == sample.path);
            known.map(|(_, right)| *right).ok_or_else(|| TransferError::Unknown { path: sample.path.clone() })
        };
        let mut right: Vec<bool> = samples.iter().map(before).collect::<Result<_, _>>()?;
        let n_clean_correct = right.iter().filter(|right| **right).count();
        let made: Vec<usize> =
            (0..samples.len()).filter(|&at| attacked(&samples[at], report.threshold as f32)).collect();
        for chunk in made.chunks(CHUNK) {
            let picture = |&at: &usize| Ok(files.picture(Side::Adversarial, samples[at].id)?.0);
            let pictures: Vec<RgbImage> = chunk.iter().map(picture).collect::<Result<_, TransferError>>()?;
            let labels: Vec<Label> = chunk.iter().map(|&at| samples[at].label).collect();
            let after = decide(self.oracle, &pictures, &labels)?;
            chunk.iter().zip(after).for_each(|(&at, after)| right[at] &= after);
        }
        Ok(Row {
            source: run.to_owned(),
            source_sha256: report.model.sha256,
            attack: attack.to_owned(),
            n: samples.len(),
            n_clean_correct,
            n_right: right.iter().filter(|right| **right).count(),
            right,
        })
    }
}

/// Whether the model is right about each of `pictures`.
fn decide(oracle: &TractOracle, pictures: &[RgbImage], labels: &[Label]) -> Result<Vec<bool>, TransferError> {
    let threshold = oracle.detector().threshold() as f32;
    let logits = oracle.logits(&Batch::of(oracle.res(), pictures))?;
    Ok(decisions::right(&logits, labels, threshold))
}
