//! The comparisons of a report: every arm against the baseline, over their common seeds and
//! pictures.

use super::ReportError;
use super::extras::{ArmExtras, Extras};
use crate::metrics::intervals::{Groups, Scored};
use crate::metrics::pair::Pair;
use crate::metrics::paired::{Difference, auc_difference, rate_difference};
use crate::results::attack::{SampleResult, attacked};
use crate::results::evaluation::Score;
use crate::results::study::{Arm, BASELINE, Comparison, Report};
use crate::sample::Label;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Indices into the report's arms, for one seed that both arms have.
type SeedPair = Pair<usize>;

/// Every arm against [`BASELINE`]: clean AUC, clean accuracy, and robust accuracy under each
/// attack that both have, averaged over their common seeds: accuracies by McNemar's exact test or
/// its form for groups, the AUC by the paired bootstrap over groups under `seed` (see
/// [`crate::metrics::paired`]). An arm without a common seed is not compared; without a baseline
/// there are no comparisons.
///
/// Needs the scores of every compared arm and the samples of every compared attack: pictures are
/// matched by path, and their groups come from the scores.
pub fn comparisons(report: &Report, extras: &Extras, seed: u64) -> Result<Vec<Comparison>, ReportError> {
    let mut all = Vec::new();
    for name in report.names().into_iter().filter(|name| *name != BASELINE) {
        let pairs = common_seeds(report, name);
        if pairs.is_empty() {
            continue;
        }
        all.extend(clean(report, extras, name, &pairs, seed)?);
        for key in report.attack_keys() {
            all.extend(robust(report, extras, name, &pairs, &key)?);
        }
    }
    Ok(all)
}

/// The seeds that both `name` and the baseline have.
pub fn common_seeds(report: &Report, name: &str) -> Vec<SeedPair> {
    let baselines = report.seeds_of(BASELINE);
    let partner = |arm: usize| {
        let seed = report.arms[arm].seed;
        let against = baselines.iter().copied().find(|&index| report.arms[index].seed == seed)?;
        Some(Pair { arm, against })
    };
    report.seeds_of(name).into_iter().filter_map(partner).collect()
}

/// AUC and accuracy on clean pictures.
fn clean(
    report: &Report,
    extras: &Extras,
    name: &str,
    pairs: &[SeedPair],
    seed: u64,
) -> Result<Vec<Comparison>, ReportError> {
    let place = format!("{name} against {BASELINE}");
    let sides = pairs.iter().flat_map(|pair| [pair.arm, pair.against]);
    let tables: Vec<HashMap<&Path, &Score>> = sides
        .map(|index| scores_by_path(&report.arms[index], &extras.arms[index]))
        .collect::<Result<_, _>>()?;
    let lines = &extras.arms[pairs[0].against].scores;
    let common = in_all(lines.iter().map(|line| line.sample.path.as_path()), &tables, &place)?;
    let labels: Vec<Label> = common.iter().map(|path| tables[0][path].sample.label).collect();
    let groups: Vec<&str> = common.iter().map(|path| tables[0][path].sample.group.as_str()).collect();
    let groups = Groups::new(&groups);
    let scored = |table: &HashMap<&Path, &Score>, index: usize| {
        let logits: Vec<f32> = common.iter().map(|path| table[path].logit).collect();
        Scored::new(&logits, &labels, report.arms[index].eval.threshold as f32)
    };
    let scored: Vec<Pair<Scored>> = pairs
        .iter()
        .zip(tables.chunks_exact(2))
        .map(|(pair, two)| Pair { arm: scored(&two[0], pair.arm), against: scored(&two[1], pair.against) })
        .collect();
    let flags: Vec<Pair<&[bool]>> =
        scored.iter().map(|pair| Pair { arm: pair.arm.right(), against: pair.against.right() }).collect();
    let auc = auc_difference(&scored, &groups, seed);
    let accuracy = rate_difference(&flags, &groups);
    let named = [("auc", auc), ("accuracy", accuracy)];
    Ok(named
        .into_iter()
        .filter_map(|(metric, difference)| Some(comparison(name, metric, difference?, &groups)))
        .collect())
}

