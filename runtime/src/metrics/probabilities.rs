//! Metrics of probabilities: log loss and calibration. They are undefined (`None`) with a NaN
//! logit, and where the result is infinite (the log loss of a wrong, infinite logit), which JSON
//! cannot hold.

use crate::sample::Label;

/// Bins of the calibration error.
pub const ECE_BINS: usize = 15;

/// ln(1 + e^x) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The negative log-likelihood of `label` under `logit` in nats: ln(1 + e^(-s z)).
pub fn negative_log_likelihood(logit: f32, label: Label) -> f64 {
    softplus(-f64::from(label.sign()) * f64::from(logit))
}

/// Mean negative log-likelihood in nats, from logits, so that a large logit neither overflows nor
/// rounds to 0; `None` without pictures, for a NaN, or where it is infinite.
pub fn log_loss(logits: &[f32], labels: &[Label]) -> Option<f64> {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    let losses = logits.iter().zip(labels);
    let sum: f64 = losses.map(|(&logit, &label)| negative_log_likelihood(logit, label)).sum();
    let mean = sum / logits.len() as f64;
    mean.is_finite().then_some(mean)
}

/// The probability of fake for a logit, 1 / (1 + e^-z).
pub fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// The calibration bin of a probability: [`ECE_BINS`] of equal width over
/// \[0, 1\], each holding its lower edge, the last one also 1.
pub(super) fn calibration_bin(probability: f64) -> usize {
    ((probability * ECE_BINS as f64) as usize).min(ECE_BINS - 1)
}

/// Expected calibration error of the probability of fake (Naeini et al. 2015):
/// over [`ECE_BINS`] bins of equal width of that probability, the mean,
/// weighted by their pictures, of |mean probability - share of fakes|. `None`
/// without pictures or for a NaN.
pub fn ece(logits: &[f32], labels: &[Label]) -> Option<f64> {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let probabilities: Vec<f64> = logits.iter().map(|&logit| probability(logit)).collect();
    ece_of(&probabilities, labels, &vec![1; labels.len()])
}

/// [`ece`] from probabilities, where picture i counts `weights[i]` times.
pub(super) fn ece_of(probabilities: &[f64], labels: &[Label], weights: &[u32]) -> Option<f64> {
    // Per bin the sum of probability - target: its absolute value is the bin's
    // size times |mean probability - share of fakes|.
    let (mut excess, mut all) = ([0.0_f64; ECE_BINS], 0_u64);
    for ((&probability, &label), &weight) in probabilities.iter().zip(labels).zip(weights) {
        let difference = probability - f64::from(label.target());
        excess[calibration_bin(probability)] += f64::from(weight) * difference;
        all += u64::from(weight);
    }
    (all > 0).then(|| excess.iter().map(|sum| sum.abs()).sum::<f64>() / all as f64)
}
