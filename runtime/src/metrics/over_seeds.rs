//! A figure of one way of training over its seeds: mean, spread, and an interval that speaks of
//! the way of training where there are enough seeds ([`FEWEST_SEEDS`]), else of these models.

use super::crossed::{Crossed, FEWEST_SEEDS, Scope};
use super::intervals::{Groups, RESAMPLES, percentile_estimate, wilson_at};
use super::{Estimate, Z};
use rayon::prelude::*;

/// A figure over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct OverSeeds {
    /// The figure at each seed, on the same pictures.
    pub values: Vec<f64>,
    /// Their mean with its 95 % interval.
    pub mean: Estimate,
    /// Their standard deviation; `None` for one seed.
    pub deviation: Option<f64>,
    /// What the interval speaks of.
    pub scope: Scope,
}

/// The pictures of one seed that a share is of: which count, and which of these are the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether a picture counts. \[N\]
    pub counts: Vec<bool>,
    /// Whether it is of the share, if it counts. \[N\]
    pub good: Vec<bool>,
}

impl Counted {
    /// The share of `good` among all pictures.
    pub fn of_all(good: Vec<bool>) -> Self {
        Self { counts: vec![true; good.len()], good }
    }

    /// The sums of `good` and of all that count, for each unit of `groups`.
    fn sums(&self, groups: &Groups) -> [Vec<i64>; 2] {
        let good = groups.sums(|picture| i64::from(self.counts[picture] && self.good[picture]));
        [good, groups.sums(|picture| i64::from(self.counts[picture]))]
    }
}

/// The mean share over `seeds`; `None` where at one of them no picture counts.
///
/// Of several seeds the interval is that of seeds and groups together; else the bootstrap's over
/// groups under `seed`, and Wilson's where every picture stands alone or nothing varies, as for
/// accuracies ([`super::intervals`]).
pub fn share(seeds: &[Counted], groups: &Groups, seed: u64) -> Option<OverSeeds> {
    let sums: Vec<[Vec<i64>; 2]> = seeds.iter().map(|counted| counted.sums(groups)).collect();
    let totals: Option<Vec<[f64; 2]>> = sums
        .iter()
        .map(|[good, all]| {
            let total = all.iter().sum::<i64>();
            (total > 0).then(|| [good.iter().sum::<i64>() as f64, total as f64])
        })
        .collect();
    let totals = totals.filter(|totals| !totals.is_empty())?;
    let values: Vec<f64> = totals.iter().map(|[good, all]| good / all).collect();
    let involved = (0..groups.units()).filter(|&unit| sums.iter().any(|[_, all]| all[unit] > 0)).count();
    let of_groups = if groups.count() == 1 { 1 } else { involved };
    if seeds.len() >= FEWEST_SEEDS {
        let influence: Vec<Vec<f64>> = sums
            .iter()
            .zip(&totals)
            .zip(&values)
            .map(|((sums, [_, total]), value)| {
                let unit = |(good, all): (&i64, &i64)| (*good as f64 - value * *all as f64) / total;
                sums[0].iter().zip(&sums[1]).map(unit).collect()
            })
            .collect();
        let crossed = Crossed::of_influence(values.clone(), &influence);
        return Some(OverSeeds {
            mean: crossed.interval_of_share(of_groups),
            deviation: crossed.deviation(),
            scope: Scope::Method,
            values,
        });
    }
    let mean = if let ([[_, total]], true) = (&totals[..], groups.are_single_pictures()) {
        wilson_at(values[0], *total, Z)
    } else {
        let draws = (0..RESAMPLES).into_par_iter().filter_map(|index| {
            let weights = groups.draw_units(seed, index);
            let drawn = |part: &[i64]| -> i64 {
                part.iter().zip(&weights).map(|(value, weight)| value * i64::from(*weight)).sum()
            };
            let of = |[good, all]: &[Vec<i64>; 2]| {
                let all = drawn(all);
                (all > 0).then(|| drawn(good) as f64 / all as f64)
            };
            mean_of(sums.iter().map(of))
        });
        percentile_estimate(mean(&values), draws.collect(), Some(of_groups))
    };
    Some(OverSeeds { deviation: deviation(&values), scope: Scope::Models, mean, values })
}

