//! Every metric by hand, and against a slow implementation.

use super::decisions::{accuracy, accuracy_of, balanced_accuracy, balanced_accuracy_of, right};
use super::probabilities::{calibration_bin, ece, ece_of, log_loss, probability};
use super::ranking::{Ranked, auc, average_precision, best_threshold, eer, midpoint, roc, tpr_at_fpr};
use crate::sample::Label::{self, Fake, Real};
use proptest::prelude::*;

const LABELS: [Label; 4] = [Real, Real, Fake, Fake];
const LOGITS: [f32; 4] = [0.1, 0.4, 0.35, 0.8];

/// AUC over all pairs.
fn slow_auc(logits: &[f32], labels: &[Label]) -> Option<f64> {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (&fake, _) in logits.iter().zip(labels).filter(|(_, label)| **label == Fake) {
        for (&real, _) in logits.iter().zip(labels).filter(|(_, label)| **label == Real) {
            pairs += 1.0;
            wins += if fake > real { 1.0 } else { 0.0 } + if fake == real { 0.5 } else { 0.0 };
        }
    }
    (pairs > 0.0).then_some(wins / pairs)
}

/// Every threshold that matters, as (fakes called fake, reals called fake).
fn slow_corners(logits: &[f32], labels: &[Label]) -> Vec<(f64, f64)> {
    let mut cuts = logits.to_vec();
    cuts.sort_by(|a, b| b.total_cmp(a));
    cuts.dedup();
    let share = |class: Label, cut: f32| {
        let of_class = || logits.iter().zip(labels).filter(|(_, label)| **label == class);
        of_class().filter(|(logit, _)| **logit >= cut).count() as f64 / of_class().count() as f64
    };
    cuts.into_iter().map(|cut| (share(Fake, cut), share(Real, cut))).collect()
}

fn slow_average_precision(logits: &[f32], labels: &[Label]) -> f64 {
    let fakes = labels.iter().filter(|label| **label == Fake).count() as f64;
    let reals = labels.len() as f64 - fakes;
    let (mut recall_before, mut sum) = (0.0, 0.0);
    for (recall, fpr) in slow_corners(logits, labels) {
        let precision = recall * fakes / (recall * fakes + fpr * reals);
        sum += (recall - recall_before) * precision;
        recall_before = recall;
    }
    sum
}

fn scored() -> impl Strategy<Value = (Vec<f32>, Vec<Label>)> {
    let picture = (-6_i32..6, any::<bool>());
    proptest::collection::vec(picture, 1..40).prop_map(|pictures| {
        let one = |(step, fake): (i32, bool)| (step as f32 / 2.0, if fake { Fake } else { Real });
        pictures.into_iter().map(one).unzip()
    })
}

fn close(got: Option<f64>, expected: f64) {
    let got = got.expect("defined");
    assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
}

