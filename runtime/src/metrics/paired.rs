//! Compares two arms on the same pictures: an exact test for paired decisions (McNemar's, and its
//! form for groups), and the paired bootstrap over groups for every other metric. Both arms are
//! evaluated on the same pictures, so the difficulty of these cancels.
//!
//! The verdict and p come from the same test. The interval never has zero width: that two arms do
//! not differ on n pictures does not show that they never differ. It contains zero where the test
//! does not reject zero, and is cut off at zero where it does.
//!
//! With several training seeds the difference is the mean over the seeds' pairs. Interval and
//! test then show how it would vary over other people with these same seeds, not over other
//! seeds.

use super::detectable::{detectable_mean, detectable_share};
use super::intervals::{Groups, RESAMPLES, Scored, wilson_at};
use super::newcombe::{Table, combined_difference};
use super::pair::{Pair, seeds_gained};
use super::quantile::quantile;
use super::sign_flip::sign_flip;
use super::{Estimate, LEVEL, Z};
use rayon::prelude::*;

/// The fewest pictures or groups on which an exact two-sided test can reject at [`LEVEL`]: six
/// differences of one sign have p = 2 / 2^6.
const FEWEST: usize = 6;

/// The fewest groups of each class for which the bootstrap gives a verdict on an AUC. With fewer
/// people its draws vary too little: for two equally good arms its false-positive rate was 11 to
/// 13 % with four to eight people, and 6 to 9 % from ten people on (400 trials each, with three
/// pictures of each class for a person).
pub const FEWEST_GROUPS: usize = 10;

/// The test that gives the verdict and p of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// McNemar's exact test: every picture is its own group, one training seed.
    McNemar,
    /// The exact sign-flip test over groups, of which McNemar's is the simplest case.
    SignFlip,
    /// The paired bootstrap over groups.
    Bootstrap,
}

impl Test {
    /// The name in report.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::McNemar => "mcnemar",
            Self::SignFlip => "sign-flip",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// The difference of a metric between two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// arm - against, averaged over the seeds.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Two-sided p of `test`; `None` where there are too few groups for it.
    pub p: Option<f64>,
    /// The test.
    pub test: Test,
    /// The smallest true difference that these pictures and groups show with a power of 80 %;
    /// `None` where they are too few to show any.
    pub detectable: Option<f64>,
    /// [`Difference::detectable`] if every picture were its own group; `None` for metrics that
    /// are no share of pictures.
    pub detectable_pictures: Option<f64>,
}

impl Difference {
    /// The verdict of the test.
    pub fn verdict(&self) -> Verdict {
        match self.p {
            None => Verdict::TooFew,
            Some(p) if p >= LEVEL || self.value == 0.0 => Verdict::NoEffect,
            Some(_) if self.value > 0.0 => Verdict::Higher,
            Some(_) => Verdict::Lower,
        }
    }

    /// The difference with its interval cut off or extended at zero, to agree with the test.
    fn agreeing_with_test(self) -> Self {
        let (low, high) = (self.low.min(self.value), self.high.max(self.value));
        match self.verdict() {
            Verdict::NoEffect | Verdict::TooFew => Self { low: low.min(0.0), high: high.max(0.0), ..self },
            Verdict::Higher => Self { low: low.max(0.0), high, ..self },
            Verdict::Lower => Self { low, high: high.min(0.0), ..self },
        }
    }
}

/// The verdict on a difference. It is about the number, not about better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The difference is above zero.
    Higher,
    /// The difference is below zero.
    Lower,
    /// The difference may be zero.
    NoEffect,
    /// There are too few people or videos for a test.
    TooFew,
}

impl Verdict {
    /// The words of report.json.
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoEffect => "no effect shown",
            Self::TooFew => "too few to tell",
        }
    }
}

