//! The interval of a difference of two shares on the same pictures, never of zero width: method
//! 10 of Newcombe (1998, Improved confidence intervals for the difference between binomial
//! proportions based on paired data, Statistics in Medicine 17, 2635-2650), which combines the
//! two shares' Wilson intervals and takes their correlation into account.
//!
//! Pictures of a person are correlated; then n is not the number of pictures but their effective
//! number: n divided by the design effect (Rao and Scott 1992, A simple method for the analysis
//! of clustered binary data, Biometrics 48, 577-585), as Yang, Sun and Hardin (2012,
//! Pharmaceutical Statistics 11, 386-393) do with the same interval.

use super::Estimate;
use super::intervals::{Groups, wilson_at};
use super::pair::{Pair, seeds_gained};

/// The shares of pictures that both arms, one arm alone, or neither classify correctly; means
/// over the training seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Table {
    both: f64,
    arm_alone: f64,
    against_alone: f64,
    neither: f64,
}

impl Table {
    /// The table of `pairs`, with at least one picture.
    pub(super) fn of(pairs: &[Pair<&[bool]>]) -> Self {
        let all = pairs.iter().map(|pair| pair.arm.len()).sum::<usize>() as f64;
        let share = |wanted: (bool, bool)| {
            let count = |pair: &Pair<&[bool]>| {
                let flags = pair.arm.iter().copied().zip(pair.against.iter().copied());
                flags.filter(|flags| *flags == wanted).count()
            };
            pairs.iter().map(count).sum::<usize>() as f64 / all
        };
        Self {
            both: share((true, true)),
            arm_alone: share((true, false)),
            against_alone: share((false, true)),
            neither: share((false, false)),
        }
    }

    /// The share of pictures that exactly one arm classifies correctly.
    pub fn discordant(&self) -> f64 {
        self.arm_alone + self.against_alone
    }

    /// arm - against.
    fn difference(&self) -> f64 {
        self.arm_alone - self.against_alone
    }

    /// The variance of the difference on one independent picture.
    pub(super) fn spread(&self) -> f64 {
        self.discordant() - self.difference().powi(2)
    }

    /// The difference with the interval that reaches `z` standard deviations each way, from `n`
    /// independent pictures (need not be whole).
    pub(super) fn interval_at(&self, n: f64, z: f64) -> Estimate {
        let arm = self.both + self.arm_alone;
        let against = self.both + self.against_alone;
        let margins = arm * (1.0 - arm) * against * (1.0 - against);
        let excess = self.both * self.neither - self.arm_alone * self.against_alone;
        // Newcombe's correction for continuity, n / 2 in counts.
        let excess = if excess > 0.0 { (excess - 0.5 / n).max(0.0) } else { excess };
        let correlation = if margins > 0.0 { (excess / margins.sqrt()).clamp(-1.0, 1.0) } else { 0.0 };
        let found = combined_difference(
            wilson_at(arm.min(1.0), n, z),
            wilson_at(against.min(1.0), n, z),
            correlation,
        );
        Estimate { value: self.difference(), ..found }
    }

    /// The effective number of independent pictures for the difference, from its variance over
    /// groups and over independent pictures. At least the groups themselves (Kish's effective
    /// number where they are unequal), at most every picture of every seed. Where no picture
    /// differs, the arms' own decisions show the correlation within groups; where these do not
    /// vary either, a group counts as one picture.
    pub(super) fn effective_pictures(&self, pairs: &[Pair<&[bool]>], groups: &Groups) -> f64 {
        let n = groups.pictures() as f64;
        let sizes = groups.sums(|_| 1);
        let least = n * n / sizes.iter().map(|&size| (size * size) as f64).sum::<f64>();
        let seeds = pairs.len() as f64;
        let independent = self.spread();
        let differ = variance(groups, &sizes, |picture| seeds_gained(pairs, picture) as f64 / seeds);
        let effective_pictures = if differ > 0.0 {
            independent / differ
        } else {
            let right = |picture: usize| f64::from(u8::from(pairs[0].arm[picture]));
            let arm = (0..groups.pictures()).map(right).sum::<f64>() / n;
            let varies = variance(groups, &sizes, right);
            if varies > 0.0 { (arm * (1.0 - arm) / varies).min(n) } else { least }
        };
        effective_pictures.clamp(least, n * seeds)
    }
}

/// The variance of the mean of `value` over pictures when groups are sampled.
fn variance(groups: &Groups, sizes: &[i64], value: impl Fn(usize) -> f64) -> f64 {
    let n = groups.pictures() as f64;
    let mean = (0..groups.pictures()).map(&value).sum::<f64>() / n;
    let mut sums = vec![0.0; sizes.len()];
    (0..groups.pictures()).for_each(|picture| sums[groups.unit(picture)] += value(picture));
    let squares: f64 = sums.iter().zip(sizes).map(|(sum, &size)| (sum - size as f64 * mean).powi(2)).sum();
    let count = sizes.len() as f64;
    count / (count - 1.0).max(1.0) * squares / (n * n)
}

