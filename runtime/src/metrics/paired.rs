//! Two ways of training compared on the same pictures: McNemar's exact test for
//! paired decisions, and the paired bootstrap over groups for the difference of
//! any figure. Both arms see every draw, so what the pictures have in common
//! cancels.
//!
//! With several training seeds each draw's difference is the mean over the
//! seeds' pairs. The interval then tells how the difference would vary over
//! other people with these very seeds; it holds no spread over other seeds.

use super::decisions::accuracy_of;
use super::intervals::{Figure, Groups, RESAMPLES, Scored};
use super::quantile::quantile;
use rayon::prelude::*;

/// A difference of a figure between two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// arm - against, averaged over the seeds.
    pub value: f64,
    /// Lower end of the paired bootstrap's 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p.
    pub p: f64,
}

impl Difference {
    /// What the interval says.
    pub fn verdict(&self) -> Verdict {
        if self.low > 0.0 {
            Verdict::Higher
        } else if self.high < 0.0 {
            Verdict::Lower
        } else {
            Verdict::NoEffect
        }
    }
}

/// What an interval of a difference says, in words. It is about the number,
/// not about better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval lies above zero.
    Higher,
    /// The whole interval lies below zero.
    Lower,
    /// The interval holds zero.
    NoEffect,
}

impl Verdict {
    /// The words of report.json.
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoEffect => "no effect shown",
        }
    }
}

/// Both arms of one training seed on the same pictures, in the same order.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    /// The arm in question.
    pub arm: T,
    /// What it is compared with.
    pub against: T,
}

