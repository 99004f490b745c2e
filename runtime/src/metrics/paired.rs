//! Compares two arms on the same pictures: an exact test for paired decisions (McNemar's, and its
//! form for groups), and the paired bootstrap over groups for every other metric. Both arms are
//! evaluated on the same pictures, so the difficulty of these cancels.
//!
//! The verdict and p come from the same test. The interval never has zero width: that two arms do
//! not differ on n pictures does not show that they never differ. It contains zero where the test
//! does not reject zero, and is cut off at zero where it does.
//!
//! With several training seeds the difference is the mean over the seeds' pairs. Of
//! [`super::FEWEST_SEEDS`] seeds or more, interval and test show how it would vary over other seeds and
//! other people: they speak of the way of training. Of fewer they show how it would vary over other
//! people with these same seeds: they speak of these models.

use super::crossed::{Components, Crossed, Scope};
use super::detectable::{detectable_mean, detectable_share};
use super::improvement::{over_groups, over_seeds};
use super::intervals::{Groups, RESAMPLES, Scored, wilson_at};
use super::newcombe::{Table, combined_difference};
use super::over_seeds::deviation;
use super::pair::{Pair, seeds_gained};
use super::quantile::quantile;
use super::sign_flip::sign_flip;
use super::{Estimate, Z};
use crate::random;
use rand::RngExt;
use rayon::prelude::*;

pub use super::difference::{Difference, Test, Verdict};

/// The fewest pictures or groups on which an exact two-sided test can reject at
/// [`super::LEVEL`]: six differences of one sign have p = 2 / 2^6.
const FEWEST: usize = 6;

/// The fewest groups of each class for which the bootstrap gives a verdict on an AUC. With fewer
/// people its draws vary too little: for two equally good arms its false-positive rate was 11 to
/// 13 % with four to eight people, and 6 to 9 % from ten people on (400 trials each, with three
/// pictures of each class for a person).
pub const FEWEST_GROUPS: usize = 10;

/// Where few of the bootstrap's draws lie beyond zero, this many in all tell how few: a p that
/// is corrected for a hundred comparisons must be able to be that small.
const FINE: usize = 20_000;

