//! What one set of logits says about its labels, as plain numbers without
//! intervals: ranking figures (AUC, average precision, EER, TPR at an FPR),
//! decision figures (accuracy) and probability figures (log loss, ECE).
//!
//! A fake is the positive class; a logit above the threshold says fake. A NaN
//! logit ranks nowhere: one NaN makes every ranking and probability figure
//! undefined (`None`), and a decision on a NaN counts as wrong, whatever its
//! label. Infinite logits are ordinary; a figure that comes out infinite
//! (the log loss of a sure mistake) is `None`, for JSON cannot hold it.

use crate::data::manifest::Label;

/// Bins of the calibration error.
pub const ECE_BINS: usize = 15;

/// The false-positive rate of [`super::Metrics::tpr_at_fpr_1`].
pub const STRICT_FPR: f64 = 0.01;

/// One corner of the ROC curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// Share of reals called fake.
    pub false_positive_rate: f64,
    /// Share of fakes called fake.
    pub true_positive_rate: f64,
}

/// Pictures of equal logit: how many fakes and how many reals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Block {
    fakes: u64,
    reals: u64,
}

/// Logits sorted once, so that every reweighting of the pictures (a bootstrap
/// draw) costs one pass instead of a sort.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Pictures by falling logit.
    order: Vec<u32>,
    /// Whether picture `order[k]` opens a new block of equal logits.
    opens: Vec<bool>,
    /// Whether picture `order[k]` is a fake.
    fake: Vec<bool>,
}

/// The blocks of equal logits by falling logit, none of them empty, and their sums.
#[derive(Clone, Debug)]
pub struct Curve {
    blocks: Vec<Block>,
    total: Block,
}

impl Ranked {
    /// Sorts the logits `[N]` with their labels `[N]`; `None` where one is NaN.
    pub fn new(logits: &[f32], labels: &[Label]) -> Option<Self> {
        assert_eq!(logits.len(), labels.len(), "one label a logit");
        if logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        // `+ 0.0` makes -0 and +0 one value.
        let key = |index: u32| logits[index as usize] + 0.0;
        order.sort_unstable_by(|&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
        let opens =
            (0..order.len()).map(|place| place == 0 || key(order[place]) != key(order[place - 1])).collect();
        let fake = order.iter().map(|&index| labels[index as usize] == Label::Fake).collect();
        Some(Self { order, opens, fake })
    }

    /// The curve of the pictures as they are.
    pub fn curve(&self) -> Curve {
        self.blocks(|_| 1)
    }

    /// The curve where picture i counts `weights[i]` times.
    pub fn weighted(&self, weights: &[u32]) -> Curve {
        assert_eq!(weights.len(), self.order.len(), "one weight a picture");
        self.blocks(|index| weights[index as usize])
    }

    fn blocks(&self, weight: impl Fn(u32) -> u32) -> Curve {
        let mut blocks: Vec<Block> = Vec::with_capacity(self.order.len());
        let (mut total, mut block) = (Block::default(), Block::default());
        for ((&index, &opens), &fake) in self.order.iter().zip(&self.opens).zip(&self.fake) {
            if opens && block != Block::default() {
                blocks.push(std::mem::take(&mut block));
            }
            let weight = u64::from(weight(index));
            let (side, sum) = match fake {
                true => (&mut block.fakes, &mut total.fakes),
                false => (&mut block.reals, &mut total.reals),
            };
            *side += weight;
            *sum += weight;
        }
        if block != Block::default() {
            blocks.push(block);
        }
        Curve { blocks, total }
    }
}

impl Curve {
    fn has_both_classes(&self) -> bool {
        self.total.fakes > 0 && self.total.reals > 0
    }

    /// Area under the ROC curve: the chance that a fake's logit lies above a
    /// real's, a tie counting half (Mann-Whitney's U over all pairs).
    pub fn auc(&self) -> Option<f64> {
        if !self.has_both_classes() {
            return None;
        }
        let (mut above, mut twice) = (0_u64, 0_u128);
        for block in &self.blocks {
            twice += u128::from(block.reals) * u128::from(2 * above + block.fakes);
            above += block.fakes;
        }
        let pairs = u128::from(self.total.fakes) * u128::from(self.total.reals);
        Some(twice as f64 / (2 * pairs) as f64)
    }

