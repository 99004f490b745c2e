//! Confidence intervals of metrics: Wilson's for shares of independent pictures, and the
//! bootstrap over groups for everything else.
//!
//! Groups (people, videos) are resampled, never single pictures: pictures of a person are
//! correlated, and the question is how the detector performs on other people. A draw takes as
//! many groups as there are, with replacement, each with all its pictures, real and fake. It is
//! not stratified by class, as a person may have both; a draw in which a metric is undefined (one
//! class missing) is left out for that metric.
//!
//! Three cases in which the plain percentile bootstrap would mislead:
//! - Where every group is one picture, accuracy's interval is Wilson's, whose coverage for
//!   independent pictures is 95 % also near 0 and 1.
//! - Where the draws do not vary (every picture right), a rate gets Wilson's interval with the
//!   number of groups as n: m disjoint pairs of groups, all ranked correctly, are as informative
//!   about an AUC of 1 as m tosses about a coin.
//! - With a single group its pictures are resampled, which shows nothing about other people;
//!   therefore reports give the number of groups.

use super::decisions::{accuracy_of, balanced_accuracy_of, right};
use super::probabilities::{ece_of, negative_log_likelihood, probability};
use super::quantile::quantile;
use super::ranking::{Ranked, STRICT_FPR};
use super::{Estimate, Metrics, Z};
use crate::random;
use crate::sample::Label;
use rand::RngExt;
use rayon::prelude::*;
use std::collections::HashMap;

/// Draws of a bootstrap.
pub const RESAMPLES: usize = 1000;

/// Wilson's 95 % score interval of a share (Wilson 1927), `successes` of `n`. With n = 0 the
/// share is given as 0 with the interval \[0, 1\], because JSON has no NaN.
pub fn wilson(successes: u64, n: u64) -> Estimate {
    assert!(successes <= n, "{successes} successes of {n}");
    match n {
        0 => Estimate { value: 0.0, low: 0.0, high: 1.0 },
        _ => wilson_of_share(successes as f64 / n as f64, n as f64),
    }
}

fn wilson_of_share(share: f64, n: f64) -> Estimate {
    wilson_at(share, n, Z)
}

/// Wilson's score interval of a share of `n` (need not be whole) that reaches `z`
/// standard deviations each way.
pub(crate) fn wilson_at(share: f64, n: f64, z: f64) -> Estimate {
    let scale = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // At 0 and 1 the interval ends exactly there, without a rounding error.
    Estimate {
        value: share,
        low: if share == 0.0 { 0.0 } else { (centre - half).clamp(0.0, share) },
        high: if share == 1.0 { 1.0 } else { (centre + half).clamp(share, 1.0) },
    }
}

/// The grouping of pictures into people or videos.
#[derive(Clone, Debug)]
pub struct Groups {
    of_picture: Vec<u32>,
    count: usize,
}

