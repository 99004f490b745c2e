//! The comparisons of a report: every arm against the baseline (and against others, where these
//! are wanted), over their common seeds and pictures.

use super::ReportError;
use super::extras::{ArmExtras, Extras};
use super::verdict::{MARGIN, words};
use crate::metrics::LEVEL;
use crate::metrics::holm::holm;
use crate::metrics::intervals::{Groups, Scored};
use crate::metrics::pair::Pair;
use crate::metrics::paired::{Difference, Verdict, auc_difference, rate_difference};
use crate::results::attack::{SampleResult, attacked};
use crate::results::evaluation::Score;
use crate::results::study::{Arm, BASELINE, COMPUTE_MATCHED, Comparison, Report};
use crate::sample::Label;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Indices into the report's arms, for one seed that both arms have.
type SeedPair = Pair<usize>;

/// A comparison before all of them are corrected together.
struct Found {
    arm: String,
    against: String,
    metric: String,
    difference: Difference,
    pictures: usize,
    groups: usize,
}

/// Two arms that are compared, and their common seeds.
struct Sides<'a> {
    arm: &'a str,
    against: &'a str,
    pairs: Vec<SeedPair>,
}

/// [`comparisons_of`] the pairs of [`wanted`].
pub fn comparisons(report: &Report, extras: &Extras, seed: u64) -> Result<Vec<Comparison>, ReportError> {
    comparisons_of(report, extras, &wanted(report), seed)
}

/// The pairs (arm, against) that a study compares: every arm with [`BASELINE`], and the others
/// with [`COMPUTE_MATCHED`] where there is one.
pub fn wanted(report: &Report) -> Vec<(String, String)> {
    let names = report.names();
    let with = |against: &'static str| {
        let others = names.iter().filter(move |name| ![BASELINE, against].contains(*name));
        others.map(move |name| ((*name).to_owned(), against.to_owned()))
    };
    let matched = names.contains(&COMPUTE_MATCHED).then(|| with(COMPUTE_MATCHED));
    with(BASELINE).chain(matched.into_iter().flatten()).collect()
}

/// The arm against the other of every pair in `wanted`: clean AUC, clean accuracy, and robust
/// accuracy under each attack that both have, averaged over their common seeds: tests, intervals
/// and what they speak of are those of [`crate::metrics::paired`], with draws under `seed`. Two
/// arms without a common seed are not compared.
///
/// All comparisons are one family: p is corrected for their number ([`holm()`]) and the verdict
/// follows the corrected one.
///
/// Needs the scores of every compared arm and the samples of every compared attack: pictures are
/// matched by path, and their groups come from the scores.
pub fn comparisons_of(
    report: &Report,
    extras: &Extras,
    wanted: &[(String, String)],
    seed: u64,
) -> Result<Vec<Comparison>, ReportError> {
    let mut all = Vec::new();
    for (arm, against) in wanted {
        let sides = Sides { arm, against, pairs: common_seeds(report, arm, against) };
        if sides.pairs.is_empty() {
            continue;
        }
        all.extend(clean(report, extras, &sides, seed)?);
        for key in report.attack_keys() {
            all.extend(robust(report, extras, &sides, &key)?);
        }
    }
    Ok(corrected(all))
}

/// The seeds that both arms have.
fn common_seeds(report: &Report, arm: &str, against: &str) -> Vec<SeedPair> {
    let others = report.seeds_of(against);
    let partner = |arm: usize| {
        let seed = report.arms[arm].seed;
        let against = others.iter().copied().find(|&index| report.arms[index].seed == seed)?;
        Some(Pair { arm, against })
    };
    report.seeds_of(arm).into_iter().filter_map(partner).collect()
}

/// The comparisons with their p corrected for all of them, the verdicts that follow from that, and
/// intervals that agree.
fn corrected(all: Vec<Found>) -> Vec<Comparison> {
    let ps: Vec<Option<f64>> = all.iter().map(|found| found.difference.p).collect();
    let family = ps.iter().flatten().count();
    all.into_iter().zip(holm(&ps)).map(|(found, p_holm)| comparison(found, p_holm, family)).collect()
}

fn comparison(found: Found, p_holm: Option<f64>, family: usize) -> Comparison {
    let difference = found.difference.agreeing_with(p_holm);
    let verdict = Verdict::of(difference.value, p_holm);
    let shown = matches!(verdict, Verdict::Higher | Verdict::Lower);
    // The first step of Holm's procedure, which the smallest p must pass.
    let level = LEVEL / family.max(1) as f64;
    let needed = || difference.needed(MARGIN.max(difference.value.abs()), level);
    let mut one = Comparison {
        arm: found.arm,
        against: found.against,
        metric: found.metric,
        difference: difference.value,
        low: difference.low,
        high: difference.high,
        p: difference.p,
        verdict: verdict.words().to_owned(),
        test: Some(difference.test.name().to_owned()),
        pictures: Some(found.pictures),
        groups: Some(found.groups),
        detectable: difference.detectable,
        detectable_pictures: difference.detectable_pictures,
        p_holm,
        family: Some(family),
        scope: Some(difference.scope),
        seeds: Some(difference.seeds),
        deviation: difference.deviation,
        probability_of_improvement: Some(difference.improvement),
        needed: if shown { None } else { needed() },
        words: None,
    };
    one.words = Some(words(&one));
    one
}

/// AUC and accuracy on clean pictures.
fn clean(report: &Report, extras: &Extras, sides: &Sides<'_>, seed: u64) -> Result<Vec<Found>, ReportError> {
    let place = format!("{} against {}", sides.arm, sides.against);
    let pairs = &sides.pairs;
    let indices = pairs.iter().flat_map(|pair| [pair.arm, pair.against]);
    let tables: Vec<HashMap<&Path, &Score>> = indices
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
        .filter_map(|(metric, difference)| Some(sides.found(metric, difference?, &groups)))
        .collect())
}

/// Robust accuracy under the attack `key`, over the seeds at which both arms were attacked;
/// `None` where there is no such seed.
fn robust(
    report: &Report,
    extras: &Extras,
    sides: &Sides<'_>,
    key: &str,
) -> Result<Option<Found>, ReportError> {
    let has = |index: usize| report.arms[index].attack_place(key).is_some();
    let pairs: Vec<&SeedPair> =
        sides.pairs.iter().filter(|pair| has(pair.arm) && has(pair.against)).collect();
    let Some(first) = pairs.first() else { return Ok(None) };
    let place = format!("{} against {}, {key}", sides.arm, sides.against);
    let indices: Vec<usize> = pairs.iter().flat_map(|pair| [pair.arm, pair.against]).collect();
    let tables: Vec<HashMap<&Path, bool>> = indices
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
    Ok(difference.map(|difference| sides.found(&metric, difference, &groups)))
}

impl Sides<'_> {
    fn found(&self, metric: &str, difference: Difference, groups: &Groups) -> Found {
        Found {
            arm: self.arm.to_owned(),
            against: self.against.to_owned(),
            metric: metric.to_owned(),
            difference,
            pictures: groups.pictures(),
            groups: groups.count(),
        }
    }
}

/// The scores of an arm by their pictures' paths.
pub(super) fn scores_by_path<'a>(
    arm: &Arm,
    extras: &'a ArmExtras,
) -> Result<HashMap<&'a Path, &'a Score>, ReportError> {
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
pub(super) fn in_all<'a, T>(
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