#[test]
fn ranking_figures_by_hand() {
    // Pairs: .35 > .1, .35 < .4, .8 > both: 3 of 4.
    close(auc(&LOGITS, &LABELS), 0.75);
    // .8 fake: precision 1; .4 real; .35 fake: precision 2/3.
    close(average_precision(&LOGITS, &LABELS), 0.5 * 1.0 + 0.5 * 2.0 / 3.0);
    // Corners (0,0) (0,.5) (.5,.5): miss .5 meets false positives .5.
    close(eer(&LOGITS, &LABELS), 0.5);
    close(tpr_at_fpr(&LOGITS, &LABELS, 0.01), 0.5);
    close(tpr_at_fpr(&LOGITS, &LABELS, 0.5), 1.0);
    let corners = roc(&LOGITS, &LABELS);
    let corners: Vec<_> = corners.iter().map(|at| (at.false_positive_rate, at.true_positive_rate)).collect();
    assert_eq!(corners, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
}

#[test]
fn ties_count_half() {
    let (logits, labels) = ([1.0, 1.0, 1.0], [Fake, Real, Real]);
    close(auc(&logits, &labels), 0.5);
    close(average_precision(&logits, &labels), 1.0 / 3.0);
    close(eer(&logits, &labels), 0.5);
    close(tpr_at_fpr(&logits, &labels, 0.01), 0.0);
    close(auc(&[-0.0, 0.0], &[Fake, Real]), 0.5);
}

#[test]
fn the_equal_error_rate_is_interpolated() {
    // Corners (0, 0) (0, 1/3) (1, 1): on the last segment fpr = t and miss
    // = 2/3 (1 - t); equal at t = 2/5.
    let labels = [Fake, Fake, Fake, Real, Real];
    close(eer(&[2.0, 1.0, 1.0, 1.0, 1.0], &labels), 0.4);
    close(eer(&[2.0, 2.0, 2.0, 1.0, 1.0], &labels), 0.0);
    close(eer(&[1.0, 1.0, 1.0, 2.0, 2.0], &labels), 1.0);
}

#[test]
fn decisions_by_hand() {
    close(accuracy(&LOGITS, &LABELS, 0.37), 0.5);
    close(accuracy(&LOGITS, &LABELS, 0.4), 0.75);
    // Two of three reals, one of one fake.
    let (logits, labels) = ([-1.0, -1.0, 1.0, 1.0], [Real, Real, Real, Fake]);
    close(accuracy(&logits, &labels, 0.0), 0.75);
    close(balanced_accuracy(&logits, &labels, 0.0), (2.0 / 3.0 + 1.0) / 2.0);
    // On the threshold itself a picture is called real.
    close(accuracy(&[1.0], &[Real], 1.0), 1.0);
    close(accuracy(&[1.0], &[Fake], 1.0), 0.0);
}

#[test]
fn probability_figures_by_hand() {
    // ln 2 at logit 0; ln(1 + 1/3) where the odds are 3 to 1 for the truth.
    let three = 3.0_f32.ln();
    close(log_loss(&[0.0, 0.0], &[Real, Fake]), 2.0_f64.ln());
    assert!((log_loss(&[three], &[Fake]).unwrap() - (4.0_f64 / 3.0).ln()).abs() < 1e-7);
    // Neither overflow nor a loss rounded to 0.
    close(log_loss(&[1000.0], &[Real]), 1000.0);
    let sure = log_loss(&[50.0], &[Fake]).unwrap();
    assert!((sure / (-50.0_f64).exp() - 1.0).abs() < 1e-9, "{sure}");
    // Two pictures at p = 3/4 (bin 11), one of them fake: |3/4 - 1/2|;
    // two at 1/2 (bin 7), one fake: 0.
    let logits = [three, three, 0.0, 0.0];
    let error = ece(&logits, &[Fake, Real, Fake, Real]).unwrap();
    assert!((error - 0.5 * 0.25).abs() < 1e-7, "{error}");
    // Opposite errors in different bins do not cancel.
    close(ece(&[f32::INFINITY, f32::NEG_INFINITY], &[Real, Fake]), 1.0);
    assert_eq!((calibration_bin(0.0), calibration_bin(1.0)), (0, 14));
    assert_eq!((calibration_bin(0.0666), calibration_bin(0.0667)), (0, 1));
}

#[test]
fn what_the_data_do_not_define_is_none() {
    let fakes = [Fake, Fake];
    for figure in [auc, average_precision, eer] {
        assert_eq!(figure(&[1.0, 2.0], &fakes), None);
        assert_eq!(figure(&[], &[]), None);
        assert_eq!(figure(&[f32::NAN, 1.0], &[Fake, Real]), None);
    }
    assert_eq!(balanced_accuracy(&[1.0, 2.0], &fakes, 0.0), None);
    assert_eq!(accuracy(&[], &[], 0.0), None);
    assert_eq!(log_loss(&[], &[]), None);
    assert_eq!(ece(&[], &[]), None);
    assert_eq!(ece(&[f32::NAN], &[Fake]), None);
    assert_eq!(log_loss(&[f32::NAN], &[Fake]), None);
    assert_eq!(log_loss(&[f32::INFINITY], &[Real]), None, "JSON has no infinity");
    assert!(roc(&[1.0], &[Fake]).is_empty());
    assert_eq!(best_threshold(&[1.0, 2.0], &fakes), None);
}

#[test]
fn what_is_no_finite_number_is_a_wrong_decision_for_either_class() {
    for logit in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        close(accuracy(&[logit, logit, -1.0], &[Real, Fake, Real], 0.0), 1.0 / 3.0);
    }
}

#[test]
fn the_best_threshold_is_the_midpoint() {
    assert_eq!(best_threshold(&[-2.0, -1.0, 2.0, 4.0], &LABELS), Some(0.5));
    // Cuts at .225 (balanced accuracy .75) and .6 (.75) tie: nearer to 0 wins.
    assert_eq!(best_threshold(&LOGITS, &LABELS), Some(midpoint(0.1, 0.35)));
    // Equally near to 0 on both sides: the lower.
    let labels = [Real, Fake, Real, Fake];
    assert_eq!(best_threshold(&[-3.0, -1.0, 1.0, 3.0], &labels), Some(-2.0));
    assert_eq!(best_threshold(&[2.0, 2.0], &[Real, Fake]), Some(2.0));
    let infinite = best_threshold(&[f32::NEG_INFINITY, f32::INFINITY], &[Real, Fake]);
    assert_eq!(infinite, Some(0.0));
}