/// The difference of the AUC between the arms of every seed, by the paired bootstrap over
/// `groups` under `seed`. Of few seeds p is the bootstrap's ([`bootstrap_p`]) and the interval its
/// percentiles; of [`super::FEWEST_SEEDS`] or more both are those of the t test with the variance of seeds
/// and groups. Where nothing varies, the interval is combined from both arms' own (Zou and Donner
/// 2008). With fewer than [`FEWEST_GROUPS`] groups of a class there is no p and no verdict. `None`
/// where an arm has no AUC.
pub fn auc_difference(pairs: &[Pair<Scored>], groups: &Groups, seed: u64) -> Option<Difference> {
    let all = vec![1; groups.pictures()];
    let of_arms: Option<Vec<[f64; 2]>> =
        pairs.iter().map(|pair| Some([pair.arm.auc(&all)?, pair.against.auc(&all)?])).collect();
    let of_arms = of_arms.filter(|of_arms| !of_arms.is_empty())?;
    let [arm, against] = [0, 1].map(|side| of_arms.iter().map(|two| two[side]).collect::<Vec<f64>>());
    let values: Vec<f64> = of_arms.iter().map(|[arm, against]| arm - against).collect();
    let differences = |weights: &[u32]| -> Option<Vec<f64>> {
        pairs.iter().map(|pair| Some(pair.arm.auc(weights)? - pair.against.auc(weights)?)).collect()
    };
    let drawn = |from: usize, to: usize| -> Vec<Vec<f64>> {
        let draws = (from..to).into_par_iter();
        draws.filter_map(|index| differences(&groups.draw(seed, index))).collect()
    };
    let draws = drawn(0, RESAMPLES);
    let mut means: Vec<f64> = draws.iter().map(|draw| mean(draw)).collect();
    means.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*means.first()?, *means.last()?);
    let independent = pairs[0].arm.independent_groups(groups);
    let value = mean(&values);
    let unseen = || {
        let own = |values: &[f64]| wilson_at(mean(values).clamp(0.0, 1.0), independent.max(1) as f64, Z);
        combined_difference(own(&arm), own(&against), 0.0)
    };
    let units = groups.units();
    let enough = independent >= FEWEST_GROUPS;
    let crossed = Crossed::of_draws(values.clone(), &draws, units);
    let scope = Scope::of(pairs.len());
    let (interval, p, detectable, components) = match scope {
        Scope::Method if crossed.variance() > 0.0 => {
            let Estimate { low, high, .. } = crossed.interval();
            let interval = Estimate { value, low: low.max(-1.0), high: high.min(1.0) };
            let least = crossed.reach_with_power() * crossed.variance().sqrt();
            (interval, crossed.p().unwrap_or(1.0), least, crossed.components())
        }
        _ => {
            let (interval, error) = match first < last {
                true => {
                    let (low, high) = (quantile(&means, 0.025), quantile(&means, 0.975));
                    (Estimate { value, low, high }, deviation(&means).unwrap_or(0.0))
                }
                false => {
                    let unseen = unseen();
                    (Estimate { value, ..unseen }, (unseen.high - unseen.low) / (2.0 * Z))
                }
            };
            let mut p = bootstrap_p(&means);
            if enough && first < last && p < 0.01 {
                means.extend(drawn(RESAMPLES, FINE).iter().map(|draw| mean(draw)));
                p = bootstrap_p(&means);
            }
            (interval, p, detectable_mean(error), Components::of_models(error * error, units))
        }
    };
    let improvement = match pairs.len() {
        1 => over_groups(&means, interval, independent),
        _ => over_seeds(&arm, &against)?,
    };
    let found = Difference {
        value,
        low: interval.low,
        high: interval.high,
        p: enough.then_some(p),
        test: if scope == Scope::Method { Test::Crossed } else { Test::Bootstrap },
        detectable: enough.then_some(detectable).filter(|least| *least <= 1.0),
        detectable_pictures: None,
        scope,
        deviation: deviation(&values),
        improvement,
        components,
        seeds: pairs.len(),
        groups: (units * FEWEST_GROUPS).div_ceil(independent.clamp(1, FEWEST_GROUPS)),
    };
    Some(found.agreeing_with_test())
}

/// The difference of a share of pictures (right decisions, or right before and after an attack)
/// between the arms, over every seed. `None` without pictures or pairs.
///
/// The test of few seeds flips the signs of whole groups; where every picture is a group and there
/// is one seed, that is McNemar's exact test. Of [`super::FEWEST_SEEDS`] seeds or more p is the larger of
/// that of the sign flips and of the t test with the variance of seeds and groups: the first is
/// exact where few groups differ, the second knows that training varies. The interval is
/// Newcombe's for paired shares with the effective number of pictures, and with t's quantile.
pub fn rate_difference(pairs: &[Pair<&[bool]>], groups: &Groups) -> Option<Difference> {
    let n = groups.pictures();
    if pairs.is_empty() || n == 0 {
        return None;
    }
    let table = Table::of(pairs);
    let alone = groups.units() == n;
    let units: Vec<i64> = groups.sums(|picture| seeds_gained(pairs, picture));
    let flips = sign_flip(&units);
    let of_models = match (alone, pairs) {
        (true, [_]) => n as f64,
        _ => table.effective_pictures(pairs, groups),
    };
    let share = |flags: &[bool]| flags.iter().filter(|flag| **flag).count() as f64 / n as f64;
    let arm: Vec<f64> = pairs.iter().map(|pair| share(pair.arm)).collect();
    let against: Vec<f64> = pairs.iter().map(|pair| share(pair.against)).collect();
    let scope = Scope::of(pairs.len());
    let by_seeds = (scope == Scope::Method).then(|| crossed(pairs, groups));
    let (interval, components, p, test) = match &by_seeds {
        Some(crossed) => {
            let varies = crossed.variance();
            let effective = if varies > 0.0 { table.spread() / varies } else { of_models };
            let interval = table.interval_at(effective, crossed.reach());
            let shown = ((interval.high - interval.low) / (2.0 * crossed.reach())).powi(2);
            let components = crossed.components().widened(shown - varies, groups.units());
            (interval, components, flips.max(crossed.p().unwrap_or(0.0)), Test::Crossed)
        }
        None => {
            let interval = table.interval_at(of_models, Z);
            let error = (interval.high - interval.low) / (2.0 * Z);
            let components = Components::of_models(error * error, groups.units());
            let test = if alone && pairs.len() == 1 { Test::McNemar } else { Test::SignFlip };
            (interval, components, flips, test)
        }
    };
    let (detectable, detectable_pictures) = least_shown(pairs, groups, &table, of_models, by_seeds.as_ref());
    let found = Difference {
        value: interval.value,
        low: interval.low,
        high: interval.high,
        p: Some(p),
        test,
        detectable,
        detectable_pictures,
        scope,
        deviation: deviation(
            &arm.iter().zip(&against).map(|(arm, against)| arm - against).collect::<Vec<_>>(),
        ),
        improvement: match pairs.len() {
            1 => over_groups(&drawn_differences(&units, groups), interval, groups.count()),
            _ => over_seeds(&arm, &against)?,
        },
        components,
        seeds: pairs.len(),
        groups: groups.units().max(FEWEST),
    };
    Some(found.agreeing_with_test())
}

