//! How far apart reals and fakes are in the statistics of a tap: standardised mean differences (Cohen
//! 1988) and the Fréchet distance of Gaussians (Dowson & Landau 1982), both of diagonal covariance.

use crate::metrics::quantile::quantile;
use crate::random;
use crate::sample::Label;
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Shuffles of the labels behind [`effect_by_chance`].
const SHUFFLES: usize = 200;

/// Statistics of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics<'a> {
    /// [N, width].
    pub values: &'a [f32],
    /// 2C.
    pub width: usize,
}

/// The distance between two classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distance {
    /// The mean |d| over the statistics that vary.
    pub effect: f64,
    /// The Fréchet distance.
    pub frechet: f64,
    /// Statistics without a deviation within the classes.
    pub constant: usize,
}

/// The distance between the pictures of both labels, each counted as often as its weight says. `None`
/// where a class has fewer than two, or no statistic varies.
pub(super) fn distance(statistics: Statistics<'_>, labels: &[Label], weights: &[u32]) -> Option<Distance> {
    let Statistics { values, width } = statistics;
    assert_eq!(values.len(), labels.len() * width, "statistics are [N, 2C]");
    let of = |class: Label| moments(values, width, labels, weights, class);
    let (reals, fakes) = (of(Label::Real)?, of(Label::Fake)?);
    let freedom = reals.count + fakes.count - 2.0;
    let (mut effects, mut varying, mut frechet) = (0.0, 0_usize, 0.0);
    for at in 0..width {
        let gap = fakes.mean[at] - reals.mean[at];
        let squares = reals.squares[at] + fakes.squares[at];
        let pooled = (squares / freedom).sqrt();
        // Rounding leaves a trace of a deviation in what does not vary.
        if pooled > 1e-9 * (reals.mean[at].abs() + fakes.mean[at].abs()) {
            effects += gap.abs() / pooled;
            varying += 1;
        }
        let deviation = |one: &Moments| (one.squares[at] / (one.count - 1.0)).sqrt();
        frechet += gap * gap + (deviation(&fakes) - deviation(&reals)).powi(2);
    }
    (varying > 0).then(|| Distance { effect: effects / varying as f64, frechet, constant: width - varying })
}

struct Moments {
    count: f64,
    mean: Vec<f64>,
    /// Sums of squared deviations from the mean.
    squares: Vec<f64>,
}

fn moments(values: &[f32], width: usize, labels: &[Label], weights: &[u32], class: Label) -> Option<Moments> {
    let chosen: Vec<(&[f32], f64)> = values
        .chunks(width)
        .zip(labels.iter().zip(weights))
        .filter(|(_, (label, weight))| **label == class && **weight > 0)
        .map(|(row, (_, weight))| (row, f64::from(*weight)))
        .collect();
    let count: f64 = chosen.iter().map(|(_, weight)| weight).sum();
    if count < 2.0 {
        return None;
    }
    let (mut mean, mut squares) = (vec![0.0; width], vec![0.0; width]);
    for (row, weight) in &chosen {
        mean.iter_mut().zip(*row).for_each(|(mean, &value)| *mean += weight * f64::from(value) / count);
    }
    for (row, weight) in &chosen {
        for ((squares, mean), &value) in squares.iter_mut().zip(&mean).zip(*row) {
            *squares += weight * (f64::from(value) - mean).powi(2);
        }
    }
    Some(Moments { count, mean, squares })
}

/// What effects labels without a meaning give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chance {
    /// Their mean.
    pub mean: f64,
    /// Their 95 % quantile: an effect above it is larger than one in twenty by chance.
    pub upper: f64,
}

/// The effects of [`SHUFFLES`] shuffles of the labels.
pub(super) fn effect_by_chance(statistics: Statistics<'_>, labels: &[Label], seed: u64) -> Option<Chance> {
    let weights = vec![1; labels.len()];
    let one = |index: usize| {
        let mut shuffled = labels.to_vec();
        let name = ["shuffled labels".into(), (index as u64).into()];
        shuffled.shuffle(&mut random::stream(seed, &name));
        distance(statistics, &shuffled, &weights).map(|found| found.effect)
    };
    let mut found: Vec<f64> = (0..SHUFFLES).into_par_iter().filter_map(one).collect();
    found.sort_unstable_by(f64::total_cmp);
    (!found.is_empty()).then(|| Chance {
        mean: found.iter().sum::<f64>() / found.len() as f64,
        upper: quantile(&found, 0.95),
    })
}

#[cfg(test)]
mod tests {
    use super::Label::{Fake, Real};
    use super::*;

    #[test]
    fn distances_by_hand() {
        // First statistic: reals 0, 2, fakes 4, 6: gap 4, pooled variance (2 + 2) / 2, d = 4 / sqrt 2.
        // Second: reals 1, 1, fakes 1, 3: gap 1, pooled variance (0 + 2) / 2, d = 1. Third: constant.
        let values = [0.0, 1.0, 7.0, 2.0, 1.0, 7.0, 4.0, 1.0, 7.0, 6.0, 3.0, 7.0];
        let labels = [Real, Real, Fake, Fake];
        let found = distance(Statistics { values: &values, width: 3 }, &labels, &[1; 4]).unwrap();
        let second = 1.0;
        assert!((found.effect - (4.0 / 2.0_f64.sqrt() + second) / 2.0).abs() < 1e-12, "{found:?}");
        // 16 + 0 for the first; 1 + (sqrt 2 - 0)^2 for the second.
        assert!((found.frechet - 19.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.constant, 1);
    }

    #[test]
    fn weights_count_like_copies() {
        let values = [0.0, 1.0, 2.0, 5.0, 9.0_f32];
        let (labels, weights) = ([Real, Real, Fake, Fake, Fake], [2, 1, 0, 3, 1]);
        let weighted = distance(Statistics { values: &values, width: 1 }, &labels, &weights).unwrap();
        let copies = [0.0, 0.0, 1.0, 5.0, 5.0, 5.0, 9.0_f32];
        let of = [Real, Real, Real, Fake, Fake, Fake, Fake];
        let copied = distance(Statistics { values: &copies, width: 1 }, &of, &[1; 7]).unwrap();
        assert!((weighted.effect - copied.effect).abs() < 1e-12);
        assert!((weighted.frechet - copied.frechet).abs() < 1e-12);
    }

    #[test]
    fn one_class_has_no_distance_and_shuffled_labels_little() {
        let values: Vec<f32> =
            (0..80).map(|at| (at % 40) as f32 + if at < 40 { 0.0 } else { 60.0 }).collect();
        let statistics = Statistics { values: &values, width: 1 };
        assert_eq!(distance(statistics, &[Real; 80], &[1; 80]), None);
        let labels: Vec<Label> = (0..80).map(|at| if at < 40 { Real } else { Fake }).collect();
        let effect = distance(statistics, &labels, &[1; 80]).unwrap().effect;
        let chance = effect_by_chance(statistics, &labels, 0).unwrap();
        assert!(effect > 5.0 && chance.mean < 0.4 && chance.upper < 0.8, "{effect} {chance:?}");
        assert!(chance.upper > chance.mean);
    }
}