    /// Average precision: the sum over falling thresholds of precision times the
    /// recall gained there, without interpolation.
    pub fn average_precision(&self) -> Option<f64> {
        if !self.has_both_classes() {
            return None;
        }
        let (mut fakes, mut called, mut sum) = (0_u64, 0_u64, 0.0);
        for block in self.blocks.iter() {
            fakes += block.fakes;
            called += block.fakes + block.reals;
            sum += block.fakes as f64 * (fakes as f64 / called as f64);
        }
        Some(sum / self.total.fakes as f64)
    }

    /// Equal error rate: where the false-positive rate equals the miss rate,
    /// on the straight line between neighbouring corners of the ROC curve.
    pub fn eer(&self) -> Option<f64> {
        if !self.has_both_classes() {
            return None;
        }
        let mut before = RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0 };
        for point in self.roc().into_iter().skip(1) {
            // miss rate - false-positive rate falls strictly from 1 to -1.
            let gap = |at: RocPoint| 1.0 - at.true_positive_rate - at.false_positive_rate;
            let (left, right) = (gap(before), gap(point));
            if right <= 0.0 {
                let share = left / (left - right);
                let step = point.false_positive_rate - before.false_positive_rate;
                return Some(before.false_positive_rate + share * step);
            }
            before = point;
        }
        None
    }

    /// The largest share of fakes caught by a threshold at which at most
    /// `max_fpr` of the reals are called fake; corners only, no interpolation
    /// (with fewer than 1 / max_fpr reals, that is: no real at all).
    pub fn tpr_at_fpr(&self, max_fpr: f64) -> Option<f64> {
        if !self.has_both_classes() {
            return None;
        }
        let reachable = self.roc().into_iter().filter(|at| at.false_positive_rate <= max_fpr);
        reachable.map(|at| at.true_positive_rate).reduce(f64::max)
    }

    /// The corners of the ROC curve from (0, 0) to (1, 1), one a distinct
    /// logit; empty where a class is missing.
    pub fn roc(&self) -> Vec<RocPoint> {
        if !self.has_both_classes() {
            return Vec::new();
        }
        let mut points = Vec::with_capacity(self.blocks.len() + 1);
        points.push(RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0 });
        let mut called = Block::default();
        for block in &self.blocks {
            called.fakes += block.fakes;
            called.reals += block.reals;
            points.push(RocPoint {
                false_positive_rate: called.reals as f64 / self.total.reals as f64,
                true_positive_rate: called.fakes as f64 / self.total.fakes as f64,
            });
        }
        points
    }
}

/// Area under the ROC curve ([`Curve::auc`]); `None` for one class or a NaN.
pub fn auc(logits: &[f32], labels: &[Label]) -> Option<f64> {
    Ranked::new(logits, labels)?.curve().auc()
}

/// Average precision ([`Curve::average_precision`]); `None` for one class or a NaN.
pub fn average_precision(logits: &[f32], labels: &[Label]) -> Option<f64> {
    Ranked::new(logits, labels)?.curve().average_precision()
}

/// Equal error rate ([`Curve::eer`]); `None` for one class or a NaN.
pub fn eer(logits: &[f32], labels: &[Label]) -> Option<f64> {
    Ranked::new(logits, labels)?.curve().eer()
}

/// True-positive rate at a false-positive rate of at most `max_fpr`
/// ([`Curve::tpr_at_fpr`]); `None` for one class or a NaN.
pub fn tpr_at_fpr(logits: &[f32], labels: &[Label], max_fpr: f64) -> Option<f64> {
    Ranked::new(logits, labels)?.curve().tpr_at_fpr(max_fpr)
}

/// The corners of the ROC curve ([`Curve::roc`]); empty for one class or a NaN.
pub fn roc(logits: &[f32], labels: &[Label]) -> Vec<RocPoint> {
    Ranked::new(logits, labels).map_or_else(Vec::new, |ranked| ranked.curve().roc())
}

