//! What an attack may ask of a detector. A score-based attack gets an [`Oracle`],
//! a gradient-based one needs a [`GradientOracle`], which tract cannot give: that
//! PGD cannot run on an ONNX session is a type error here.

use crate::data::batch::Batch;
use crate::data::manifest::Label;

/// A query failed; the text says what and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OracleError(pub String);

/// The loss whose input gradient is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttackLoss {
    /// Binary cross-entropy of the logit; its f32 gradient vanishes on a confident logit.
    CrossEntropy,
    /// The margin `-s * z` with s = +1 for fake and -1 for real; never saturates.
    Margin,
}

/// Something that scores pictures.
pub trait Oracle: Sync {
    /// One logit a picture, positive for fake. `batch.res` must equal [`Oracle::res`].
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError>;

    /// The side in pixels of the pictures it takes.
    fn res(&self) -> usize;
}

/// A detector that also gives gradients.
pub trait GradientOracle: Oracle {
    /// The loss of each picture \[N\] and its gradient with respect to the pixels
    /// (N x 3 x res x res, pixels in \[0, 1\]).
    fn loss_gradient(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), OracleError>;
}
