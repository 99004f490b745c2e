//! Intervals of any figure of several models on the same pictures. A draw of the bootstrap takes
//! groups of pictures (people, videos) with replacement and, where an arm has several models
//! (training seeds), its models too. The draws are made once and serve all figures and arms, so that
//! differences and ratios between arms are paired.

use super::Z;
use super::intervals::{Groups, RESAMPLES, wilson_at};
use super::quantile::quantile;
use crate::random;
use rand::RngExt;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A figure with its 95 % interval, which is missing where the draws do not vary: of one picture, or
/// of values that are all equal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranged {
    /// The figure.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub high: Option<f64>,
}

impl Ranged {
    /// Its interval.
    pub fn interval(&self) -> Option<(f64, f64)> {
        Some((self.low?, self.high?))
    }
}

/// How often each picture, and each model of each arm, counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// By picture.
    pub pictures: Vec<u32>,
    /// By arm, then by model.
    pub models: Vec<Vec<u32>>,
}

/// The draws of a bootstrap.
#[derive(Clone, Debug)]
pub struct Draws {
    draws: Vec<Draw>,
    whole: Draw,
    units: usize,
}

impl Draws {
    /// [`RESAMPLES`] draws of `groups` of pictures and of the models of arms that have `models[arm]`
    /// of them, under `seed`.
    pub fn new(groups: &Groups, models: &[usize], seed: u64) -> Self {
        let of = |index: usize| {
            let models = models.iter().enumerate().map(|(arm, &count)| {
                let name = ["bootstrap of models".into(), (index as u64).into(), (arm as u64).into()];
                let mut random = random::stream(seed, &name);
                let mut drawn = vec![0; count];
                (0..count).for_each(|_| drawn[random.random_range(0..count)] += 1);
                drawn
            });
            Draw { pictures: groups.draw(seed, index), models: models.collect() }
        };
        let count = if groups.pictures() == 0 { 0 } else { RESAMPLES };
        Self {
            draws: (0..count).into_par_iter().map(of).collect(),
            whole: Draw {
                pictures: vec![1; groups.pictures()],
                models: models.iter().map(|&count| vec![1; count]).collect(),
            },
            units: groups.units(),
        }
    }

    /// The figure `of` with the 2.5 % and 97.5 % quantiles of its draws, widened where needed to
    /// contain the figure. Draws that leave it undefined do not count. `None` where it is undefined.
    pub fn estimate(&self, of: impl Fn(&Draw) -> Option<f64> + Sync) -> Option<Ranged> {
        let of = |draw: &Draw| of(draw).filter(|value| value.is_finite());
        let value = of(&self.whole)?;
        let mut drawn: Vec<f64> = self.draws.par_iter().filter_map(of).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let varies = drawn.first() != drawn.last();
        let end = |q: f64| varies.then(|| quantile(&drawn, q));
        Some(Ranged {
            value,
            low: end(0.025).map(|low| low.min(value)),
            high: end(0.975).map(|high| high.max(value)),
        })
    }

    /// The share `of`, from 0 to 1, as [`Draws::estimate`]; where the draws do not vary, its interval is
    /// Wilson's with the number of groups as n, because a share of 1 among ten people leaves room for less.
    pub fn share(&self, of: impl Fn(&Draw) -> Option<f64> + Sync) -> Option<Ranged> {
        let found = self.estimate(of)?;
        if found.low.is_some() {
            return Some(found);
        }
        let wilson = wilson_at(found.value.clamp(0.0, 1.0), self.units.max(1) as f64, Z);
        Some(Ranged { value: found.value, low: Some(wilson.low), high: Some(wilson.high) })
    }
}

/// A value for each model of an arm and each picture, where it is defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which arm of a [`Draw`].
    pub arm: usize,
    /// By model, then by picture.
    pub values: Vec<Vec<Option<f64>>>,
}

impl Series {
    /// The defined values and how often each counts in `draw`.
    pub fn weighted<'a>(&'a self, draw: &'a Draw) -> impl Iterator<Item = (f64, u32)> + 'a {
        let models = self.values.iter().zip(&draw.models[self.arm]).filter(|(_, weight)| **weight > 0);
        models.flat_map(move |(values, &model)| {
            let pictures = values.iter().zip(&draw.pictures);
            pictures.filter_map(move |(value, &picture)| Some(((*value)?, model * picture)))
        })
    }

    /// The series of `of` of each value.
    pub fn map(&self, of: impl Fn(f64) -> Option<f64>) -> Self {
        let one = |values: &Vec<Option<f64>>| values.iter().map(|value| value.and_then(&of)).collect();
        Self { arm: self.arm, values: self.values.iter().map(one).collect() }
    }

    /// The mean of its values.
    pub fn mean(&self, draw: &Draw) -> Option<f64> {
        mean(self.weighted(draw))
    }

    /// The quantile `q` of its values.
    pub fn quantile(&self, draw: &Draw, q: f64) -> Option<f64> {
        let repeated = self.weighted(draw);
        let mut values: Vec<f64> =
            repeated.flat_map(|(value, count)| std::iter::repeat_n(value, count as usize)).collect();
        values.sort_unstable_by(f64::total_cmp);
        (!values.is_empty()).then(|| quantile(&values, q))
    }