/// The difference of two metrics with an interval from their own and their `correlation`: squares
/// of the distances to the ends are added (Newcombe 1998; Zou and Donner 2008, Statistics in
/// Medicine 27, 1693-1702, for any two metrics).
pub(super) fn combined_difference(one: Estimate, other: Estimate, correlation: f64) -> Estimate {
    let value = one.value - other.value;
    let joined = |a: f64, b: f64| (a * a - 2.0 * correlation * a * b + b * b).max(0.0).sqrt();
    Estimate {
        value,
        low: (value - joined(one.value - one.low, other.high - other.value)).max(-1.0),
        high: (value + joined(one.high - one.value, other.value - other.low)).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Z;
    use super::*;
    use crate::random;
    use rand::RngExt;

    fn table(counts: [usize; 4]) -> (Table, f64) {
        let n = counts.iter().sum::<usize>() as f64;
        let [both, arm_alone, against_alone, neither] = counts.map(|count| count as f64 / n);
        (Table { both, arm_alone, against_alone, neither }, n)
    }

    fn interval(counts: [usize; 4]) -> Estimate {
        let (table, n) = table(counts);
        table.interval_at(n, Z)
    }

    /// The same written as Newcombe does, in counts.
    fn slow([a, b, c, d]: [usize; 4]) -> [f64; 2] {
        let [e, f, g, h] = [a, b, c, d].map(|count| count as f64);
        let (n, z) = (e + f + g + h, Z);
        let wilson = |successes: f64| {
            let root = z * (z * z + 4.0 * successes * (n - successes) / n).sqrt();
            let middle = 2.0 * successes + z * z;
            [(middle - root) / (2.0 * (n + z * z)), (middle + root) / (2.0 * (n + z * z))]
        };
        let ([l2, u2], [l3, u3]) = (wilson(e + f), wilson(e + g));
        let product = (e + f) * (g + h) * (e + g) * (f + h);
        let q = e * h - f * g;
        let q = if q > n / 2.0 {
            q - n / 2.0
        } else if q >= 0.0 {
            0.0
        } else {
            q
        };
        let phi = if product > 0.0 { q / product.sqrt() } else { 0.0 };
        let ([p2, p3], theta) = ([(e + f) / n, (e + g) / n], (f - g) / n);
        let delta = ((p2 - l2).powi(2) - 2.0 * phi * (p2 - l2) * (u3 - p3) + (u3 - p3).powi(2)).sqrt();
        let epsilon = ((p3 - l3).powi(2) - 2.0 * phi * (p3 - l3) * (u2 - p2) + (u2 - p2).powi(2)).sqrt();
        [theta - delta, theta + epsilon]
    }

    #[test]
    fn it_is_newcombes() {
        // An example of the paper: 20, 12, 2 and 16 of 50.
        let found = interval([20, 12, 2, 16]);
        assert!((found.value - 0.2).abs() < 1e-12);
        assert!((found.low - 0.0562).abs() < 1e-4 && (found.high - 0.3292).abs() < 1e-4, "{found:?}");
        for counts in
            [[20, 12, 2, 16], [3, 0, 5, 42], [0, 7, 7, 0], [50, 0, 0, 0], [25, 0, 0, 25], [1, 1, 1, 1]]
        {
            let (fast, [low, high]) = (interval(counts), slow(counts));
            assert!((fast.low - low).abs() < 1e-9 && (fast.high - high).abs() < 1e-9, "{counts:?} {fast:?}");
        }
    }

    #[test]
    fn arms_that_do_not_differ_may_still() {
        // Nothing right, everything right, or the same half: no difference seen is none proved.
        for counts in [[0, 0, 0, 50], [50, 0, 0, 0], [25, 0, 0, 25]] {
            let found = interval(counts);
            assert!(found.low < -0.03 && found.high > 0.03, "{counts:?} {found:?}");
        }
    }

    #[test]
    fn it_holds_the_truth_nineteen_times_in_twenty() {
        let mut random = random::stream(3, &["newcombe".into()]);
        for shares in [[0.9, 0.05, 0.02], [0.3, 0.2, 0.1], [0.02, 0.03, 0.03], [0.5, 0.0, 0.0]] {
            let truth = shares[1] - shares[2];
            let (mut held, trials) = (0, 2000);
            for _ in 0..trials {
                let mut counts = [0; 4];
                for _ in 0..60 {
                    let draw: f64 = random.random();
                    let cell = [shares[0], shares[0] + shares[1], shares[0] + shares[1] + shares[2]];
                    counts[cell.iter().filter(|edge| draw >= **edge).count()] += 1;
                }
                let found = interval(counts);
                held += usize::from(found.low <= truth && truth <= found.high);
            }
            assert!(held as f64 > 0.93 * f64::from(trials), "{shares:?}: {held} of {trials}");
        }
    }

    #[test]
    fn correlated_pictures_count_as_their_people() {
        // Ten pictures each of forty people; where they differ, they differ as one.
        let names: Vec<String> = (0..400).map(|picture| (picture / 10).to_string()).collect();
        let groups = Groups::new(&names);
        let one: Vec<bool> = (0..400).map(|picture| picture / 10 % 2 == 0).collect();
        let other: Vec<bool> = (0..400).map(|picture| picture / 10 % 3 == 0).collect();
        let effective_pictures = |arm: &[bool], against: &[bool]| {
            let pairs = [Pair { arm, against }];
            Table::of(&pairs).effective_pictures(&pairs, &groups)
        };
        assert!((effective_pictures(&one, &other) - 40.0).abs() < 2.0);
        // Pictures that differ by themselves are worth nearly all.
        let alone: Vec<bool> = (0..400).map(|picture| picture * 7 % 11 < 5).collect();
        assert!(effective_pictures(&alone, &[true; 400]) > 300.0);
        // No difference: as alike as the decisions; no decision either way: as the people.
        assert!((effective_pictures(&one, &one) - 40.0).abs() < 2.0);
        assert!(effective_pictures(&alone, &alone) > 300.0);
        assert_eq!(effective_pictures(&[true; 400], &[true; 400]), 40.0);
    }
}
