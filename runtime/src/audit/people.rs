//! Checks whether a person or video is in two splits, by the manifest. Faces are not recognised.

use super::finding::{Case, Check, Finding, Verdict, counted};
use super::inspected::path_of;
use crate::sample::{Sample, Split};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The people and videos that a picture is known to show: its people, and its group unless that
/// is only the file's name.
fn known(sample: &Sample) -> BTreeSet<&str> {
    let group = &sample.group;
    // The name, with its extension where two differ in that alone, and with folders before it.
    let again = sample.path.ends_with(group) || sample.path.with_extension("").ends_with(group);
    let group = (!again).then_some(group.as_str());
    sample.people.iter().map(String::as_str).chain(group).collect()
}

/// Pictures of one person or video, by split.
type Places<'a> = BTreeMap<Split, Vec<&'a Sample>>;

/// The finding of the check.
pub(super) fn check(samples: &[Sample]) -> Finding {
    let mut by_name: BTreeMap<&str, Places<'_>> = BTreeMap::new();
    let mut unknown = 0;
    for sample in samples {
        let names = known(sample);
        unknown += usize::from(names.is_empty());
        for name in names {
            by_name.entry(name).or_default().entry(sample.split).or_default().push(sample);
        }
    }
    let shared: Vec<(&str, &Places<'_>)> =
        by_name.iter().filter(|(_, places)| places.len() > 1).map(|(name, places)| (*name, places)).collect();
    let (verdict, what) = sentence(&shared, by_name.len(), unknown, samples.len());
    let cases = shared.iter().map(|(name, places)| case(name, places));
    let advice = match verdict {
        Verdict::Leak => {
            "move all pictures of a person or video into one split; of a swap the donor counts as well"
        }
        _ => {
            "name them: a split.csv (split,label,file,target,donor) beside the folder, or a column people in the \
             manifest, names divided by ;"
        }
    };
    Finding::new(Check::People, verdict, what)
        .advice(advice)
        .figure("known", by_name.len())
        .figure("pictures_without", unknown)
        .figure("in_two_splits", shared.len())
        .figure("same_names", same_names(samples))
        .figure("by_subsets", by_subsets(&shared))
        .cases(cases.collect())
}

fn sentence(shared: &[(&str, &Places<'_>)], known: usize, unknown: usize, of: usize) -> (Verdict, String) {
    let without = match unknown {
        0 => String::new(),
        count => format!("; {} name none and could not be checked", counted(count, "picture")),
    };
    let known_noun = counted(known, "person or video");
    match shared.len() {
        _ if unknown == of => (
            Verdict::Warning,
            "persons could not be checked: no picture names a person or video, only its file's name"
                .to_owned(),
        ),
        0 if unknown > 0 => (Verdict::Note, format!("none of {known_noun} is in two splits{without}")),
        0 => (Verdict::Ok, format!("none of {known_noun} is in two splits")),
        count => {
            let pairs = [(Split::Train, Split::Test), (Split::Train, Split::Val), (Split::Val, Split::Test)];
            let parts = pairs.into_iter().filter_map(|(a, b)| {
                let both = shared.iter().filter(|(_, at)| at.contains_key(&a) && at.contains_key(&b)).count();
                (both > 0).then(|| format!("{both} in {a} and {b}"))
            });
            let parts: Vec<String> = parts.collect();
            let noun = if count == 1 { "is" } else { "are" };
            (
                Verdict::Leak,
                format!("{count} of {known_noun} {noun} in two splits: {}{without}", parts.join(", ")),
            )
        }
    }
}

/// How many file names are in two splits where only file names are known: perhaps the same
/// person, perhaps only equal numbers.
fn same_names(samples: &[Sample]) -> usize {
    let mut splits: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| known(sample).is_empty()) {
        splits.entry(&sample.group).or_default().insert(sample.split);
    }
    splits.values().filter(|splits| splits.len() > 1).count()
}

/// How many persons or videos each pair of subsets of two splits shares.
fn by_subsets(shared: &[(&str, &Places<'_>)]) -> serde_json::Value {
    let mut counts: BTreeMap<[(Split, &str); 2], usize> = BTreeMap::new();
    for (_, places) in shared {
        let parts: BTreeSet<(Split, &str)> =
            places.values().flatten().map(|sample| (sample.split, sample.subset.as_str())).collect();
        for first in &parts {
            for second in parts.iter().filter(|second| second.0 > first.0) {
                *counts.entry([*first, *second]).or_default() += 1;
            }
        }
    }
    let name = |(split, subset): (Split, &str)| format!("{split}/{subset}");
    let lines = counts.into_iter().map(|([earlier, later], count)| {
        json!({ "earlier": name(earlier), "later": name(later), "in_both": count })
    });
    lines.collect()
}

/// Shows one picture of each split.
fn case(name: &str, places: &Places<'_>) -> Case {
    let parts: Vec<String> = places
        .iter()
        .map(|(split, samples)| format!("{} of {split}", counted(samples.len(), "picture")))
        .collect();
    Case {
        paths: places.values().filter_map(|samples| samples.first()).map(|sample| path_of(sample)).collect(),
        note: format!("{name:?} is in {}", parts.join(", ")),
    }
}
