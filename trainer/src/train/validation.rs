//! Validation: loss, AUC and the threshold, which is chosen on the validation split.

use super::pool::Pool;
use crate::evaluator::Evaluator;
use crate::gpu::device::GpuError;
use dfrt_runtime::metrics::{decisions, probabilities, ranking};
use dfrt_runtime::sample::Label;
use image::RgbImage;
use rayon::prelude::*;

/// The result of an evaluation of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Mean unweighted cross-entropy; infinite if a logit is NaN.
    pub loss: f64,
    /// Area under the ROC curve; none with only one class or a logit that is NaN.
    pub auc: Option<f64>,
    /// Threshold with the highest balanced accuracy; 0 if there is none.
    pub threshold: f32,
    /// The balanced accuracy at this threshold; none with only one class or a logit that is NaN.
    pub balanced_accuracy: Option<f64>,
}

/// The index and logit of every readable picture of `pool`.
///
/// # Errors
/// A device that fails.
pub fn logits(evaluator: &Evaluator, pool: &Pool) -> Result<Vec<(usize, f32)>, GpuError> {
    let mut logits = Vec::with_capacity(pool.samples().len());
    let places: Vec<usize> = (0..pool.samples().len()).collect();
    for chunk in places.chunks(4 * evaluator.batch()) {
        let read: Vec<(usize, RgbImage)> =
            chunk.par_iter().filter_map(|&place| Some((place, pool.picture(place)?))).collect();
        let (places, pictures): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        logits.extend(places.into_iter().zip(evaluator.logits(&pictures)?));
    }
    Ok(logits)
}

/// Evaluates the pictures of `pool`.
///
/// # Errors
/// A device that fails.
pub fn validate(evaluator: &Evaluator, pool: &Pool) -> Result<Validation, GpuError> {
    let scored = logits(evaluator, pool)?;
    let labels: Vec<Label> = scored.iter().map(|&(place, _)| pool.samples()[place].label).collect();
    let logits: Vec<f32> = scored.into_iter().map(|(_, logit)| logit).collect();
    let loss = probabilities::log_loss(&logits, &labels).filter(|loss| loss.is_finite());
    let threshold = ranking::best_threshold(&logits, &labels);
    Ok(Validation {
        loss: loss.unwrap_or(f64::INFINITY),
        auc: ranking::auc(&logits, &labels),
        threshold: threshold.unwrap_or(0.0),
        balanced_accuracy: threshold.and_then(|at| decisions::balanced_accuracy(&logits, &labels, at)),
    })
}