#[test]
fn a_cut_between_adjacent_floats_still_separates() {
    let low = 1.0_f32;
    let high = low.next_up();
    let cut = best_threshold(&[low, high], &[Real, Fake]).unwrap();
    close(accuracy(&[low, high], &[Real, Fake], cut), 1.0);
    assert!(midpoint(f32::MAX.next_down(), f32::MAX).is_finite());
}

proptest! {
    #[test]
    fn auc_agrees_with_all_pairs((logits, labels) in scored()) {
        match (auc(&logits, &labels), slow_auc(&logits, &labels)) {
            (Some(fast), Some(slow)) => prop_assert!((fast - slow).abs() < 1e-12),
            (fast, slow) => prop_assert_eq!(fast, slow),
        }
    }

    #[test]
    fn curve_figures_agree_with_every_threshold((logits, labels) in scored()) {
        prop_assume!(auc(&logits, &labels).is_some());
        let corners = slow_corners(&logits, &labels);
        let strict = corners.iter().filter(|(_, fpr)| *fpr <= 0.2).map(|(tpr, _)| *tpr);
        let strict = strict.fold(0.0, f64::max);
        prop_assert!((tpr_at_fpr(&logits, &labels, 0.2).unwrap() - strict).abs() < 1e-12);
        let precision = average_precision(&logits, &labels).unwrap();
        prop_assert!((precision - slow_average_precision(&logits, &labels)).abs() < 1e-12);
        // The equal error rate lies between the best and the worst corner near it.
        let error = eer(&logits, &labels).unwrap();
        let worst = corners.iter().map(|(tpr, fpr)| fpr.max(1.0 - tpr)).fold(1.0, f64::min);
        let best = corners.iter().map(|(tpr, fpr)| fpr.min(1.0 - tpr)).fold(0.0, f64::max);
        prop_assert!(error <= worst + 1e-12 && error >= best - 1e-12);
    }

    #[test]
    fn weights_mean_repetition((logits, labels) in scored(), seed in any::<u64>()) {
        let weights: Vec<u32> =
            (0..logits.len()).map(|place| (seed >> (place % 60)) as u32 % 4).collect();
        let repeat = || (0..logits.len()).flat_map(|i| (0..weights[i]).map(move |_| i));
        let many: Vec<f32> = repeat().map(|i| logits[i]).collect();
        let of: Vec<Label> = repeat().map(|i| labels[i]).collect();
        let curve = Ranked::new(&logits, &labels).unwrap().weighted(&weights);
        prop_assert_eq!(curve.auc(), auc(&many, &of));
        prop_assert_eq!(curve.average_precision(), average_precision(&many, &of));
        prop_assert_eq!(curve.eer(), eer(&many, &of));
        let decided = right(&logits, &labels, 0.25);
        prop_assert_eq!(accuracy_of(&decided, &weights), accuracy(&many, &of, 0.25));
        let balanced = balanced_accuracy_of(&decided, &labels, &weights);
        prop_assert_eq!(balanced, balanced_accuracy(&many, &of, 0.25));
        let probabilities: Vec<f64> = logits.iter().map(|&logit| probability(logit)).collect();
        match (ece_of(&probabilities, &labels, &weights), ece(&many, &of)) {
            (Some(one), Some(other)) => prop_assert!((one - other).abs() < 1e-12),
            (one, other) => prop_assert_eq!(one, other),
        }
    }

    #[test]
    fn no_cut_beats_the_best_threshold((logits, labels) in scored()) {
        prop_assume!(auc(&logits, &labels).is_some());
        let best = best_threshold(&logits, &labels).unwrap();
        let reached = balanced_accuracy(&logits, &labels, best).unwrap();
        let (lowest, highest) = (
            logits.iter().copied().fold(f32::INFINITY, f32::min),
            logits.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        );
        for step in -14_i16..14 {
            let cut = f32::from(step) / 4.0 + 0.125;
            if cut > lowest && cut < highest {
                prop_assert!(balanced_accuracy(&logits, &labels, cut).unwrap() <= reached + 1e-12);
            }
        }
    }
}