impl Groups {
    /// Pictures with equal names form a group. Groups are numbered by first appearance, so that
    /// draws do not depend on the names.
    pub fn new<S: AsRef<str>>(names: &[S]) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut of_picture = Vec::with_capacity(names.len());
        for name in names {
            let next = numbers.len() as u32;
            of_picture.push(*numbers.entry(name.as_ref()).or_insert(next));
        }
        Self { of_picture, count: numbers.len() }
    }

    /// Each of `pictures` pictures is its own group.
    pub(super) fn singles(pictures: usize) -> Self {
        Self { of_picture: (0..pictures as u32).collect(), count: pictures }
    }

    /// The number of groups.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of pictures.
    pub fn pictures(&self) -> usize {
        self.of_picture.len()
    }

    /// Whether every group is one picture.
    pub fn are_single_pictures(&self) -> bool {
        self.count == self.of_picture.len()
    }

    /// The number of units that are drawn: the groups, or the pictures of a single group.
    pub(super) fn units(&self) -> usize {
        if self.count == 1 { self.of_picture.len() } else { self.count }
    }

    /// The unit that `picture` is drawn with.
    pub(super) fn unit(&self, picture: usize) -> usize {
        if self.count == 1 { picture } else { self.of_picture[picture] as usize }
    }

    /// The sum of `value` over the pictures of each unit.
    pub(super) fn sums(&self, value: impl Fn(usize) -> i64) -> Vec<i64> {
        let mut sums = vec![0; self.units()];
        (0..self.pictures()).for_each(|picture| sums[self.unit(picture)] += value(picture));
        sums
    }

    /// How often each picture is in draw `index` under `seed`. A single group is
    /// split into its pictures (see the module's text).
    pub fn draw(&self, seed: u64, index: usize) -> Vec<u32> {
        let drawn = self.draw_units(seed, index);
        match self.count == 1 {
            true => drawn,
            false => self.of_picture.iter().map(|&group| drawn[group as usize]).collect(),
        }
    }

    /// How often each unit is in draw `index` under `seed`.
    pub(super) fn draw_units(&self, seed: u64, index: usize) -> Vec<u32> {
        let mut random = random::stream(seed, &["bootstrap".into(), (index as u64).into()]);
        let units = self.units();
        let mut drawn = vec![0_u32; units];
        for _ in 0..units {
            drawn[random.random_range(0..units)] += 1;
        }
        drawn
    }

    /// How many groups contain a picture for which `of` is true.
    fn count_where(&self, of: impl Fn(usize) -> bool) -> usize {
        let mut seen = vec![false; self.count];
        for (picture, &group) in self.of_picture.iter().enumerate() {
            seen[group as usize] |= of(picture);
        }
        seen.into_iter().filter(|&seen| seen).count()
    }
}

/// The metrics of [`Metrics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// [`Metrics::accuracy`]
    Accuracy,
    /// [`Metrics::balanced_accuracy`]
    BalancedAccuracy,
    /// [`Metrics::auc`]
    Auc,
    /// [`Metrics::average_precision`]
    AveragePrecision,
    /// [`Metrics::eer`]
    Eer,
    /// [`Metrics::tpr_at_fpr_1`]
    TprAtFpr1,
    /// [`Metrics::log_loss`]
    LogLoss,
    /// [`Metrics::ece`]
    Ece,
}

impl Figure {
    /// All metrics, in the order of [`Metrics`].
    pub const ALL: [Self; 8] = [
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::Auc,
        Self::AveragePrecision,
        Self::Eer,
        Self::TprAtFpr1,
        Self::LogLoss,
        Self::Ece,
    ];

    /// The name in eval.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::Auc => "auc",
            Self::AveragePrecision => "average_precision",
            Self::Eer => "eer",
            Self::TprAtFpr1 => "tpr_at_fpr_1",
            Self::LogLoss => "log_loss",
            Self::Ece => "ece",
        }
    }

    /// The value in `metrics`.
    pub fn of(self, metrics: &Metrics) -> Option<Estimate> {
        match self {
            Self::Accuracy => metrics.accuracy,
            Self::BalancedAccuracy => metrics.balanced_accuracy,
            Self::Auc => metrics.auc,
            Self::AveragePrecision => metrics.average_precision,
            Self::Eer => metrics.eer,
            Self::TprAtFpr1 => metrics.tpr_at_fpr_1,
            Self::LogLoss => metrics.log_loss,
            Self::Ece => metrics.ece,
        }
    }

    fn is_rate(self) -> bool {
        !matches!(self, Self::LogLoss | Self::Ece)
    }
}

/// A model's logits, prepared so that each metric of a reweighting of the pictures takes one or
/// two passes.
#[derive(Clone, Debug)]
pub struct Scored {
    labels: Vec<Label>,
    right: Vec<bool>,
    ranked: Option<Ranked>,
    losses: Vec<f64>,
    probabilities: Vec<f64>,
}

