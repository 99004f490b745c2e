//! The answer of every comparison, in words: which way it went, by how much, and
//! whether it can be trusted.

use super::super::numbers::{counted, difference};
use super::super::{BASELINE, Comparison, Report, attack_key};
use super::{Answer, Mark};

/// The key of the attack in `robust_accuracy[key]`.
fn robust_key(metric: &str) -> Option<&str> {
    metric.strip_prefix("robust_accuracy[")?.strip_suffix(']')
}

pub(super) fn subject(metric: &str) -> String {
    match (metric, robust_key(metric)) {
        (_, Some(key)) => format!("Robust accuracy under {key}"),
        ("auc", _) => "AUC on clean pictures".to_owned(),
        ("accuracy", _) => "Accuracy on clean pictures".to_owned(),
        (other, _) => other.to_owned(),
    }
}

pub(super) fn is_share(metric: &str) -> bool {
    metric.contains("accuracy")
}

/// Whether a gate failed on either side of the comparison.
fn rests_on_unreliable(report: &Report, one: &Comparison) -> bool {
    let Some(key) = robust_key(&one.metric) else { return false };
    let concerned = report.arms.iter().filter(|arm| arm.name == one.arm || arm.name == one.against);
    concerned.flat_map(|arm| &arm.attacks).any(|attack| attack.unreliable && attack_key(attack) == key)
}

pub(super) fn comparison_mark(report: &Report, one: &Comparison) -> Mark {
    if rests_on_unreliable(report, one) {
        return Mark::Unreliable;
    }
    let lower_is_better = ["eer", "log_loss", "ece"].contains(&one.metric.as_str());
    match (one.verdict.as_str(), lower_is_better) {
        ("higher", false) | ("lower", true) => Mark::Good,
        ("lower", false) | ("higher", true) => Mark::Bad,
        _ => Mark::Plain,
    }
}

/// The verdict's words, with the doubt where there is one.
pub(super) fn verdict(one: &Comparison, mark: Mark) -> String {
    match mark {
        Mark::Unreliable => format!("{}, unreliable", one.verdict),
        _ => one.verdict.clone(),
    }
}

/// All comparisons of an arm in one sentence.
pub(super) fn headline(report: &Report, arm: &str) -> Option<String> {
    let of_arm = report.comparisons.iter().filter(|one| one.arm == arm);
    let marks: Vec<Mark> = of_arm.map(|one| comparison_mark(report, one)).collect();
    let count = |mark: Mark| marks.iter().filter(|other| **other == mark).count();
    if marks.is_empty() {
        return None;
    }
    Some(format!(
        "{arm} against {BASELINE}, {}: {} in favour of {arm}, {} against it, {} with no effect shown, {} not to be trusted.",
        counted(marks.len(), "comparison"),
        count(Mark::Good),
        count(Mark::Bad),
        count(Mark::Plain),
        count(Mark::Unreliable)
    ))
}

pub(super) fn answer(report: &Report, one: &Comparison) -> Answer {
    let points = is_share(&one.metric);
    let unit = if points { " points" } else { "" };
    let write = |value| difference(value, points);
    let holds = if one.low <= 0.0 && one.high >= 0.0 {
        "the interval holds zero"
    } else {
        "the interval leaves zero out"
    };
    let mark = comparison_mark(report, one);
    let doubt = match mark {
        Mark::Unreliable => "; unreliable, a check of the attack failed",
        _ => "",
    };
    Answer {
        subject: format!("{}: {} against {}", subject(&one.metric), one.arm, one.against),
        verdict: verdict(one, mark),
        reason: format!(
            "{holds}: {}{unit}, 95 % interval {} to {}{doubt}",
            write(one.difference),
            write(one.low),
            write(one.high)
        ),
        mark,
    }
}