    /// For each picture the mean over the models of `draw` that have a value.
    pub fn by_picture(&self, draw: &Draw) -> Vec<Option<f64>> {
        let models = &draw.models[self.arm];
        let of = |picture: usize| {
            let values = self.values.iter().zip(models);
            mean(values.filter_map(|(values, &weight)| Some((values[picture]?, weight))))
        };
        (0..draw.pictures.len()).map(of).collect()
    }
}

/// The mean over pictures of `arm` - `against`, each averaged over its models; pictures that one of
/// them lacks do not count.
pub fn paired_difference(arm: &Series, against: &Series, draw: &Draw) -> Option<f64> {
    let pairs = arm.by_picture(draw).into_iter().zip(against.by_picture(draw));
    mean(pairs.zip(&draw.pictures).filter_map(|((a, b), &weight)| Some((a? - b?, weight))))
}

/// The mean of values, each counted as often as its weight says; `None` without any.
pub fn mean(weighted: impl Iterator<Item = (f64, u32)>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for (value, weight) in weighted {
        sum += value * f64::from(weight);
        count += u64::from(weight);
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(n: usize) -> Groups {
        Groups::new(&(0..n).map(|at| at.to_string()).collect::<Vec<_>>())
    }

    fn series(arm: usize, values: &[&[f64]]) -> Series {
        let model = |values: &&[f64]| values.iter().map(|&value| Some(value)).collect();
        Series { arm, values: values.iter().map(model).collect() }
    }

    #[test]
    fn an_interval_of_a_mean_has_the_known_width() {
        let values: Vec<f64> = (0..200).map(|at| f64::from(at % 20)).collect();
        let draws = Draws::new(&named(200), &[1], 0);
        let one = series(0, &[&values]);
        let found = draws.estimate(|draw| one.mean(draw)).unwrap();
        // The standard deviation of 0 to 19 is 5.77; 1.96 standard errors of 200 are 0.80 each way.
        let (low, high) = found.interval().unwrap();
        assert_eq!(found.value, 9.5);
        assert!((high - low - 1.6).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn models_are_drawn_as_well() {
        let draws = Draws::new(&named(40), &[3], 0);
        // No difference between pictures, but between models.
        let three = series(0, &[&[1.0; 40], &[2.0; 40], &[6.0; 40]]);
        let found = draws.estimate(|draw| three.mean(draw)).unwrap();
        assert_eq!((found.value, found.interval()), (3.0, Some((1.0, 6.0))));
        assert_eq!(three.quantile(&draws.whole, 0.5), Some(2.0));
    }

    #[test]
    fn what_does_not_vary_has_no_interval() {
        let draws = Draws::new(&named(5), &[1], 0);
        let found = draws.estimate(|draw| series(0, &[&[4.0; 5]]).mean(draw)).unwrap();
        assert_eq!(found, Ranged { value: 4.0, low: None, high: None });
        assert_eq!(draws.estimate(|_| None), None);
        assert_eq!(draws.estimate(|_| Some(f64::NAN)), None);
        assert_eq!(Draws::new(&named(0), &[1], 0).estimate(|draw| series(0, &[&[]]).mean(draw)), None);
    }

    #[test]
    fn a_share_of_all_leaves_room_for_less() {
        let draws = Draws::new(&named(10), &[1], 0);
        let all = draws.share(|draw| series(0, &[&[1.0; 10]]).mean(draw)).unwrap();
        // Wilson's lower end of 10 of 10.
        assert!((all.low.unwrap() - (1.0 - 0.277_53)).abs() < 1e-5 && all.high == Some(1.0), "{all:?}");
        let half: Vec<f64> = (0..10).map(|at| f64::from(at % 2)).collect();
        let half = series(0, &[&half]);
        assert_eq!(draws.share(|draw| half.mean(draw)), draws.estimate(|draw| half.mean(draw)));
    }

    #[test]
    fn differences_are_of_the_same_picture() {
        let arm =
            Series { arm: 0, values: vec![vec![Some(3.0), Some(50.0), None], vec![Some(5.0), None, None]] };
        let against = series(1, &[&[1.0, 10.0, 7.0]]);
        let draws = Draws::new(&named(3), &[2, 1], 0);
        assert_eq!(arm.by_picture(&draws.whole), [Some(4.0), Some(50.0), None]);
        // (4 - 1 + 50 - 10) / 2.
        assert_eq!(paired_difference(&arm, &against, &draws.whole), Some(21.5));
        let far: Vec<f64> = (0..60).map(|at| 100.0 * f64::from(at)).collect();
        let moved: Vec<f64> =
            far.iter().enumerate().map(|(at, value)| value + 1.0 + (at % 2) as f64).collect();
        let (far, moved) = (series(1, &[&far]), series(0, &[&moved]));
        let draws = Draws::new(&named(60), &[1, 1], 0);
        let found = draws.estimate(|draw| paired_difference(&moved, &far, draw)).unwrap();
        let (low, high) = found.interval().unwrap();
        assert!(low > 1.3 && high < 1.7, "what pictures have in common cancels: {found:?}");
    }
}
