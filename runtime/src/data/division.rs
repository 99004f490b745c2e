//! Draws splits for data sets without any. Pictures that may show the same face stay in one
//! split, and the draw depends on the groups' names, so that it is the same on every disk.

use super::grouping::Grouping;
use super::manifest::ManifestError;
use super::parts::parts;
use super::place::quoted;
use crate::random;
use crate::sample::{Label, Sample, Split};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The percentage of parts in val, and in test.
const HELD_OUT: usize = 15;

/// Divides `samples` of the data set `set` into train, val and test, about 70, 15 and 15 of a
/// hundred [`parts`] of those with the same classes. The draw is keyed by `seed` and the name of
/// the part's first group. Returns the rule in words.
///
/// # Errors
/// There are too few parts to have every class in every split.
pub(super) fn divide(
    set: &Path,
    samples: &mut [Sample],
    grouping: Grouping,
    seed: u64,
) -> Result<String, ManifestError> {
    let parts: Vec<(String, Vec<usize>)> =
        parts(samples, grouping).into_iter().map(|(name, places)| (name.to_owned(), places)).collect();
    let mut strata: BTreeMap<BTreeSet<Label>, Vec<(u64, &[usize])>> = BTreeMap::new();
    for (name, places) in &parts {
        let classes = places.iter().map(|&place| samples[place].label).collect();
        let drawn = random::key(seed, &["split".into(), name.as_str().into()]);
        strata.entry(classes).or_default().push((drawn, places));
    }
    // Kinds with too few parts for every split are drawn together.
    let (mut strata, few): (Vec<_>, Vec<_>) = strata.into_values().partition(|stratum| stratum.len() > 2);
    strata.push(few.concat());
    let mut counts = [0; 3];
    for mut stratum in strata {
        stratum.sort_unstable();
        let [test, val] = held_out(stratum.len());
        for (place, (_, members)) in stratum.into_iter().enumerate() {
            let split = match place {
                _ if place < test => Split::Test,
                _ if place < test + val => Split::Val,
                _ => Split::Train,
            };
            counts[split as usize] += 1;
            members.iter().for_each(|&member| samples[member].split = split);
        }
    }
    every_class_in_every_split(set, samples, &parts)?;
    let groups = samples.iter().map(|sample| &*sample.group).collect::<BTreeSet<&str>>().len();
    let from = match parts.len() {
        same if same == groups => format!("{groups} groups"),
        fewer => format!("{fewer} parts (of {groups} groups, those that share a name or a person joined)"),
    };
    let share = |split: Split| {
        let pictures = samples.iter().filter(|sample| sample.split == split).count();
        format!("{split} {} ({pictures} files)", counts[split as usize])
    };
    let shares = Split::ALL.map(share).join(", ");
    Ok(format!("no split is named: {from} are drawn: {shares}; by dfrt data index --seed {seed}"))
}

fn every_class_in_every_split(
    set: &Path,
    samples: &[Sample],
    parts: &[(String, Vec<usize>)],
) -> Result<(), ManifestError> {
    let of = |label: Label| move |sample: &&Sample| sample.label == label;
    for label in
        [Label::Real, Label::Fake].into_iter().filter(|&label| samples.iter().any(|s| s.label == label))
    {
        let has = |split: &Split| samples.iter().filter(of(label)).any(|sample| sample.split == *split);
        let Some(without) = Split::ALL.into_iter().find(|split| !has(split)) else { continue };
        let holds = |(_, places): &&(String, Vec<usize>)| places.iter().any(|&at| samples[at].label == label);
        let reason = match parts.iter().filter(holds).count() {
            1 => format!("all {label} pictures share a group, name or person"),
            count => {
                format!("the {label} pictures are of only {count} parts that share no group, name or person")
            }
        };
        let reason = format!(
            "no split is named, and none can be drawn: {reason}, so that {without} would have none. Name the splits \
            (folders train, val and test; in a list a column split), or say --split test to `dfrt data index {} \
            --out manifest.csv`, and use that manifest",
            quoted(set)
        );
        return Err(ManifestError::Ambiguous { path: set.to_owned(), reason });
    }
    Ok(())
}