/// Robust accuracy under the attack `key`, over the seeds at which both arms were attacked;
/// `None` where there is no such seed.
fn robust(
    report: &Report,
    extras: &Extras,
    name: &str,
    pairs: &[SeedPair],
    key: &str,
) -> Result<Option<Comparison>, ReportError> {
    let has = |index: usize| report.arms[index].attack_place(key).is_some();
    let pairs: Vec<&SeedPair> = pairs.iter().filter(|pair| has(pair.arm) && has(pair.against)).collect();
    let Some(first) = pairs.first() else { return Ok(None) };
    let place = format!("{name} against {BASELINE}, {key}");
    let sides: Vec<usize> = pairs.iter().flat_map(|pair| [pair.arm, pair.against]).collect();
    let tables: Vec<HashMap<&Path, bool>> = sides
        .iter()
        .map(|&index| survivors(&report.arms[index], &extras.arms[index], key))
        .collect::<Result<_, _>>()?;
    let attack = report.arms[first.against].attack_place(key).expect("filtered above");
    let samples = &extras.arms[first.against].attacks[attack].samples;
    let common = in_all(samples.iter().map(|sample| Path::new(&sample.path)), &tables, &place)?;
    let scores = scores_by_path(&report.arms[first.against], &extras.arms[first.against])?;
    let group = |path: &&Path| match scores.get(path) {
        Some(line) => Ok(line.sample.group.as_str()),
        None => Err(ReportError::Unaligned {
            place: place.clone(),
            reason: format!("{} was attacked and is not in scores.csv", path.display()),
        }),
    };
    let groups: Vec<&str> = common.iter().map(group).collect::<Result<_, _>>()?;
    let flags: Vec<Vec<bool>> =
        tables.iter().map(|table| common.iter().map(|path| table[path]).collect()).collect();
    let flags: Vec<Pair<&[bool]>> =
        flags.chunks_exact(2).map(|two| Pair { arm: &two[0][..], against: &two[1][..] }).collect();
    let (metric, groups) = (format!("robust_accuracy[{key}]"), Groups::new(&groups));
    let difference = rate_difference(&flags, &groups);
    Ok(difference.map(|difference| comparison(name, &metric, difference, &groups)))
}

fn comparison(arm: &str, metric: &str, difference: Difference, groups: &Groups) -> Comparison {
    Comparison {
        arm: arm.to_owned(),
        against: BASELINE.to_owned(),
        metric: metric.to_owned(),
        difference: difference.value,
        low: difference.low,
        high: difference.high,
        p: difference.p,
        verdict: difference.verdict().words().to_owned(),
        test: Some(difference.test.name().to_owned()),
        pictures: Some(groups.pictures()),
        groups: Some(groups.count()),
        detectable: difference.detectable,
        detectable_pictures: difference.detectable_pictures,
    }
}

fn scores_by_path<'a>(arm: &Arm, extras: &'a ArmExtras) -> Result<HashMap<&'a Path, &'a Score>, ReportError> {
    if extras.scores.is_empty() {
        return Err(ReportError::Unaligned {
            place: format!("{}, seed {}", arm.name, arm.seed),
            reason: format!("{}/scores.csv is missing, empty or broken", arm.run),
        });
    }
    Ok(extras.scores.iter().map(|line| (line.sample.path.as_path(), line)).collect())
}

/// For each attacked picture by path, whether it was classified correctly before and after.
fn survivors<'a>(
    arm: &Arm,
    extras: &'a ArmExtras,
    key: &str,
) -> Result<HashMap<&'a Path, bool>, ReportError> {
    let place = arm.attack_place(key).expect("the caller looked");
    let samples = &extras.attacks[place].samples;
    if samples.is_empty() && arm.attacks[place].n > 0 {
        return Err(ReportError::Unaligned {
            place: format!("{}, seed {}, {key}", arm.name, arm.seed),
            reason: "samples.csv is missing, empty or broken".to_owned(),
        });
    }
    let threshold = arm.attacks[place].threshold as f32;
    let survives = |sample: &SampleResult| attacked(sample, threshold) && !sample.success;
    Ok(samples.iter().map(|sample| (Path::new(&sample.path), survives(sample))).collect())
}

/// The paths that every table has, without duplicates, in their order.
fn in_all<'a, T>(
    paths: impl Iterator<Item = &'a Path>,
    tables: &[HashMap<&Path, T>],
    place: &str,
) -> Result<Vec<&'a Path>, ReportError> {
    let mut seen = HashSet::new();
    let common: Vec<&Path> = paths
        .filter(|path| tables.iter().all(|table| table.contains_key(path)) && seen.insert(*path))
        .collect();
    match common.is_empty() {
        false => Ok(common),
        true => Err(ReportError::Unaligned {
            place: place.to_owned(),
            reason: "no picture is common to all their seeds".to_owned(),
        }),
    }
}