impl Scored {
    /// Logits `[N]` of pictures with labels `[N]`, decided at `threshold`.
    pub fn new(logits: &[f32], labels: &[Label], threshold: f32) -> Self {
        let losses = logits.iter().zip(labels);
        Self {
            labels: labels.to_vec(),
            right: right(logits, labels, threshold),
            ranked: Ranked::new(logits, labels),
            losses: losses.map(|(&z, &label)| negative_log_likelihood(z, label)).collect(),
            probabilities: logits.iter().map(|&logit| probability(logit)).collect(),
        }
    }

    /// Every metric where picture i counts `weights[i]` times, in the order of [`Figure::ALL`].
    pub fn figures(&self, weights: &[u32]) -> [Option<f64>; 8] {
        let curve = self.ranked.as_ref().map(|ranked| ranked.weighted(weights));
        let curve = curve.as_ref();
        [
            accuracy_of(&self.right, weights),
            balanced_accuracy_of(&self.right, &self.labels, weights),
            curve.and_then(|curve| curve.auc()),
            curve.and_then(|curve| curve.average_precision()),
            curve.and_then(|curve| curve.eer()),
            curve.and_then(|curve| curve.tpr_at_fpr(STRICT_FPR)),
            self.log_loss(weights),
            self.ranked.as_ref().and_then(|_| ece_of(&self.probabilities, &self.labels, weights)),
        ]
    }

    /// The AUC where picture i counts `weights[i]` times.
    pub fn auc(&self, weights: &[u32]) -> Option<f64> {
        self.ranked.as_ref()?.weighted(weights).auc()
    }

    /// The balanced accuracy where picture i counts `weights[i]` times.
    pub fn balanced_accuracy(&self, weights: &[u32]) -> Option<f64> {
        balanced_accuracy_of(&self.right, &self.labels, weights)
    }

    /// The smaller class's number of groups: how many disjoint pairs of a group with reals and
    /// one with fakes there can be.
    pub fn independent_groups(&self, groups: &Groups) -> usize {
        independent_groups(groups, &self.labels)
    }

    /// For each picture, whether the decision is right.
    pub fn right(&self) -> &[bool] {
        &self.right
    }

    fn log_loss(&self, weights: &[u32]) -> Option<f64> {
        let (mut sum, mut all) = (0.0, 0_u64);
        for (&loss, &weight) in self.losses.iter().zip(weights).filter(|(_, weight)| **weight > 0) {
            sum += loss * f64::from(weight);
            all += u64::from(weight);
        }
        let mean = sum / all as f64;
        mean.is_finite().then_some(mean)
    }
}

