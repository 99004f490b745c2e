//! Correct decisions at a threshold. A logit that is no finite number is a wrong decision for
//! either label.

use crate::sample::{Label, is_right};

/// For each picture, whether the decision at `threshold` is right, by [`is_right`].
pub fn right(logits: &[f32], labels: &[Label], threshold: f32) -> Vec<bool> {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    let pairs = logits.iter().zip(labels);
    pairs.map(|(&logit, &label)| is_right(logit, label, threshold)).collect()
}

/// Share of right decisions at `threshold`; `None` without pictures. `logits` and `labels` are
/// aligned, \[N\].
pub fn accuracy(logits: &[f32], labels: &[Label], threshold: f32) -> Option<f64> {
    accuracy_of(&right(logits, labels, threshold), &vec![1; labels.len()])
}

/// Mean of the two classes' accuracies at `threshold`; `None` for one class.
pub fn balanced_accuracy(logits: &[f32], labels: &[Label], threshold: f32) -> Option<f64> {
    balanced_accuracy_of(&right(logits, labels, threshold), labels, &vec![1; labels.len()])
}

/// The share of `right` where picture i counts `weights[i]` times.
pub(super) fn accuracy_of(right: &[bool], weights: &[u32]) -> Option<f64> {
    let (mut good, mut all) = (0_u64, 0_u64);
    for (&right, &weight) in right.iter().zip(weights) {
        good += u64::from(right) * u64::from(weight);
        all += u64::from(weight);
    }
    (all > 0).then(|| good as f64 / all as f64)
}

/// The mean of the classes' shares of `right` where picture i counts `weights[i]` times.
pub(super) fn balanced_accuracy_of(right: &[bool], labels: &[Label], weights: &[u32]) -> Option<f64> {
    let (mut good, mut all) = ([0_u64; 2], [0_u64; 2]);
    for ((&right, &label), &weight) in right.iter().zip(labels).zip(weights) {
        let class = usize::from(label == Label::Fake);
        good[class] += u64::from(right) * u64::from(weight);
        all[class] += u64::from(weight);
    }
    let share = |class: usize| good[class] as f64 / all[class] as f64;
    (all[0] > 0 && all[1] > 0).then(|| (share(0) + share(1)) / 2.0)
}
