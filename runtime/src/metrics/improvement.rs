//! The probability of improvement: that a model trained in one way has a higher figure than one
//! trained in the other (Agarwal et al. 2021, Deep reinforcement learning at the edge of the
//! statistical precipice, NeurIPS, section 4.3: Mann and Whitney's U over all pairs of runs).
//! It says how often one would be better, not by how much.

use super::intervals::wilson_at;
use super::{Estimate, Z};

/// Over several seeds: the share of pairs of a run of `arm` and one of `against` in which the
/// former is higher, ties counted half. The 95 % interval solves for the probability with Hanley
/// and McNeil's variance (1982, Radiology 143, 29-36), both numbers of runs taken as their mean:
/// method 5 of Newcombe (2006, Confidence intervals for an effect size measure based on the
/// Mann-Whitney statistic, part 2, Statistics in Medicine 25, 559-573). It is never of zero
/// width: three runs against three, all higher, leave 0.501 to 1. `None` without runs.
pub fn over_seeds(arm: &[f64], against: &[f64]) -> Option<Estimate> {
    let pairs = (arm.len() * against.len()) as f64;
    let wins = |value: f64| {
        let won = |other: &f64| {
            if value > *other {
                1.0
            } else if value == *other {
                0.5
            } else {
                0.0
            }
        };
        against.iter().map(won).sum::<f64>()
    };
    if pairs == 0.0 {
        return None;
    }
    let value = arm.iter().map(|value| wins(*value)).sum::<f64>() / pairs;
    let others = 0.5 * (arm.len() + against.len()) as f64 - 1.0;
    // Whether `value` is within 1.96 standard deviations of the probability `at`.
    let near = |at: f64| {
        let variance = at * (1.0 - at) * (1.0 + others * ((1.0 - at) / (2.0 - at) + at / (1.0 + at))) / pairs;
        (value - at).powi(2) <= Z * Z * variance
    };
    let end = |mut outside: f64| {
        if value == outside {
            return outside;
        }
        let mut inside = value;
        for _ in 0..60 {
            let middle = 0.5 * (inside + outside);
            if near(middle) { inside = middle } else { outside = middle }
        }
        inside
    };
    Some(Estimate { value, low: end(0.0), high: end(1.0) })
}

/// Of one seed: the share of bootstrap `draws` of the difference over groups that are above zero,
/// ties counted half: that of other samples of as many `groups` on which this model would be
/// ahead. The interval has the shares if the true difference lay at the ends of its own 95 %
/// interval, `low` and `high`, and at least Wilson's of `groups` tosses.
pub fn over_groups(draws: &[f64], difference: Estimate, groups: usize) -> Estimate {
    let share = |moved: f64| {
        let ahead = draws.iter().filter(|draw| **draw + moved > 0.0).count() as f64;
        let level = draws.iter().filter(|draw| **draw + moved == 0.0).count() as f64;
        if draws.is_empty() { 0.5 } else { (ahead + 0.5 * level) / draws.len() as f64 }
    };
    let value = share(0.0);
    let tosses = wilson_at(value, groups.max(1) as f64, Z);
    Estimate {
        value,
        low: share(difference.low - difference.value).min(tosses.low),
        high: share(difference.high - difference.value).max(tosses.high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn pairs_by_hand() {
        // 3 is above all three, 2 above 1 and level with 2, 0 above none: (3 + 1.5 + 0) / 9.
        let found = over_seeds(&[3.0, 2.0, 0.0], &[1.0, 2.0, 2.5]).unwrap();
        close(found.value, 4.5 / 9.0);
        close(found.low + found.high, 1.0);
        let all = over_seeds(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((all.value, all.high), (1.0, 1.0));
        let none = over_seeds(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!((none.value, none.low), (0.0, 0.0));
        close(none.high, 1.0 - all.low);
        // The end solves (1 - p)^2 = 1.96^2 p (1 - p) (1 + 2 ((1 - p) / (2 - p) + p / (1 + p))) / 9.
        let p = all.low;
        let variance = p * (1.0 - p) * (1.0 + 2.0 * ((1.0 - p) / (2.0 - p) + p / (1.0 + p))) / 9.0;
        close((1.0 - p).powi(2), Z * Z * variance);
        close(p, 0.501_019);
        assert_eq!(over_seeds(&[], &[1.0]), None);
    }

    #[test]
    fn more_runs_tell_more() {
        let runs = |n: usize, from: f64| (0..n).map(|run| from + run as f64 / 100.0).collect::<Vec<_>>();
        let width = |n: usize| {
            let found = over_seeds(&runs(n, 1.0), &runs(n, 0.0)).unwrap();
            found.high - found.low
        };
        assert!(width(2) > width(3) && width(3) > width(5) && width(5) > width(10));
        assert!(width(1) > 0.7, "of one run each nearly nothing is known");
    }

    #[test]
    fn one_seed_counts_draws() {
        let draws: Vec<f64> = (0..100).map(|draw| f64::from(draw) - 19.5).collect();
        let found = over_groups(&draws, Estimate { value: 30.0, low: -20.0, high: 80.0 }, 40);
        close(found.value, 0.8);
        close(found.low, 0.3);
        close(found.high, 1.0);
        // Nothing differs on any draw: the groups alone say how little that shows.
        let level = over_groups(&[0.0; 50], Estimate { value: 0.0, low: -0.1, high: 0.1 }, 20);
        assert_eq!((level.value, level.low, level.high), (0.5, 0.0, 1.0));
        let sure = over_groups(&[1.0; 50], Estimate { value: 1.0, low: 0.9, high: 1.0 }, 20);
        assert!(sure.value == 1.0 && sure.low < 0.9 && sure.high == 1.0, "{sure:?}");
    }
}