/// How many of `parts` are in test and in val.
fn held_out(parts: usize) -> [usize; 2] {
    let share = (parts * HELD_OUT + 50) / 100;
    match parts {
        0 | 1 => [0, 0],
        2 => [1, 0],
        _ => [share.max(1); 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pictures of each group; every fifth group is of both classes.
    fn samples(groups: usize) -> Vec<Sample> {
        let of = |group: usize| {
            let other = if group.is_multiple_of(5) { Label::Fake } else { Label::Real };
            let label = if group.is_multiple_of(2) { Label::Real } else { other };
            [label, other].map(|label| {
                Sample::new(format!("{group}-{label}.png"), label, "s", format!("v{group}"), Split::Train)
            })
        };
        (0..groups).flat_map(of).collect()
    }

    fn divided(groups: usize, seed: u64) -> BTreeMap<String, Split> {
        let mut samples = samples(groups);
        divide(Path::new("set"), &mut samples, Grouping::Auto, seed).unwrap();
        let mut splits = BTreeMap::new();
        for sample in samples {
            let earlier = splits.insert(sample.group.clone(), sample.split);
            assert!(earlier.is_none_or(|split| split == sample.split), "{} is in two splits", sample.group);
        }
        splits
    }

    #[test]
    fn groups_stay_whole_and_shares_are_kept() {
        let splits = divided(1000, 0);
        let count = |split| splits.values().filter(|&&other| other == split).count();
        assert_eq!(Split::ALL.map(count), [700, 150, 150]);
        assert_eq!(divided(1000, 0), splits);
        assert_ne!(divided(1000, 1), splits);
        let rule = divide(Path::new("set"), &mut samples(20), Grouping::Auto, 7).unwrap();
        assert_eq!(
            rule,
            "no split is named: 20 groups are drawn: train 14 (28 files), val 3 (6 files), test 3 (6 files); by dfrt \
            data index --seed 7"
        );
    }

    #[test]
    fn every_class_is_in_every_split() {
        let mut samples: Vec<Sample> = (0..6)
            .map(|place| {
                let label = if place < 3 { Label::Real } else { Label::Fake };
                Sample::new(format!("{place}.png"), label, "s", format!("{place}"), Split::Train)
            })
            .collect();
        divide(Path::new("set"), &mut samples, Grouping::Auto, 3).unwrap();
        for split in Split::ALL {
            let labels: BTreeSet<Label> =
                samples.iter().filter(|sample| sample.split == split).map(|sample| sample.label).collect();
            assert_eq!(labels.len(), 2, "{split}");
        }
    }

    /// Originals `000` to `039`, and of each pair two swaps by two methods.
    fn swaps() -> Vec<Sample> {
        let original =
            |n: usize| Sample::new(format!("r{n}.png"), Label::Real, "r", format!("{n:03}"), Split::Train);
        let swap = |(n, method): (usize, &str)| {
            let group = format!("{method}/{n:03}_{:03}", n ^ 1);
            Sample::new(format!("{group}.png"), Label::Fake, method, group, Split::Train)
        };
        let methods = ["Deepfakes", "FaceSwap"];
        let swaps = (0..40).flat_map(|n| methods.map(|method| (n, method))).map(swap);
        (0..40).map(original).chain(swaps).collect()
    }

    #[test]
    fn a_swap_and_its_original_are_never_in_two_splits() {
        let mut samples = swaps();
        let rule = divide(Path::new("set"), &mut samples, Grouping::Auto, 0).unwrap();
        assert!(rule.contains("20 parts (of 120 groups") && rule.contains("train 14 (84 files)"), "{rule}");
        let mut splits: BTreeMap<String, BTreeSet<Split>> = BTreeMap::new();
        for sample in &samples {
            for number in sample.group.rsplit('/').next().unwrap().split('_') {
                splits.entry(number.to_owned()).or_default().insert(sample.split);
            }
        }
        assert_eq!(splits.len(), 40);
        assert!(splits.values().all(|splits| splits.len() == 1), "{splits:?}");
    }

    #[test]
    fn too_few_parts_are_refused() {
        // A chain of swaps: everybody shares a face with the next.
        let chain = |n: usize| {
            let group = format!("{n:03}_{:03}", n + 1);
            Sample::new(format!("{n}.png"), Label::Fake, "s", group, Split::Train)
        };
        let says = |mut samples: Vec<Sample>, expected: &str| {
            let error = divide(Path::new("my set"), &mut samples, Grouping::Auto, 0).unwrap_err().to_string();
            assert!(
                error.contains(expected) && error.contains("--split test to `dfrt data index 'my set'"),
                "{error}"
            );
        };
        says((0..30).map(chain).collect(), "all fake pictures share a group, name or person");
        says(samples(4), "all fake pictures share a group");
        says(samples(6), "the fake pictures are of only 2 parts");
    }

    #[test]
    fn few_groups_are_divided_as_far_as_they_go() {
        assert_eq!(
            [0, 1, 2, 3, 9, 10, 14, 100].map(held_out).map(|[test, val]| test + val),
            [0, 0, 1, 2, 2, 4, 4, 30]
        );
    }
}