/// Every metric with its 95 % interval: percentiles of [`RESAMPLES`] bootstrap draws over the
/// groups (see the module's text for the rules), widened where needed to contain the metric
/// itself (the calibration error of a draw is biased upwards). `logits`, `labels` and `groups`
/// are aligned, `[N]`; the draws are those of the stream `bootstrap` under `seed`, whatever the
/// number of threads.
///
/// ```
/// use dfrt_runtime::sample::Label::{Fake, Real};
/// use dfrt_runtime::metrics::intervals::metrics;
///
/// let logits = [-2.0, -1.0, 0.5, -0.5, 1.0, 3.0];
/// let labels = [Real, Real, Real, Fake, Fake, Fake];
/// let people = ["anna", "bert", "carl", "anna", "bert", "carl"];
/// let auc = metrics(&logits, &labels, &people, 0.0, 0).auc.unwrap();
/// // Of nine pairs of a fake and a real one is the wrong way round.
/// assert!((auc.value - 8.0 / 9.0).abs() < 1e-12);
/// assert!(auc.low <= auc.value && auc.value <= auc.high);
/// // Without fakes there is no AUC.
/// assert!(metrics(&logits[..3], &labels[..3], &people[..3], 0.0, 0).auc.is_none());
/// ```
pub fn metrics<S: AsRef<str>>(
    logits: &[f32],
    labels: &[Label],
    groups: &[S],
    threshold: f32,
    seed: u64,
) -> Metrics {
    assert_eq!(logits.len(), labels.len(), "one label a logit");
    assert_eq!(logits.len(), groups.len(), "one group a logit");
    let groups = Groups::new(groups);
    let scored = Scored::new(logits, labels, threshold);
    let whole = scored.figures(&vec![1; labels.len()]);
    let draws: Vec<[Option<f64>; 8]> = match labels.is_empty() {
        true => Vec::new(),
        false => {
            (0..RESAMPLES).into_par_iter().map(|index| scored.figures(&groups.draw(seed, index))).collect()
        }
    };
    let independent = independent_groups(&groups, labels);
    let estimate = |figure: Figure| {
        let place = Figure::ALL.iter().position(|other| *other == figure)?;
        let value = whole[place]?;
        if figure == Figure::Accuracy && groups.are_single_pictures() {
            return Some(wilson_of_share(value, labels.len() as f64));
        }
        let drawn = draws.iter().filter_map(|draw| draw[place]).collect();
        let n = match figure {
            Figure::Accuracy => groups.count(),
            _ => independent,
        };
        Some(percentile_estimate(value, drawn, figure.is_rate().then_some(n)))
    };
    Metrics {
        accuracy: estimate(Figure::Accuracy),
        balanced_accuracy: estimate(Figure::BalancedAccuracy),
        auc: estimate(Figure::Auc),
        average_precision: estimate(Figure::AveragePrecision),
        eer: estimate(Figure::Eer),
        tpr_at_fpr_1: estimate(Figure::TprAtFpr1),
        log_loss: estimate(Figure::LogLoss),
        ece: estimate(Figure::Ece),
    }
}

/// The share of true flags with its 95 % interval by the same rules as
/// [`metrics`]' accuracy; `None` without pictures. For robust accuracy the flag
/// is: right before the attack and after it.
pub fn rate<S: AsRef<str>>(flags: &[bool], groups: &[S], seed: u64) -> Option<Estimate> {
    assert_eq!(flags.len(), groups.len(), "one group a picture");
    let groups = Groups::new(groups);
    let value = accuracy_of(flags, &vec![1; flags.len()])?;
    if groups.are_single_pictures() {
        return Some(wilson_of_share(value, flags.len() as f64));
    }
    let draws = (0..RESAMPLES).into_par_iter();
    let draws = draws.filter_map(|index| accuracy_of(flags, &groups.draw(seed, index))).collect();
    Some(percentile_estimate(value, draws, Some(groups.count())))
}

/// The smaller class's number of groups: how many disjoint pairs of a group
/// with reals and one with fakes there can be.
fn independent_groups(groups: &Groups, labels: &[Label]) -> usize {
    let of = |class: Label| groups.count_where(|picture| labels[picture] == class);
    of(Label::Real).min(of(Label::Fake))
}

/// The interval of `value` from its draws; `rate_over` is Wilson's n where the
/// draws of a rate do not vary.
pub(super) fn percentile_estimate(value: f64, mut draws: Vec<f64>, rate_over: Option<usize>) -> Estimate {
    draws.sort_unstable_by(f64::total_cmp);
    let varies = draws.first() != draws.last();
    if let (false, Some(n)) = (varies, rate_over) {
        return wilson_of_share(value, n.max(1) as f64);
    }
    let (low, high) = match draws.is_empty() {
        true => (value, value),
        false => (quantile(&draws, 0.025), quantile(&draws, 0.975)),
    };
    Estimate { value, low: low.min(value), high: high.max(value) }
}

#[cfg(test)]
mod tests {
    use super::Label::{Fake, Real};
    use super::*;
    use proptest::prelude::*;
    use rand::Rng;

