//! The access that an attack has to a detector. A score-based attack gets an [`Oracle`]. A
//! gradient-based one needs a [`GradientOracle`], which tract is not: running PGD on an ONNX
//! session is a type error. A decision-based one gets a [`DecisionOracle`], which shows no logit.

use crate::data::batch::Batch;
use crate::sample::Label;

/// A query failed; the text says why and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OracleError(pub String);

/// The loss whose input gradient is computed.
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

/// Something that gives one label a picture and no score, for decision-based attacks.
pub trait DecisionOracle: Sync {
    /// One label a picture; `None` where the logit is not finite. `batch.res` must equal
    /// [`DecisionOracle::res`].
    fn decisions(&self, batch: &Batch) -> Result<Vec<Option<Label>>, OracleError>;

    /// The side in pixels of the pictures it takes.
    fn res(&self) -> usize;
}

/// The labels of an [`Oracle`]: its logits compared with a threshold.
#[derive(Debug)]
pub struct Decisions<'a, O: ?Sized> {
    oracle: &'a O,
    threshold: f32,
}

impl<'a, O: Oracle + ?Sized> Decisions<'a, O> {
    /// The labels of `oracle`; a logit above `threshold` is fake.
    pub fn new(oracle: &'a O, threshold: f32) -> Self {
        Self { oracle, threshold }
    }
}

impl<O: Oracle + ?Sized> DecisionOracle for Decisions<'_, O> {
    fn decisions(&self, batch: &Batch) -> Result<Vec<Option<Label>>, OracleError> {
        let decide = |logit: f32| logit.is_finite().then(|| Label::decided(logit, self.threshold));
        Ok(self.oracle.logits(batch)?.into_iter().map(decide).collect())
    }

    fn res(&self) -> usize {
        self.oracle.res()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Spoken(Vec<f32>);
    impl Oracle for Spoken {
        fn logits(&self, _: &Batch) -> Result<Vec<f32>, OracleError> {
            Ok(self.0.clone())
        }
        fn res(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_decision_is_the_side_of_the_threshold_and_none_without_a_number() {
        let oracle = Spoken(vec![0.4, 0.6, -9.0, f32::NAN, f32::INFINITY]);
        let decisions = Decisions::new(&oracle, 0.5).decisions(&Batch { res: 1, values: vec![0.0; 15] });
        let expected = [Some(Label::Real), Some(Label::Fake), Some(Label::Real), None, None];
        assert_eq!(decisions.unwrap(), expected);
    }
}