/// The seeds' differences of a share, and how they vary together over `groups`.
fn crossed(pairs: &[Pair<&[bool]>], groups: &Groups) -> Crossed {
    let n = groups.pictures() as f64;
    let sizes = groups.sums(|_| 1);
    let of = |pair: &Pair<&[bool]>| {
        let gained = groups.sums(|picture| i64::from(pair.arm[picture]) - i64::from(pair.against[picture]));
        let value = gained.iter().sum::<i64>() as f64 / n;
        let influence =
            gained.iter().zip(&sizes).map(|(gained, size)| (*gained as f64 - value * *size as f64) / n);
        (value, influence.collect())
    };
    let (values, influence): (Vec<f64>, Vec<Vec<f64>>) = pairs.iter().map(of).unzip();
    Crossed::of_influence(values, &influence)
}

/// The differences of one seed on bootstrap draws of the groups; `gained` are their sums.
fn drawn_differences(gained: &[i64], groups: &Groups) -> Vec<f64> {
    let sizes = groups.sums(|_| 1);
    let mut random = random::stream(0, &["improvement".into()]);
    let draw = |_| {
        let (mut sum, mut pictures) = (0, 0);
        for _ in 0..sizes.len() {
            let unit = random.random_range(0..sizes.len());
            sum += gained[unit];
            pictures += sizes[unit];
        }
        sum as f64 / pictures as f64
    };
    (0..RESAMPLES).map(draw).collect()
}

/// The smallest true differences that could be shown: over `groups`, of which the pictures are
/// worth `of_models` independent ones, and if every picture were its own group.
fn least_shown(
    pairs: &[Pair<&[bool]>],
    groups: &Groups,
    table: &Table,
    of_models: f64,
    by_seeds: Option<&Crossed>,
) -> (Option<f64>, Option<f64>) {
    let n = groups.pictures();
    let alone = groups.units() == n;
    let least = |units: usize, effective: f64, crossed: Option<&Crossed>| {
        let exact = (units >= FEWEST)
            .then(|| detectable_share(table.discordant(), effective.max(FEWEST as f64)))
            .flatten()?;
        let of_seeds = crossed.filter(|crossed| crossed.variance() > 0.0);
        let of_seeds = of_seeds.map_or(0.0, |crossed| crossed.reach_with_power() * crossed.variance().sqrt());
        Some(exact.max(of_seeds)).filter(|least| *least <= 1.0)
    };
    let detectable = least(groups.units(), of_models, by_seeds);
    let singles = match (alone, pairs) {
        (true, _) => of_models,
        (false, [_]) => n as f64,
        (false, _) => table.effective_pictures(pairs, &Groups::singles(n)).max(of_models),
    };
    let single_pictures = by_seeds.map(|_| crossed(pairs, &Groups::singles(n)));
    let pictures = match (detectable, least(n, singles, single_pictures.as_ref())) {
        // The power of an exact test is not monotonic in the number of pictures.
        (Some(groups), Some(pictures)) => Some(pictures.min(groups)),
        (groups, pictures) => pictures.or(groups),
    };
    (detectable, pictures)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
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
mod tests;