/// The mean over `seeds` of a figure that `of` gives for a seed's place and the pictures' weights
/// (how often each is drawn); `None` where it is undefined at one of them.
///
/// `bounds` of a figure between 0 and 1 is the number of independent groups, of which its interval
/// is Wilson's where nothing varies; other figures are lengths, at least 0, without one.
pub fn drawn(
    seeds: usize,
    groups: &Groups,
    seed: u64,
    bounds: Option<usize>,
    of: impl Fn(usize, &[u32]) -> Option<f64> + Sync,
) -> Option<OverSeeds> {
    let at = |weights: &[u32]| -> Option<Vec<f64>> { (0..seeds).map(|seed| of(seed, weights)).collect() };
    let values = at(&vec![1; groups.pictures()]).filter(|values| !values.is_empty())?;
    let draws = (0..RESAMPLES).into_par_iter();
    let draws: Vec<Vec<f64>> = draws.filter_map(|index| at(&groups.draw(seed, index))).collect();
    let deviation = deviation(&values);
    if seeds < FEWEST_SEEDS {
        let means = draws.iter().map(|draw| mean(draw)).collect();
        let mean = percentile_estimate(mean(&values), means, bounds);
        return Some(OverSeeds { mean, deviation, scope: Scope::Models, values });
    }
    let crossed = Crossed::of_draws(values.clone(), &draws, groups.units());
    let mean = match bounds {
        Some(independent) => crossed.interval_of_share(independent),
        None => {
            let found = crossed.interval();
            Estimate { low: found.low.max(0.0), ..found }
        }
    };
    Some(OverSeeds { mean, deviation, scope: Scope::Method, values })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean of all; `None` where one is missing.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Option<Vec<f64>> = values.collect();
    values.filter(|values| !values.is_empty()).map(|values| mean(&values))
}

