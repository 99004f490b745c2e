//! Metrics of the ranking of logits, without intervals: AUC, average precision, EER, the TPR at
//! an FPR, and the threshold that separates the classes best.
//!
//! A fake is the positive class; a logit above the threshold says fake. A NaN logit has no rank:
//! one NaN makes every metric undefined (`None`). Infinite logits are allowed.

use crate::sample::Label;

/// The false-positive rate of [`super::Metrics::tpr_at_fpr_1`].
pub const STRICT_FPR: f64 = 0.01;

/// A vertex of the ROC curve.
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

/// Logits sorted once, so that a reweighting of the pictures (a bootstrap draw) takes one pass
/// instead of a sort.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Indices of pictures by falling logit.
    order: Vec<u32>,
    /// Whether picture `order[k]` begins a new block of equal logits.
    opens: Vec<bool>,
    /// Whether picture `order[k]` is a fake.
    fake: Vec<bool>,
}

/// The blocks of equal logits by falling logit, none of them empty, and their sum.
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

    /// The curve where every picture counts once.
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

    /// Area under the ROC curve: the probability that a fake's logit is above a real's, with ties
    /// counted half (Mann-Whitney's U over all pairs).
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

    /// Equal error rate: where the false-positive rate equals the miss rate, interpolated
    /// linearly between neighbouring vertices of the ROC curve.
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

    /// The largest share of fakes caught by a threshold at which at most `max_fpr` of the reals
    /// are called fake; vertices only, no interpolation (with fewer than 1 / max_fpr reals, that
    /// is: no real at all).
    pub fn tpr_at_fpr(&self, max_fpr: f64) -> Option<f64> {
        if !self.has_both_classes() {
            return None;
        }
        let reachable = self.roc().into_iter().filter(|at| at.false_positive_rate <= max_fpr);
        reachable.map(|at| at.true_positive_rate).reduce(f64::max)
    }

    /// The vertices of the ROC curve from (0, 0) to (1, 1), one for each distinct logit; empty
    /// where a class is missing.
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

/// The vertices of the ROC curve ([`Curve::roc`]); empty for one class or a NaN.
pub fn roc(logits: &[f32], labels: &[Label]) -> Vec<RocPoint> {
    Ranked::new(logits, labels).map_or_else(Vec::new, |ranked| ranked.curve().roc())
}

/// The threshold of highest balanced accuracy on these (validation) pictures: the midpoint, in
/// f32, between two neighbouring distinct logits. Of equally good thresholds the one nearest to 0
/// (probability one half) is taken, then the lower one. Thresholds outside all logits, which call
/// everything one class, are not considered; where all logits are equal, that logit is returned
/// (everything real). `None` for one class or a NaN.
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
            // Thresholds come in falling order, so a later one that is equally near is lower.
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

/// A finite value t with low <= t < high, the midpoint where both are finite.
pub(super) fn midpoint(low: f32, high: f32) -> f32 {
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
