//! The adversarial pictures that an attack made on one model, judged by another: what a study's
//! mismatch matrix is made of.

use crate::data::batch::Batch;
use crate::data::picture;
use crate::data::selection::Chosen;
use crate::detector::oracle::Oracle;
use crate::detector::oracle::OracleError;
use crate::detector::session::TractOracle;
use crate::results::ResultError;
use crate::results::attack::folder::{AttackFolder, Side};
use crate::results::attack::{SampleResult, attacked};
use crate::results::transfer::Row;
use crate::sample::is_right;
use image::RgbImage;
use std::collections::HashMap;
use std::path::Path;

/// Why pictures cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file of the attack.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A clean picture.
    #[error("{path}: {reason}; restore the data set that was attacked")]
    Picture {
        /// The picture.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Pictures that are judged together.
const CHUNK: usize = 32;

/// Judges the pictures of the attack in `folder`, called `(run, attack)` in results, by `oracle`. Where
/// the attacked model was wrong before, and so no picture was made, the clean picture of `data` counts.
///
/// # Errors
/// A picture or file that cannot be read, a model that fails.
pub fn judge(
    oracle: &TractOracle,
    data: &Chosen,
    (run, attack): (&str, &str),
    folder: &Path,
) -> Result<Row, TransferError> {
    let files = AttackFolder::new(folder);
    let report = files.report()?;
    let samples = files.samples()?;
    let (res, threshold) = (oracle.res(), oracle.detector().threshold() as f32);
    let clean: HashMap<u64, _> = data.with_ids().into_iter().collect();
    let load = |sample: &SampleResult| -> Result<[RgbImage; 2], TransferError> {
        let unreadable = |reason: String| TransferError::Picture { path: sample.path.clone(), reason };
        let known = clean.get(&sample.id).filter(|known| known.path.display().to_string() == sample.path);
        let path =
            &known.ok_or_else(|| unreadable("is not among the pictures of this study".to_owned()))?.path;
        let before = picture::load(path, res).map_err(|error| unreadable(error.to_string()))?;
        let after = match attacked(sample, report.threshold as f32) {
            true => files.picture(Side::Adversarial, sample.id)?.0,
            false => before.clone(),
        };
        Ok([before, after])
    };
    let (mut n_clean_correct, mut right) = (0, Vec::with_capacity(samples.len()));
    for chunk in samples.chunks(CHUNK) {
        let pictures: Vec<[RgbImage; 2]> = chunk.iter().map(load).collect::<Result<_, _>>()?;
        let logits = oracle.logits(&Batch::of(res, pictures.iter().flatten()))?;
        for (sample, logits) in chunk.iter().zip(logits.as_chunks::<2>().0) {
            let [before, after] = logits.map(|logit| is_right(logit, sample.label, threshold));
            n_clean_correct += usize::from(before);
            right.push(before && after);
        }
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
