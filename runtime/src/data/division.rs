//! Splits for data sets that come without any: by group, so that nobody is trained on and
//! tested, and by the groups' names, so that every disk has the same.

use super::sample::{Label, Sample, Split};
use crate::random;
use std::collections::{BTreeMap, BTreeSet};

/// Of a hundred groups so many validate, and as many test.
const HELD_OUT: usize = 15;

/// Divides `samples` into train, val and test, about 70, 15 and 15 of a hundred groups of
/// those with the same classes; of three such groups or more each split has one. The draw is
/// keyed by `seed` and the group's name. Gives the rule in words.
pub(super) fn divide(samples: &mut [Sample], seed: u64) -> String {
    let mut classes: BTreeMap<&str, BTreeSet<Label>> = BTreeMap::new();
    for sample in samples.iter() {
        classes.entry(&sample.group).or_default().insert(sample.label);
    }
    let mut strata: BTreeMap<BTreeSet<Label>, Vec<(u64, &str)>> = BTreeMap::new();
    for (group, classes) in classes {
        let drawn = random::key(seed, &["split".into(), group.into()]);
        strata.entry(classes).or_default().push((drawn, group));
    }
    let mut splits: BTreeMap<String, Split> = BTreeMap::new();
    for mut groups in strata.into_values() {
        groups.sort_unstable();
        let [test, val] = held_out(groups.len());
        for (place, (_, group)) in groups.into_iter().enumerate() {
            let split = match place {
                _ if place < test => Split::Test,
                _ if place < test + val => Split::Val,
                _ => Split::Train,
            };
            splits.insert(group.to_owned(), split);
        }
    }
    for sample in samples {
        sample.split = splits[&sample.group];
    }
    format!("no split is named: 70 % of the groups train, 15 % validate, 15 % test, drawn with --seed {seed}")
}

/// How many of `groups` test, and how many validate.
fn held_out(groups: usize) -> [usize; 2] {
    let share = (groups * HELD_OUT + 50) / 100;
    match groups {
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
        divide(&mut samples, seed);
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
        let mut said = samples(10);
        assert!(divide(&mut said, 7).ends_with("--seed 7"));
    }

    #[test]
    fn every_class_is_in_every_split() {
        let mut samples: Vec<Sample> = (0..6)
            .map(|place| {
                let label = if place < 3 { Label::Real } else { Label::Fake };
                Sample::new(format!("{place}.png"), label, "s", format!("{place}"), Split::Train)
            })
            .collect();
        divide(&mut samples, 3);
        for split in Split::ALL {
            let labels: BTreeSet<Label> =
                samples.iter().filter(|sample| sample.split == split).map(|sample| sample.label).collect();
            assert_eq!(labels.len(), 2, "{split}");
        }
    }

    #[test]
    fn few_groups_are_divided_as_far_as_they_go() {
        assert_eq!(
            [0, 1, 2, 3, 9, 10, 14, 100].map(held_out).map(|[test, val]| test + val),
            [0, 0, 1, 2, 2, 4, 4, 30]
        );
    }
}