/// The difference of the AUC between the arms of every seed, by the paired bootstrap over
/// `groups` under `seed`; p is the bootstrap's ([`bootstrap_p`]). Where the draws do not vary,
/// the interval is combined from both arms' own (Zou and Donner 2008). With fewer than
/// [`FEWEST_GROUPS`] groups of a class there is no p and no verdict. `None` where an arm has no
/// AUC.
pub fn auc_difference(pairs: &[Pair<Scored>], groups: &Groups, seed: u64) -> Option<Difference> {
    let all = vec![1; groups.pictures()];
    let mean = |of: &dyn Fn(&Pair<Scored>) -> Option<f64>| -> Option<f64> {
        let values: Option<Vec<f64>> = pairs.iter().map(of).collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    let difference =
        |weights: &[u32]| mean(&|pair| Some(pair.arm.auc(weights)? - pair.against.auc(weights)?));
    let value = difference(&all)?;
    let draws = (0..RESAMPLES).into_par_iter();
    let mut draws: Vec<f64> = draws.filter_map(|index| difference(&groups.draw(seed, index))).collect();
    draws.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*draws.first()?, *draws.last()?);
    let independent = pairs[0].arm.independent_groups(groups);
    let (low, high, error) = if first < last {
        (quantile(&draws, 0.025), quantile(&draws, 0.975), deviation(&draws))
    } else {
        let own = |value: f64| wilson_at(value.clamp(0.0, 1.0), independent.max(1) as f64, Z);
        let arm = own(mean(&|pair| pair.arm.auc(&all))?);
        let against = own(mean(&|pair| pair.against.auc(&all))?);
        let Estimate { low, high, .. } = combined_difference(arm, against, 0.0);
        (low, high, (high - low) / (2.0 * Z))
    };
    let enough = independent >= FEWEST_GROUPS;
    let found = Difference {
        value,
        low,
        high,
        p: enough.then(|| bootstrap_p(&draws)),
        test: Test::Bootstrap,
        detectable: enough.then(|| detectable_mean(error)).filter(|least| *least <= 1.0),
        detectable_pictures: None,
    };
    Some(found.agreeing_with_test())
}

/// The difference of a share of pictures (right decisions, or right before and after an attack)
/// between the arms, over every seed. `None` without pictures or pairs.
///
/// The test flips the signs of whole groups; where every picture is a group and there is one
/// seed, that is McNemar's exact test. The interval is Newcombe's for paired shares with the
/// effective number of pictures.
pub fn rate_difference(pairs: &[Pair<&[bool]>], groups: &Groups) -> Option<Difference> {
    let n = groups.pictures();
    if pairs.is_empty() || n == 0 {
        return None;
    }
    let table = Table::of(pairs);
    let alone = groups.units() == n;
    let effective_pictures = match (alone, pairs) {
        (true, [_]) => n as f64,
        _ => table.effective_pictures(pairs, groups),
    };
    let Estimate { value, low, high } = table.interval(effective_pictures);
    let units: Vec<i64> = groups.sums(|picture| seeds_gained(pairs, picture));
    let discordant = table.discordant();
    let least = |units: usize, effective_pictures: f64| {
        let n = effective_pictures.max(FEWEST as f64);
        (units >= FEWEST).then(|| detectable_share(discordant, n)).flatten()
    };
    let detectable = least(groups.units(), effective_pictures);
    let singles = match (alone, pairs) {
        (true, _) => effective_pictures,
        (false, [_]) => n as f64,
        (false, _) => table.effective_pictures(pairs, &Groups::singles(n)).max(effective_pictures),
    };
    let detectable_pictures = match (detectable, least(n, singles)) {
        // The power of an exact test is not monotonic in the number of pictures.
        (Some(groups), Some(pictures)) => Some(pictures.min(groups)),
        (groups, pictures) => pictures.or(groups),
    };
    let found = Difference {
        value,
        low,
        high,
        p: Some(sign_flip(&units)),
        test: if alone && pairs.len() == 1 { Test::McNemar } else { Test::SignFlip },
        detectable,
        detectable_pictures,
    };
    Some(found.agreeing_with_test())
}