/// McNemar's exact two-sided p (1947; the binomial form): `gained` pictures that
/// the arm alone has right, `lost` that the other alone has right; under no
/// difference each is a toss of a coin. 1 where there is no such picture.
pub fn mcnemar(gained: u64, lost: u64) -> f64 {
    let n = gained + lost;
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=gained.min(lost) {
        if k > 0 {
            term += ((n - k + 1) as f64).ln() - (k as f64).ln();
        }
        tail += term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// McNemar's p ([`mcnemar`]) of two sets of decisions on the same pictures.
pub fn mcnemar_of(pair: &Pair<&[bool]>) -> f64 {
    assert_eq!(pair.arm.len(), pair.against.len(), "the same pictures");
    let count = |wanted: (bool, bool)| {
        let both = pair.arm.iter().copied().zip(pair.against.iter().copied());
        both.filter(|flags| *flags == wanted).count() as u64
    };
    mcnemar(count((true, false)), count((false, true)))
}

/// The difference of `figure` between the arms of every seed, by the paired
/// bootstrap over `groups` under `seed`; p is the bootstrap's
/// ([`bootstrap_p`]). `None` where a whole arm does not define the figure.
pub fn figure_difference(
    figure: Figure,
    pairs: &[Pair<Scored>],
    groups: &Groups,
    seed: u64,
) -> Option<Difference> {
    bootstrap(groups, seed, |weights| mean_difference(pairs, |scored| scored.figure(figure, weights)))
}

/// The difference of a share of pictures (right decisions; right before an
/// attack and after it) between the arms of every seed, its interval by the
/// paired bootstrap over `groups`. For one seed p is McNemar's exact one, which
/// takes pictures as independent: where a group holds several, trust the interval.
/// Several seeds share their pictures, so their counts may not be added up; then p
/// is the bootstrap's for the averaged difference. `None` without pictures or pairs.
pub fn rate_difference(pairs: &[Pair<&[bool]>], groups: &Groups, seed: u64) -> Option<Difference> {
    let difference =
        bootstrap(groups, seed, |weights| mean_difference(pairs, |flags| accuracy_of(flags, weights)))?;
    match pairs {
        [only] => Some(Difference { p: mcnemar_of(only), ..difference }),
        _ => Some(difference),
    }
}

/// The mean over the pairs of statistic(arm) - statistic(against).
fn mean_difference<T>(pairs: &[Pair<T>], statistic: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let mut sum = 0.0;
    for pair in pairs {
        sum += statistic(&pair.arm)? - statistic(&pair.against)?;
    }
    (!pairs.is_empty()).then(|| sum / pairs.len() as f64)
}

/// The percentile bootstrap of a difference. The interval is widened where
/// needed to hold the difference itself.
fn bootstrap(
    groups: &Groups,
    seed: u64,
    difference: impl Fn(&[u32]) -> Option<f64> + Sync,
) -> Option<Difference> {
    let value = difference(&vec![1; groups.pictures()])?;
    let draws = (0..RESAMPLES).into_par_iter();
    let mut draws: Vec<f64> = draws.filter_map(|index| difference(&groups.draw(seed, index))).collect();
    draws.sort_unstable_by(f64::total_cmp);
    if draws.is_empty() {
        return None;
    }
    Some(Difference {
        value,
        low: quantile(&draws, 0.025).min(value),
        high: quantile(&draws, 0.975).max(value),
        p: bootstrap_p(&draws),
    })
}

/// Two-sided p of the hypothesis that the difference is zero: twice the smaller
/// of the shares of draws at or below and at or above zero, each counting one
/// draw more than there are, so that it is never 0; at most 1.
pub fn bootstrap_p(draws: &[f64]) -> f64 {
    let share = |on_that_side: &dyn Fn(f64) -> bool| {
        let count = draws.iter().filter(|draw| on_that_side(**draw)).count();
        (count + 1) as f64 / (draws.len() + 1) as f64
    };
    (2.0 * share(&|draw| draw <= 0.0).min(share(&|draw| draw >= 0.0))).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::manifest::Label::{self, Fake, Real};
    use crate::random;
    use proptest::prelude::*;
    use rand::RngExt;

    fn alone(n: usize) -> Groups {
        Groups::new(&(0..n).map(|index| index.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn mcnemar_by_hand() {
        // 1 against 5: 2 (C(6,0) + C(6,1)) / 64 = 14 / 64.
        assert!((mcnemar(1, 5) - 14.0 / 64.0).abs() < 1e-12);
        assert!((mcnemar(5, 1) - 14.0 / 64.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - 2.0 / 32.0).abs() < 1e-12);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(4, 4), 1.0);
        // Far out of the range of factorials: about the normal tail at z = 10.
        let far = mcnemar(5500, 4500);
        assert!(far > 1e-25 && far < 1e-21, "{far}");
    }

    #[test]
    fn seeds_do_not_add_up_to_evidence() {
        // One picture in six differs the same way at every seed: however many
        // seeds, six pictures show nothing.
        let (arm, against) = ([true; 6], [true, true, true, true, true, false]);
        let pair = || Pair { arm: &arm[..], against: &against[..] };
        assert_eq!(mcnemar_of(&pair()), 1.0);
        let one = rate_difference(&[pair()], &alone(6), 0).unwrap();
        let nine: Vec<_> = (0..9).map(|_| pair()).collect();
        let nine = rate_difference(&nine, &alone(6), 0).unwrap();
        assert_eq!(one.p, 1.0);
        assert!((nine.low - one.low).abs() < 1e-12 && (nine.high - one.high).abs() < 1e-12);
        assert!(nine.p > 0.5, "{nine:?}");
    }

    #[test]
    fn bootstrap_p_by_hand() {
        // One of nine at or below zero: 2 * (1 + 1) / 10.
        let draws = [-1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        assert!((bootstrap_p(&draws) - 0.4).abs() < 1e-12);
        assert_eq!(bootstrap_p(&[0.0; 20]), 1.0);
        assert!((bootstrap_p(&[1.0; 999]) - 2.0 / 1000.0).abs() < 1e-12);
    }

    #[test]
    fn an_arm_against_itself_shows_no_effect() {
        let labels: Vec<Label> = (0..40).map(|i| if i % 3 == 0 { Fake } else { Real }).collect();
        let logits: Vec<f32> = (0..40).map(|i| (i * 7 % 11) as f32).collect();
        let scored = Scored::new(&logits, &labels, 5.0);
        let pair = Pair { arm: scored.clone(), against: scored };
        let auc = figure_difference(Figure::Auc, &[pair], &alone(40), 0).unwrap();
        assert_eq!((auc.value, auc.low, auc.high, auc.p), (0.0, 0.0, 0.0, 1.0));
        assert_eq!(auc.verdict(), Verdict::NoEffect);
    }

    #[test]
    fn a_clear_gain_is_higher_and_its_mirror_lower() {
        let labels: Vec<Label> = (0..60).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
        let good: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
        let poor: Vec<f32> = (0..60).map(|i| if i % 5 == 0 { -good[i] } else { good[i] }).collect();
        let scored = |logits: &[f32]| Scored::new(logits, &labels, 0.0);
        let (better, worse) = (scored(&good), scored(&poor));
        let of = |arm: &Scored, against: &Scored| {
            let pair = Pair { arm: arm.clone(), against: against.clone() };
            figure_difference(Figure::Auc, &[pair], &alone(60), 7).unwrap()
        };
        let gain = of(&better, &worse);
        assert_eq!(gain.verdict(), Verdict::Higher);
        assert!((gain.value - 0.2).abs() < 1e-12, "{gain:?}");
        let loss = of(&worse, &better);
        assert_eq!(loss.verdict().words(), "lower");
        assert!((loss.low + gain.high).abs() < 1e-12);
        let flags = [Pair { arm: better.right(), against: worse.right() }];
        let rate = rate_difference(&flags, &alone(60), 7).unwrap();
        assert_eq!(rate.p, mcnemar(12, 0));
        assert!((rate.value - 0.2).abs() < 1e-12);
    }

    #[test]
    fn several_seeds_are_averaged() {
        let (yes, no) = ([true; 10], [false; 10]);
        let half = [true, true, true, true, true, false, false, false, false, false];
        let pairs = [Pair { arm: &yes[..], against: &no[..] }, Pair { arm: &half[..], against: &no[..] }];
        let rate = rate_difference(&pairs, &alone(10), 0).unwrap();
        assert!((rate.value - 0.75).abs() < 1e-12);
        // The first pair's difference is 1 in every draw, the second's a binomial share.
        assert!(rate.low >= 0.5 && rate.low < 0.65 && rate.high > 0.85 && rate.high <= 1.0);
    }

    #[test]
    fn pairing_cancels_what_the_pictures_share() {
        // Both arms fail on the same hard half; one fails on two pictures more.
        let against: Vec<bool> = (0..100).map(|i| i % 2 == 0).collect();
        let mut arm = against.clone();
        for hard in [1, 3, 5, 7, 9, 11] {
            arm[hard] = true;
        }
        let pair = [Pair { arm: &arm[..], against: &against[..] }];
        let rate = rate_difference(&pair, &alone(100), 3).unwrap();
        // Unpaired, the standard error would be 0.07; paired it is 0.024.
        assert_eq!(rate.verdict(), Verdict::Higher, "{rate:?}");
        assert!(rate.high - rate.low < 0.12, "{rate:?}");
    }

    #[test]
    fn what_is_undefined_is_none() {
        let fakes = Scored::new(&[1.0, 2.0], &[Fake, Fake], 0.0);
        let pair = [Pair { arm: fakes.clone(), against: fakes }];
        assert_eq!(figure_difference(Figure::Auc, &pair, &alone(2), 0), None);
        assert_eq!(rate_difference(&[], &alone(2), 0), None);
        let empty: [Pair<&[bool]>; 1] = [Pair { arm: &[], against: &[] }];
        assert_eq!(rate_difference(&empty, &Groups::new::<&str>(&[]), 0), None);
    }

    #[test]
    fn chance_differences_are_called_effects_about_one_time_in_twenty() {
        let mut random = random::stream(11, &["test".into()]);
        let mut called = 0;
        for trial in 0..200 {
            let mut flags = || (0..80).map(|_| random.random_bool(0.6)).collect::<Vec<bool>>();
            let (arm, against) = (flags(), flags());
            let pair = [Pair { arm: &arm[..], against: &against[..] }];
            let rate = rate_difference(&pair, &alone(80), trial).unwrap();
            called += usize::from(rate.verdict() != Verdict::NoEffect);
        }
        assert!((2..=22).contains(&called), "{called} of 200");
    }

    proptest! {
        #[test]
        fn mcnemar_agrees_with_counting_tosses(gained in 0_u64..9, lost in 0_u64..9) {
            let n = gained + lost;
            let extreme = |heads: u64| heads <= gained.min(lost) || heads >= gained.max(lost);
            let tosses = 1_u64 << n;
            let count = (0..tosses).filter(|toss| extreme(u64::from(toss.count_ones()))).count();
            let slow = (count as f64 / tosses as f64).min(1.0);
            prop_assert!((mcnemar(gained, lost) - slow).abs() < 1e-9);
        }
    }
}
