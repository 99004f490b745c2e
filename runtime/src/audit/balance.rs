//! Checks whether classes, subsets and groups are spread over the splits so that metrics are
//! meaningful.

use super::finding::{Case, Check, Finding, Verdict};
use crate::data::manifest::Manifest;
use crate::sample::{Label, Sample, Split};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// From this share of one class on, always predicting it gives a high accuracy.
const LOPSIDED: f64 = 2.0 / 3.0;
/// From this share on, there are too few pictures of the other class to learn from or to measure
/// with.
const RARE: f64 = 0.95;
/// Fewer persons or videos than this in test leave wide intervals: with 30, one of 90 %
/// reaches from 74 to 97 %.
const FEW_GROUPS: usize = 30;

/// The three checks.
pub(super) fn check(manifest: &Manifest) -> [Finding; 3] {
    [classes(manifest), subsets(&manifest.samples), groups(&manifest.samples)]
}

fn classes(manifest: &Manifest) -> Finding {
    let summary = manifest.summary();
    let mut verdict = Verdict::Ok;
    let (mut parts, mut figures) = (Vec::new(), Map::new());
    for split in Split::ALL {
        let [real, fake] = [Label::Real, Label::Fake].map(|label| summary.count(split, label));
        figures.insert(split.to_string(), json!({ "real": real, "fake": fake }));
        if real + fake == 0 {
            verdict = verdict.max(Verdict::Note);
            parts.push(format!("{split} is empty"));
            continue;
        }
        let (label, most) = if fake > real { (Label::Fake, fake) } else { (Label::Real, real) };
        let share = most as f64 / (real + fake) as f64;
        let worse = match share {
            1.0 => Verdict::Error,
            share if share >= RARE => Verdict::Warning,
            share if share >= LOPSIDED => Verdict::Note,
            _ => Verdict::Ok,
        };
        verdict = verdict.max(worse);
        if worse > Verdict::Ok {
            parts.push(format!("{split} is {:.0} % {label} ({real} real, {fake} fake)", 100.0 * share));
        }
    }
    let what = match verdict {
        Verdict::Ok => "every split has both classes, neither is more than two thirds".to_owned(),
        _ => parts.join("; "),
    };
    let mut finding = Finding::new(Check::Classes, verdict, what).advice(match verdict {
        Verdict::Error => "add pictures of the other class: with one class nothing can be learnt or measured",
        _ => {
            "read balanced accuracy and AUC, not accuracy: saying the larger class always is right that often; \
             an empty split cannot be trained, tuned or tested on"
        }
    });
    finding.figures = figures;
    finding
}

fn subsets(samples: &[Sample]) -> Finding {
    let present: BTreeSet<Split> = samples.iter().map(|sample| sample.split).collect();
    let mut of: BTreeMap<(&str, Label), BTreeMap<Split, usize>> = BTreeMap::new();
    for sample in samples {
        *of.entry((&sample.subset, sample.label)).or_default().entry(sample.split).or_default() += 1;
    }
    let mut cases = Vec::new();
    let mut figures = Map::new();
    for ((subset, label), counts) in &of {
        let missing: Vec<String> =
            present.iter().filter(|split| !counts.contains_key(split)).map(Split::to_string).collect();
        if !missing.is_empty() {
            let there: Vec<String> = counts.keys().map(Split::to_string).collect();
            cases.push(Case {
                paths: Vec::new(),
                note: format!(
                    "{subset} ({label}) is in {}, not in {}",
                    there.join(" and "),
                    missing.join(" and ")
                ),
            });
        }
        let counts: Map<String, Value> =
            counts.iter().map(|(split, count)| (split.to_string(), json!(count))).collect();
        figures.insert(format!("{subset}/{label}"), counts.into());
    }
    let (verdict, what) = match cases.as_slice() {
        [] => (Verdict::Ok, "every subset is in every split".to_owned()),
        [one] => (Verdict::Note, one.note.clone()),
        [first, rest @ ..] => (Verdict::Note, format!("{}, and {} more like it", first.note, rest.len())),
    };
    let mut finding = Finding::new(Check::Subsets, verdict, what).advice(
        "a subset that is only tested on measures an unseen forgery, one that is only trained on is not measured: \
         say so beside the figures, which are not comparable with those of the other subsets",
    );
    finding.figures = figures;
    finding.cases(cases)
}

fn groups(samples: &[Sample]) -> Finding {
    let count = |split: Split, label: Label| {
        let of = samples.iter().filter(|sample| sample.split == split && sample.label == label);
        of.map(|sample| sample.group.as_str()).collect::<BTreeSet<_>>().len()
    };
    let mut finding = Finding::new(Check::Groups, Verdict::Ok, "");
    for split in Split::ALL {
        let [real, fake] = [Label::Real, Label::Fake].map(|label| count(split, label));
        finding = finding.figure(&split.to_string(), json!({ "real": real, "fake": fake }));
    }
    let fewest = count(Split::Test, Label::Real).min(count(Split::Test, Label::Fake));
    (finding.verdict, finding.what) = match fewest {
        0 => (Verdict::Ok, "nothing to count: test lacks a class".to_owned()),
        few if few < FEW_GROUPS => (
            Verdict::Note,
            format!("test has {few} persons or videos of a class; under {FEW_GROUPS} leave wide intervals"),
        ),
        enough => (Verdict::Ok, format!("test has {enough} persons or videos of each class")),
    };
    finding
        .advice("add other people or videos to test; more pictures of the same ones do not narrow intervals")
}