/// The standard deviation of bootstrap draws: the standard error of the metric.
fn deviation(draws: &[f64]) -> f64 {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    (draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}

/// Two-sided p of the hypothesis that the difference is zero: twice the smaller of the shares of
/// draws at or below and at or above zero, each with one added to its count and to the number of
/// draws, so that p is never 0; at most 1.
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
    use crate::random;
    use crate::sample::Label::{self, Fake, Real};
    use rand::RngExt;

    fn alone(n: usize) -> Groups {
        Groups::new(&(0..n).map(|index| index.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn seeds_do_not_add_up_to_evidence() {
        // One picture in six differs the same way at every seed: however many
        // seeds, six pictures show nothing.
        let (arm, against) = ([true; 6], [true, true, true, true, true, false]);
        let pair = || Pair { arm: &arm[..], against: &against[..] };
        let one = rate_difference(&[pair()], &alone(6)).unwrap();
        let nine: Vec<_> = (0..9).map(|_| pair()).collect();
        let nine = rate_difference(&nine, &alone(6)).unwrap();
        assert_eq!(one.p, Some(1.0));
        assert!((nine.low - one.low).abs() < 1e-12 && (nine.high - one.high).abs() < 1e-12);
        assert!(nine.p.unwrap() > 0.5, "{nine:?}");
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
        let auc = auc_difference(&[pair], &alone(40), 0).unwrap();
        assert_eq!((auc.value, auc.p), (0.0, Some(1.0)));
        assert!(auc.low < 0.0 && auc.high > 0.0, "what is not seen may be there: {auc:?}");
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
            auc_difference(&[pair], &alone(60), 7).unwrap()
        };
        let gain = of(&better, &worse);
        assert_eq!(gain.verdict(), Verdict::Higher);
        assert!((gain.value - 0.2).abs() < 1e-12, "{gain:?}");
        let loss = of(&worse, &better);
        assert_eq!(loss.verdict().words(), "lower");
        assert!((loss.low + gain.high).abs() < 1e-12);
        let flags = [Pair { arm: better.right(), against: worse.right() }];
        let rate = rate_difference(&flags, &alone(60)).unwrap();
        assert_eq!(rate.test, Test::McNemar);
        assert!((rate.p.unwrap() * f64::from(1 << 12) - 2.0).abs() < 1e-9, "{rate:?}");
        assert!((rate.value - 0.2).abs() < 1e-12);
    }

    #[test]
    fn of_few_people_there_is_no_verdict_on_an_auc() {
        let labels: Vec<Label> = (0..54).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
        let good: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
        let poor: Vec<f32> = good.iter().map(|logit| -logit).collect();
        let of = |people: usize| {
            let names: Vec<String> = (0..54).map(|picture| (picture / 2 % people).to_string()).collect();
            let scored = |logits: &[f32]| Scored::new(logits, &labels, 0.0);
            let pair = Pair { arm: scored(&good), against: scored(&poor) };
            auc_difference(&[pair], &Groups::new(&names), 0).unwrap()
        };
        let few = of(9);
        assert_eq!((few.p, few.detectable, few.verdict()), (None, None, Verdict::TooFew), "{few:?}");
        assert!(few.value == 1.0 && few.low <= 0.0, "an interval without a verdict holds zero: {few:?}");
        let enough = of(10);
        assert_eq!(enough.verdict(), Verdict::Higher, "{enough:?}");
        assert!(enough.p.is_some() && enough.detectable.is_some(), "{enough:?}");
    }

    #[test]
    fn several_seeds_are_averaged() {
        let (yes, no) = ([true; 10], [false; 10]);
        let half = [true, true, true, true, true, false, false, false, false, false];
        let pairs = [Pair { arm: &yes[..], against: &no[..] }, Pair { arm: &half[..], against: &no[..] }];
        let rate = rate_difference(&pairs, &alone(10)).unwrap();
        assert!((rate.value - 0.75).abs() < 1e-12);
        assert_eq!((rate.verdict(), rate.test), (Verdict::Higher, Test::SignFlip));
        // Ten pictures, five of them with twice the difference.
        assert!(rate.low > 0.3 && rate.low < 0.6 && rate.high > 0.8 && rate.high <= 1.0, "{rate:?}");
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
        let rate = rate_difference(&pair, &alone(100)).unwrap();
        // Unpaired, the standard error would be 0.07; paired it is 0.024.
        assert_eq!(rate.verdict(), Verdict::Higher, "{rate:?}");
        assert!(rate.high - rate.low < 0.12, "{rate:?}");
    }

    #[test]
    fn what_is_undefined_is_none() {
        let fakes = Scored::new(&[1.0, 2.0], &[Fake, Fake], 0.0);
        let pair = [Pair { arm: fakes.clone(), against: fakes }];
        assert_eq!(auc_difference(&pair, &alone(2), 0), None);
        assert_eq!(rate_difference(&[], &alone(2)), None);
        let empty: [Pair<&[bool]>; 1] = [Pair { arm: &[], against: &[] }];
        assert_eq!(rate_difference(&empty, &Groups::new::<&str>(&[])), None);
    }

    #[test]
    fn nothing_seen_is_not_nothing_there() {
        // Both arms fail on every one of fifty pictures.
        let none = [false; 50];
        let pair = [Pair { arm: &none[..], against: &none[..] }];
        let alone = rate_difference(&pair, &alone(50)).unwrap();
        assert_eq!((alone.value, alone.p, alone.verdict()), (0.0, Some(1.0), Verdict::NoEffect));
        // The rule of three says 3 / 50, Wilson a little more.
        assert!(alone.low < -0.06 && alone.high > 0.06 && alone.high < 0.1, "{alone:?}");
        let least = alone.detectable.unwrap();
        assert!(least > 0.1 && least < 0.2 && alone.detectable_pictures == Some(least), "{alone:?}");
        // Of ten people with five pictures each far less is known.
        let names: Vec<String> = (0..50).map(|picture| (picture / 5).to_string()).collect();
        let people = rate_difference(&pair, &Groups::new(&names)).unwrap();
        assert!(people.high > 2.0 * alone.high && people.detectable > alone.detectable, "{people:?}");
        assert_eq!(people.detectable_pictures, Some(least));
        // Of three people nothing could be shown at all.
        let three: Vec<String> = (0..50).map(|picture| (picture % 3).to_string()).collect();
        assert_eq!(rate_difference(&pair, &Groups::new(&three)).unwrap().detectable, None);
    }

    #[test]
    fn verdict_p_and_interval_never_disagree() {
        let mut random = random::stream(4, &["agree".into()]);
        for trial in 0..400 {
            let n = random.random_range(4..60);
            let names: Vec<String> = (0..n).map(|picture| (picture / (1 + trial % 4)).to_string()).collect();
            let (often, seldom) = (random.random_range(0.0..1.0), random.random_range(0.0..1.0));
            let mut flags = |share: f64| (0..n).map(|_| random.random_bool(share)).collect::<Vec<bool>>();
            let flags = [flags(often), flags(seldom), flags(often), flags(seldom)];
            let pairs = [
                Pair { arm: &flags[0][..], against: &flags[1][..] },
                Pair { arm: &flags[2][..], against: &flags[3][..] },
            ];
            let found = rate_difference(&pairs[..1 + trial % 2], &Groups::new(&names)).unwrap();
            assert!(found.low < found.high && found.low <= found.value && found.value <= found.high);
            let strictly_within = found.low < 0.0 && found.high > 0.0;
            let shown = found.verdict() != Verdict::NoEffect;
            assert_eq!(shown, found.p.unwrap() < LEVEL && found.value != 0.0, "{found:?}");
            assert!(!(shown && strictly_within), "{found:?}");
            assert!(shown || found.low <= 0.0 && found.high >= 0.0, "{found:?}");
            // That every picture shows another person can only help.
            let of = |least: Option<f64>| least.unwrap_or(f64::INFINITY);
            assert!(of(found.detectable_pictures) <= of(found.detectable), "{found:?}");
        }
    }

    #[test]
    fn people_who_differ_as_groups_are_called_different_one_time_in_twenty() {
        let mut random = random::stream(12, &["people".into()]);
        let names: Vec<String> = (0..200).map(|picture| (picture / 10).to_string()).collect();
        let groups = Groups::new(&names);
        let mut called = 0;
        for _ in 0..400 {
            // Ten pictures of a person are right or wrong together, so McNemar's test over
            // pictures would call nearly every second difference of chance an effect.
            let mut flags = || -> Vec<bool> {
                let people: Vec<bool> = (0..20).map(|_| random.random_bool(0.5)).collect();
                (0..200).map(|picture| people[picture / 10]).collect()
            };
            let (arm, against) = (flags(), flags());
            let found = rate_difference(&[Pair { arm: &arm[..], against: &against[..] }], &groups).unwrap();
            assert_eq!(found.test, Test::SignFlip);
            called += usize::from(found.verdict() != Verdict::NoEffect);
        }
        assert!(called <= 34, "{called} of 400");
    }

    #[test]
    fn chance_differences_are_called_effects_about_one_time_in_twenty() {
        let mut random = random::stream(11, &["test".into()]);
        let mut called = 0;
        for _ in 0..200 {
            let mut flags = || (0..80).map(|_| random.random_bool(0.6)).collect::<Vec<bool>>();
            let (arm, against) = (flags(), flags());
            let pair = [Pair { arm: &arm[..], against: &against[..] }];
            let rate = rate_difference(&pair, &alone(80)).unwrap();
            called += usize::from(rate.verdict() != Verdict::NoEffect);
        }
        assert!((2..=22).contains(&called), "{called} of 200");
    }
}