    fn close(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() < tolerance, "{got} is not {expected}");
    }

    #[test]
    fn wilson_by_hand() {
        // 8 of 10 with z = 1.96: centre (0.8 + 0.19207) / 1.38415 = 0.71674,
        // half width 1.96 / 1.38415 * sqrt(0.016 + 0.0096036) = 0.22658.
        let estimate = wilson(8, 10);
        close(estimate.value, 0.8, 1e-12);
        close(estimate.low, 0.4902, 1e-4);
        close(estimate.high, 0.9433, 1e-4);
        // All of 10: z^2 / (n + z^2) = 0.27753 is missing below.
        close(wilson(10, 10).low, 1.0 - 0.277_53, 1e-5);
        assert_eq!(wilson(10, 10).high, 1.0);
        assert_eq!(wilson(0, 10).low, 0.0);
        close(wilson(0, 10).high, 0.277_53, 1e-5);
        assert_eq!(wilson(0, 0), Estimate { value: 0.0, low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_draw_takes_complete_groups() {
        let groups = Groups::new(&["a", "b", "a", "c", "b"]);
        assert_eq!((groups.count(), groups.pictures()), (3, 5));
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..400 {
            let weights = groups.draw(3, index);
            assert_eq!(weights[0], weights[2]);
            assert_eq!(weights[1], weights[4]);
            assert_eq!(weights[0] + weights[1] + weights[3], 3);
            assert_eq!(weights, groups.draw(3, index));
            seen.insert(weights);
        }
        assert_eq!(seen.len(), 10, "all ten ways to draw three of three come up");
    }

    #[test]
    fn one_group_is_split_into_pictures() {
        let groups = Groups::new(&["a"; 6]);
        let weights = groups.draw(0, 0);
        assert_eq!(weights.iter().sum::<u32>(), 6);
        assert_ne!(weights, [1; 6]);
    }

    fn drawn(n: usize, seed: u64, shift: f32) -> (Vec<f32>, Vec<Label>) {
        let mut random = random::stream(seed, &["test".into()]);
        let mut one = |index: usize| {
            let label = if index.is_multiple_of(2) { Fake } else { Real };
            let noise = (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * 4.0;
            (noise + shift * label.sign(), label)
        };
        (0..n).map(&mut one).unzip()
    }

    #[test]
    fn an_auc_interval_has_about_the_known_width() {
        // Hanley and McNeil's standard error for AUC 0.5 with 100 and 100:
        // sqrt((1/12) * (1/100 + 1/100 + 1/10^4)) = 0.0409.
        let (logits, labels) = drawn(200, 5, 0.0);
        let names: Vec<String> = (0..200).map(|index| index.to_string()).collect();
        let auc = metrics(&logits, &labels, &names, 0.0, 1).auc.unwrap();
        close(auc.high - auc.low, 2.0 * 1.96 * 0.0409, 0.025);
        assert!(auc.low < 0.5 && auc.high > 0.5, "{auc:?}");
    }

    #[test]
    fn repeating_pictures_of_a_person_adds_no_certainty() {
        let (logits, labels) = drawn(60, 9, 0.5);
        let names: Vec<String> = (0..60).map(|index| format!("person {}", index / 2)).collect();
        let once = metrics(&logits, &labels, &names, 0.0, 2);
        let eight = |index: usize| index % 60;
        let many: Vec<f32> = (0..480).map(|index| logits[eight(index)]).collect();
        let of: Vec<Label> = (0..480).map(|index| labels[eight(index)]).collect();
        let by: Vec<&String> = (0..480).map(|index| &names[eight(index)]).collect();
        let repeated = metrics(&many, &of, &by, 0.0, 2);
        let width = |estimate: Option<Estimate>| estimate.map(|e| e.high - e.low).unwrap();
        close(width(once.accuracy), width(repeated.accuracy), 1e-9);
        close(width(once.auc), width(repeated.auc), 1e-9);
        let alone: Vec<String> = (0..480).map(|index| index.to_string()).collect();
        let naive = metrics(&many, &of, &alone, 0.0, 2);
        assert!(width(naive.auc) < 0.6 * width(repeated.auc));
    }

    #[test]
    fn single_pictures_get_wilson_and_groups_get_the_bootstrap() {
        let labels = [Fake, Real, Fake, Real, Fake, Real, Fake, Real, Fake, Real];
        let logits = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0];
        let alone: Vec<String> = (0..10).map(|index| index.to_string()).collect();
        let single = metrics(&logits, &labels, &alone, 0.0, 0).accuracy.unwrap();
        assert_eq!(single, wilson(8, 10));
        let flags = right(&logits, &labels, 0.0);
        assert_eq!(rate(&flags, &alone, 0), Some(wilson(8, 10)));
        let pairs: Vec<String> = (0..10).map(|index| (index / 2).to_string()).collect();
        let grouped = metrics(&logits, &labels, &pairs, 0.0, 0).accuracy.unwrap();
        assert_eq!(rate(&flags, &pairs, 0), Some(grouped));
        assert_ne!(grouped, single);
    }

    #[test]
    fn a_perfect_detector_is_not_perfectly_sure() {
        let labels: Vec<Label> = (0..40).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
        let logits: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
        let names: Vec<String> = (0..40).map(|index| (index / 4).to_string()).collect();
        let figures = metrics(&logits, &labels, &names, 0.0, 0);
        assert_eq!(figures.accuracy, Some(wilson(10, 10)), "ten groups, not forty pictures");
        assert_eq!(figures.auc, Some(wilson(10, 10)));
        assert_eq!(figures.eer, Some(wilson(0, 10)));
    }

    #[test]
    fn the_undefined_stays_undefined() {
        let none = metrics::<&str>(&[], &[], &[], 0.0, 0);
        assert!(Figure::ALL.iter().all(|figure| figure.of(&none).is_none()));
        let fakes = metrics(&[1.0, -1.0], &[Fake, Fake], &["a", "b"], 0.0, 0);
        assert!(fakes.accuracy.is_some() && fakes.log_loss.is_some());
        assert!(fakes.auc.is_none() && fakes.balanced_accuracy.is_none());
        let nan = metrics(&[f32::NAN, -1.0], &[Fake, Real], &["a", "b"], 0.0, 0);
        assert_eq!(nan.accuracy, Some(wilson(1, 2)));
        assert!(nan.auc.is_none() && nan.log_loss.is_none() && nan.ece.is_none());
    }

    #[test]
    fn seeds_and_threads_change_what_they_should() {
        let (logits, labels) = drawn(200, 1, 0.4);
        let names: Vec<String> = (0..200).map(|index| (index / 5).to_string()).collect();
        let at = |seed| metrics(&logits, &labels, &names, 0.1, seed);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alone.install(|| at(4)), at(4));
        assert_ne!(at(4), at(5));
    }

    #[test]
    fn ten_thousand_pictures_take_seconds_not_minutes() {
        let (logits, labels) = drawn(10_000, 3, 0.3);
        let names: Vec<String> = (0..10_000).map(|index| (index / 32).to_string()).collect();
        let start = std::time::Instant::now();
        let auc = metrics(&logits, &labels, &names, 0.0, 0).auc.unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(auc.high - auc.low < 0.05);
        assert!(seconds < 30.0, "{seconds} s");
        println!("{seconds:.2} s");
    }

    proptest! {
        #[test]
        fn wilson_holds_the_share(n in 1_u64..5000, part in 0.0_f64..=1.0) {
            let successes = (part * n as f64).round() as u64;
            let estimate = wilson(successes, n);
            prop_assert!(0.0 <= estimate.low && estimate.low <= estimate.value);
            prop_assert!(estimate.value <= estimate.high && estimate.high <= 1.0);
            // Its ends solve |share - end| = z sqrt(end (1 - end) / n).
            for end in [estimate.low, estimate.high] {
                if end > 0.0 && end < 1.0 {
                    let solved = Z * (end * (1.0 - end) / n as f64).sqrt();
                    prop_assert!(((estimate.value - end).abs() - solved).abs() < 1e-9);
                }
            }
        }
    }
}