/// The standard deviation over seeds; `None` for one.
pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::intervals::{Scored, metrics, rate, wilson};
    use super::*;
    use crate::random;
    use crate::sample::Label::{self, Fake, Real};
    use rand::RngExt;

    fn people(pictures: usize, each: usize) -> Vec<String> {
        (0..pictures).map(|picture| (picture / each).to_string()).collect()
    }

    fn flags(random: &mut impl rand::Rng, n: usize, share: f64) -> Vec<bool> {
        (0..n).map(|_| random.random_bool(share)).collect()
    }

    #[test]
    fn one_seed_is_what_the_evaluation_says() {
        let mut random = random::stream(1, &["over seeds".into()]);
        let labels: Vec<Label> = (0..120).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
        let logits: Vec<f32> =
            labels.iter().map(|label| label.sign() + random.random_range(-2.0..2.0)).collect();
        for each in [1, 4] {
            let names = people(120, each);
            let groups = Groups::new(&names);
            let told = metrics(&logits, &labels, &names, 0.1, 0);
            let scored = Scored::new(&logits, &labels, 0.1);
            let accuracy = share(&[Counted::of_all(scored.right().to_vec())], &groups, 0).unwrap();
            assert_eq!((Some(accuracy.mean), accuracy.deviation), (told.accuracy, None));
            assert_eq!(rate(scored.right(), &names, 0), Some(accuracy.mean));
            assert_eq!(accuracy.scope, Scope::Models);
            let auc = drawn(1, &groups, 0, Some(30), |_, weights| scored.auc(weights)).unwrap();
            assert_eq!(Some(auc.mean), told.auc);
        }
    }

    #[test]
    fn a_part_of_the_pictures_counts() {
        let counted = Counted {
            counts: vec![true, true, true, true, false, false],
            good: vec![true, false, false, false, true, true],
        };
        let found = share(std::slice::from_ref(&counted), &Groups::new(&people(6, 1)), 0).unwrap();
        assert_eq!(found.mean, wilson(1, 4));
        let none = Counted { counts: vec![false; 6], ..counted };
        assert_eq!(share(&[none], &Groups::new(&people(6, 1)), 0), None);
        assert_eq!(share(&[], &Groups::new(&people(6, 1)), 0), None);
    }

    #[test]
    fn several_seeds_by_numpy() {
        // Rights of four people with 2, 3, 4 and 3 pictures at three seeds. NumPy and SciPy, with
        // C the covariance of (right - share * pictures) / 12 over people times 4 / 3:
        // variance 0.0213477, 4.88639 degrees of freedom, t = 2.588662.
        let rights = [[2, 1, 3, 2], [1, 1, 4, 2], [2, 0, 2, 1]];
        let sizes = [2, 3, 4, 3];
        let names: Vec<String> =
            sizes.iter().enumerate().flat_map(|(person, &size)| vec![person.to_string(); size]).collect();
        let seeds: Vec<Counted> = rights
            .iter()
            .map(|rights| {
                let person = |(&right, &size): (&usize, &usize)| (0..size).map(move |i| i < right).collect();
                Counted::of_all(rights.iter().zip(&sizes).flat_map::<Vec<bool>, _>(person).collect())
            })
            .collect();
        let found = share(&seeds, &Groups::new(&names), 0).unwrap();
        assert_eq!(found.scope, Scope::Method);
        let [value, deviation, low, high] =
            [0.583_333_333_333, 0.144_337_567_297, 0.250_786_186_999, 0.854_130_069_302];
        assert!((found.mean.value - value).abs() < 1e-9, "{found:?}");
        assert!((found.deviation.unwrap() - deviation).abs() < 1e-6, "{found:?}");
        assert!((found.mean.low - low).abs() < 1e-6 && (found.mean.high - high).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn the_bootstraps_covariance_is_that_of_the_closed_form() {
        let mut random = random::stream(4, &["both".into()]);
        let groups = Groups::new(&people(200, 5));
        let seeds: Vec<Vec<bool>> = (0..3).map(|_| flags(&mut random, 200, 0.7)).collect();
        let counted: Vec<Counted> = seeds.iter().cloned().map(Counted::of_all).collect();
        let closed = share(&counted, &groups, 0).unwrap();
        let of = |seed: usize, weights: &[u32]| {
            let right = seeds[seed].iter().zip(weights).filter(|(right, _)| **right);
            Some(right.map(|(_, weight)| f64::from(*weight)).sum::<f64>() / 200.0)
        };
        let drawn = drawn(3, &groups, 0, Some(40), of).unwrap();
        assert!((drawn.mean.low - closed.mean.low).abs() < 0.01, "{drawn:?} {closed:?}");
        assert!((drawn.mean.high - closed.mean.high).abs() < 0.01, "{drawn:?} {closed:?}");
    }

    #[test]
    fn what_does_not_vary_has_an_interval_all_the_same() {
        let groups = Groups::new(&people(40, 4));
        for seeds in [1, 2, 3, 5] {
            for right in [true, false] {
                let found = share(&vec![Counted::of_all(vec![right; 40]); seeds], &groups, 0).unwrap();
                assert_eq!(found.mean, wilson(if right { 10 } else { 0 }, 10), "{seeds} seeds");
            }
            let perfect = drawn(seeds, &groups, 0, Some(10), |_, _| Some(1.0)).unwrap();
            assert_eq!(perfect.mean, wilson(10, 10));
            assert_eq!(perfect.deviation, (seeds > 1).then_some(0.0));
        }
        let one = Groups::new(&["same"; 12]);
        let found = share(&vec![Counted::of_all(vec![true; 12]); 4], &one, 0).unwrap();
        assert_eq!(found.mean, wilson(1, 1), "of one person nothing follows");
    }

    #[test]
    fn seeds_that_differ_widen_the_interval() {
        let mut random = random::stream(6, &["widen".into()]);
        let groups = Groups::new(&people(400, 1));
        let of = |shares: [f64; 4], random: &mut _| {
            let seeds: Vec<Counted> =
                shares.iter().map(|share| Counted::of_all(flags(random, 400, *share))).collect();
            let found = share(&seeds, &groups, 0).unwrap().mean;
            found.high - found.low
        };
        let (alike, apart) = (of([0.6; 4], &mut random), of([0.4, 0.5, 0.7, 0.8], &mut random));
        assert!(alike < 0.15 && apart > 0.4, "{alike} {apart}");
    }
}