/// Whether the decision on each picture at `threshold` is right; a NaN never is.
pub fn right(logits: &[f32], labels: &[Label], threshold: f32) -> Vec<bool> {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    let pairs = logits.iter().zip(labels);
    pairs.map(|(&logit, &label)| !logit.is_nan() && Label::decided(logit, threshold) == label).collect()
}

/// Share of right decisions at `threshold`; `None` without pictures.
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

/// ln(1 + e^x) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The negative log-likelihood of `label` under `logit` in nats: ln(1 + e^(-s z)).
pub fn negative_log_likelihood(logit: f32, label: Label) -> f64 {
    softplus(-f64::from(label.sign()) * f64::from(logit))
}

/// Mean negative log-likelihood in nats, from logits, so that a sure logit
/// neither overflows nor rounds to 0; `None` without pictures, for a NaN, or
/// where it is infinite.
pub fn log_loss(logits: &[f32], labels: &[Label]) -> Option<f64> {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    let losses = logits.iter().zip(labels);
    let sum: f64 = losses.map(|(&logit, &label)| negative_log_likelihood(logit, label)).sum();
    let mean = sum / logits.len() as f64;
    mean.is_finite().then_some(mean)
}

/// The probability of fake that a logit stands for, 1 / (1 + e^-z).
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

/// The threshold of highest balanced accuracy on these (validation) pictures:
/// the midpoint, in f32, between two neighbouring distinct logits. Among equally
/// good cuts the one nearest to logit 0 (probability one half) wins, then the
/// lower. Cuts outside of all logits are not considered, for they would call
/// everything one class; where all logits are equal there is no other, and that
/// logit is returned (everything real). `None` for one class or a NaN.
pub fn best_threshold(logits: &[f32], labels: &[Label]) -> Option<f32> {
    let ranked = Ranked::new(logits, labels)?;
    let total = ranked.curve().total;
    if total.fakes == 0 || total.reals == 0 {
        return None;
    }
    let mut called = Block::default();
    let mut best: Option<(u128, f32)> = None;
    for place in 0..ranked.order.len() {
        let logit = logits[ranked.order[place] as usize];
        if place > 0 && ranked.opens[place] {
            let cut = midpoint(logit, logits[ranked.order[place - 1] as usize]);
            // Balanced accuracy times 2 * fakes * reals: exact in integers.
            let score = u128::from(called.fakes) * u128::from(total.reals)
                + u128::from(total.reals - called.reals) * u128::from(total.fakes);
            // Cuts come in falling order, so an equally near one is lower.
            let better =
                |(other, at): (u128, f32)| score > other || (score == other && cut.abs() <= at.abs());
            if best.is_none_or(better) {
                best = Some((score, cut));
            }
        }
        match ranked.fake[place] {
            true => called.fakes += 1,
            false => called.reals += 1,
        }
    }
    Some(best.map_or(logits[0], |(_, cut)| cut))
}

/// A finite value t with low <= t < high, half way where both are finite.
fn midpoint(low: f32, high: f32) -> f32 {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => {
            let middle = (f64::from(low) / 2.0 + f64::from(high) / 2.0) as f32;
            if middle < high { middle } else { low }
        }
        (true, false) => low,
        (false, true) => high.next_down(),
        (false, false) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::Label::{Fake, Real};
    use super::*;
    use proptest::prelude::*;

    const LABELS: [Label; 4] = [Real, Real, Fake, Fake];
    const LOGITS: [f32; 4] = [0.1, 0.4, 0.35, 0.8];

    /// AUC by looking at every pair.
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
        let corners: Vec<_> =
            corners.iter().map(|at| (at.false_positive_rate, at.true_positive_rate)).collect();
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
    fn a_nan_is_a_wrong_decision_for_either_class() {
        close(accuracy(&[f32::NAN, f32::NAN, -1.0], &[Real, Fake, Real], 0.0), 1.0 / 3.0);
    }

    #[test]
    fn the_best_threshold_lies_half_way() {
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
}
