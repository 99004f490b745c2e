//! The answer of every comparison, in words: its verdict, its size, and whether it is reliable.

use super::super::numbers::{counted, difference, p_value};
use super::super::verdict::{is_share, lower_is_better};
use super::parts::{Answer, Mark};
use crate::metrics::paired::{FEWEST_GROUPS, Verdict};
use crate::results::study::{BASELINE, Comparison, Report, attack_key};

/// The key of the attack in `robust_accuracy[key]`.
fn robust_key(metric: &str) -> Option<&str> {
    metric.strip_prefix("robust_accuracy[")?.strip_suffix(']')
}

pub(in crate::report) fn subject(metric: &str) -> String {
    match (metric, robust_key(metric)) {
        (_, Some(key)) => format!("Robust accuracy under {key}"),
        ("auc", _) => "AUC on clean pictures".to_owned(),
        ("accuracy", _) => "Accuracy on clean pictures".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// Whether a gate failed for either arm of the comparison.
fn rests_on_unreliable(report: &Report, one: &Comparison) -> bool {
    let Some(key) = robust_key(&one.metric) else { return false };
    let concerned = report.arms.iter().filter(|arm| arm.name == one.arm || arm.name == one.against);
    concerned.flat_map(|arm| &arm.attacks).any(|attack| attack.unreliable && attack_key(attack) == key)
}

pub(super) fn comparison_mark(report: &Report, one: &Comparison) -> Mark {
    if rests_on_unreliable(report, one) {
        return Mark::Unreliable;
    }
    match (one.verdict.as_str(), lower_is_better(&one.metric)) {
        ("higher", false) | ("lower", true) => Mark::Good,
        ("lower", false) | ("higher", true) => Mark::Bad,
        _ => Mark::Plain,
    }
}

/// The verdict in words, marked where it is unreliable, and where it tells, what would be needed to know.
pub(super) fn verdict(one: &Comparison, mark: Mark) -> (String, Option<String>) {
    let words = one.words.as_ref().unwrap_or(&one.verdict);
    let (head, needed) = words.split_once("; ").unzip();
    let unreliable = if mark == Mark::Unreliable { ", unreliable" } else { "" };
    (format!("{}{unreliable}", head.unwrap_or(words)), needed.map(str::to_owned))
}

/// One sentence on all comparisons of an arm with the baseline.
pub(super) fn headline(report: &Report, arm: &str) -> Option<String> {
    let of_arm = || report.comparisons.iter().filter(|one| one.arm == arm && one.against == BASELINE);
    let marks: Vec<Mark> = of_arm().map(|one| comparison_mark(report, one)).collect();
    let plain = of_arm().filter(|one| comparison_mark(report, one) == Mark::Plain);
    let few = plain.filter(|one| one.verdict == Verdict::TooFew.words()).count();
    let few_words =
        if few > 0 { format!(", {few} of too few people or videos to tell") } else { String::new() };
    let count = |mark: Mark| marks.iter().filter(|other| **other == mark).count();
    if marks.is_empty() {
        return None;
    }
    Some(format!(
        "{arm} against {BASELINE}, {}: {} in favour of {arm}, {} against it, {} with no effect shown{few_words}, {} not to be trusted.",
        counted(marks.len(), "comparison"),
        count(Mark::Good),
        count(Mark::Bad),
        count(Mark::Plain) - few,
        count(Mark::Unreliable)
    ))
}

/// The smallest difference that the pictures and people of a comparison could have shown, in
/// words; `None` for reports of old versions, which do not have it.
pub fn could_have_shown(one: &Comparison) -> Option<String> {
    let (pictures, groups) = (one.pictures?, one.groups?);
    let points = is_share(&one.metric);
    let unit = if points { " points" } else { "" };
    let write = |value: f64| difference(value, points).trim_start_matches('+').to_owned();
    let alone = groups == pictures;
    let these = counted(pictures, "picture");
    let these = if alone { these } else { format!("{these} of {groups} people or videos") };
    let Some(least) = one.detectable else {
        let few = match one.verdict == Verdict::TooFew.words() {
            true => {
                format!("for a verdict on the AUC {FEWEST_GROUPS} people or videos of each class are needed")
            }
            false => format!("{these} are too few to show any difference"),
        };
        return Some(few);
    };
    let pictures = one.detectable_pictures.filter(|_| !alone);
    let pictures = pictures
        .map_or_else(String::new, |pictures| format!("; {} if each showed another person", write(pictures)));
    Some(format!("{these} could have shown a difference of at least {}{unit}{pictures}", write(least)))
}

/// The p value and the test, in words.
fn test(one: &Comparison) -> String {
    let Some(p) = one.p_holm.or(one.p) else { return String::new() };
    let name = match one.test.as_deref() {
        Some("mcnemar") => " by McNemar's exact test",
        Some("sign-flip") => " by the exact sign-flip test over people or videos",
        Some("bootstrap") => " by the bootstrap over people or videos",
        Some("crossed") => " by the t test over seeds and people or videos",
        _ => "",
    };
    let p = p_value(p);
    let sign = if p.starts_with('<') { "" } else { "= " };
    let corrected = match one.family.filter(|_| one.p_holm.is_some()) {
        Some(family) if family > 1 => format!(", corrected for {family} comparisons"),
        _ => String::new(),
    };
    format!(", p {sign}{p}{name}{corrected}")
}

pub(super) fn answer(report: &Report, one: &Comparison) -> Answer {
    let points = is_share(&one.metric);
    let unit = if points { " points" } else { "" };
    let write = |value| difference(value, points);
    let shown = [Verdict::Higher.words(), Verdict::Lower.words()].contains(&one.verdict.as_str());
    let holds = if shown && (one.low == 0.0 || one.high == 0.0) {
        // The interval is cut off there to agree with the test.
        "the interval ends at zero, which the test rejects"
    } else if shown && (one.low > 0.0 || one.high < 0.0) {
        "the interval leaves zero out"
    } else {
        "the interval holds zero"
    };
    let least = could_have_shown(one).map_or_else(String::new, |least| format!("; {least}"));
    let mark = comparison_mark(report, one);
    let doubt = match mark {
        Mark::Unreliable => "; unreliable, a check of the attack failed",
        _ => "",
    };
    let (verdict, needed) = verdict(one, mark);
    let needed = needed.map_or_else(String::new, |needed| format!("; {needed}"));
    Answer {
        subject: format!("{}: {} against {}", subject(&one.metric), one.arm, one.against),
        verdict,
        reason: format!(
            "{holds}: {}{unit}, 95 % interval {} to {}{}{least}{needed}{doubt}",
            write(one.difference),
            write(one.low),
            write(one.high),
            test(one)
        ),
        mark,
    }
}
