//! What a report opens with: at most three sentences made of figures with their intervals (who
//! stands under attack, what the other ways of training changed, what they cost), and what a
//! reader must know of the study before.

use super::super::cost::{Spread, costs};
use super::super::numbers::{counted, difference, percent};
use super::super::robustness::{Curves, Line, Point, curves};
use super::super::verdict::is_share;
use super::answers::{comparison_mark, verdict};
use super::listing::{listed, others};
use crate::metrics::Estimate;
use crate::results::study::{BASELINE, Comparison, Report, attack_key};

/// The share of pictures kept below which an attack turned nearly all.
const NEARLY_NONE: f64 = 0.05;
/// More arms than this are told by the least and the best of them.
const TOLD_APART: usize = 4;

/// The opening of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// What to know before: that the study was a quick one, or is not complete.
    pub notes: Vec<String>,
    /// The answer.
    pub sentences: Vec<String>,
}

/// The opening of `report`.
pub(super) fn opening(report: &Report) -> Opening {
    let curves = curves(report);
    let first = curves.first();
    let sentences = [
        first.and_then(who_stands),
        first.and_then(|curves| what_changed(report, curves)),
        what_it_cost(report),
    ];
    Opening { notes: notes(report), sentences: sentences.into_iter().flatten().collect() }
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.config.get("preset").and_then(|preset| preset.as_str()) == Some("quick") {
        notes.push(
            "This is a quick study (preset quick): it shows how the tool works and large effects, and cannot show \
             small ones; the preset paper is for a result."
                .to_owned(),
        );
    }
    if let Some(first) = report.missing.first() {
        notes.push(format!(
            "The study is not complete: {} {} missing, the first: {first}. What follows is of the results that are there.",
            counted(report.missing.len(), "unit") + " of work",
            if report.missing.len() == 1 { "is" } else { "are" },
        ));
    }
    notes
}

/// "69.0 % [61.0, 76.0]".
fn kept(value: Estimate) -> String {
    format!("{} [{:.1}, {:.1}]", percent(value.value), 100.0 * value.low, 100.0 * value.high)
}

/// The attacks behind the points, in words.
fn under(points: &[&Point]) -> String {
    let methods = &points[0].methods;
    if points.iter().any(|point| &point.methods != methods) {
        return "its strongest attack".to_owned();
    }
    match methods.as_slice() {
        [method] => method.clone(),
        several => format!("the worst of {}", listed(several)),
    }
}

/// "2.0 % [1.0, 5.0] (baseline) and …", or of many the least and the best.
fn each(points: &[(&Line, &Point)]) -> String {
    let one = |(line, point): &(&Line, &Point)| format!("{} {}", line.arm, kept(point.value));
    let by_mean =
        |one: &&(&Line, &Point), other: &&(&Line, &Point)| one.1.value.value.total_cmp(&other.1.value.value);
    match (points.iter().min_by(by_mean), points.iter().max_by(by_mean)) {
        (Some(least), Some(best)) if points.len() > TOLD_APART => {
            format!("{} arms from {} to {}", points.len(), one(least), one(best))
        }
        _ => listed(&points.iter().map(one).collect::<Vec<_>>()),
    }
}

/// An arm stands where its whole interval lies above what guessing keeps.
fn stands(point: &Point, guess: f64) -> bool {
    point.value.low > guess
}

/// Who stands at the smallest radius that every arm met, and up to which radius.
fn who_stands(curves: &Curves) -> Option<String> {
    let radii = curves.common_radii();
    let (&smallest, larger) = radii.split_first()?;
    let at = |radius: f64| -> Vec<(&Line, &Point)> {
        curves.lines.iter().filter_map(|line| Some((line, line.at(radius)?))).collect()
    };
    let all = at(smallest);
    let points: Vec<&Point> = all.iter().map(|(_, point)| *point).collect();
    let (standing, fallen): (Vec<_>, Vec<_>) =
        all.iter().copied().partition(|(_, point)| stands(point, curves.guess));
    let place = format!("at {} under {}", curves.radius(smallest), under(&points));
    let guess = format!("calling every picture alike would keep {}", percent(curves.guess));
    let most = points.iter().map(|point| point.value.value).fold(0.0, f64::max);
    let names = |arms: &[(&Line, &Point)]| {
        listed(&arms.iter().map(|(line, _)| line.arm.as_str()).collect::<Vec<_>>())
    };
    let verb = if standing.len() == 1 { "stands" } else { "stand" };
    let mut text = match (standing.is_empty(), fallen.is_empty()) {
        (true, _) if most <= NEARLY_NONE => format!(
            "No arm stands: {place} {} picture that was classified rightly is turned over; right before and after are {}.",
            if most == 0.0 { "every" } else { "nearly every" },
            each(&all)
        ),
        (true, _) if points.iter().all(|point| point.value.high < curves.guess) => {
            format!("No arm stands: {place} right before and after are {}; {guess}.", each(&all))
        }
        (true, _) => {
            format!("No arm is shown to stand {place}: right before and after are {}; {guess}.", each(&all))
        }
        (false, true) if all.len() == 1 => {
            format!(
                "{} stands {place}: right before and after are {}; {guess}.",
                names(&standing),
                each(&all)
            )
        }
        (false, true) => {
            format!("All arms stand {place}: right before and after are {}; {guess}.", each(&all))
        }
        (false, false) => format!(
            "Only {} {verb} {place}: right before and after are {}, against {}; {guess}.",
            names(&standing),
            each(&standing),
            each(&fallen)
        ),
    };
    if !standing.is_empty() {
        text.push_str(&farther(curves, larger, &at));
    }
    if points.iter().any(|point| point.unreliable) {
        text.push_str(" A check of an attack failed (see the warnings): these figures may be too good.");
    }
    Some(text)
}

/// Who stands at the larger radii, as a sentence with a space before it.
fn farther<'a>(curves: &Curves, larger: &[f64], at: &dyn Fn(f64) -> Vec<(&'a Line, &'a Point)>) -> String {
    let standing = |radius: f64| -> Vec<&str> {
        let points = at(radius).into_iter();
        points.filter(|(_, point)| stands(point, curves.guess)).map(|(line, _)| line.arm.as_str()).collect()
    };
    let Some(&next) = larger.first() else { return String::new() };
    match larger.iter().rev().find(|radius| !standing(**radius).is_empty()) {
        None => format!(" At {} none does.", curves.radius(next)),
        Some(&last) => {
            let arms = standing(last);
            let does = if arms.len() == 1 { "does" } else { "do" };
            let end = if larger.last() == Some(&last) { ", the largest tried" } else { "" };
            format!(" {} still {does} at {}{end}.", listed(&arms), curves.radius(last))
        }
    }
}

/// The verdict's words up to the study that could tell.
fn short_verdict(report: &Report, one: &Comparison) -> String {
    let points = is_share(&one.metric);
    let unit = if points { " points" } else { "" };
    let write = |value| difference(value, points);
    let (words, _) = verdict(one, comparison_mark(report, one));
    match one.words.is_some() {
        true => words,
        false => {
            format!("{words}: {}{unit} [{}, {}]", write(one.difference), write(one.low), write(one.high))
        }
    }
}

fn against_baseline<'a>(report: &'a Report, arm: &str, metric: &str) -> Option<&'a Comparison> {
    report.comparisons.iter().find(|one| one.arm == arm && one.against == BASELINE && one.metric == metric)
}

/// What the other arms changed against the baseline, under the strongest attack at the smallest
/// radius that is compared.
fn what_changed(report: &Report, curves: &Curves) -> Option<String> {
    let radius = *curves.common_radii().first()?;
    let attacks = report.arms.iter().flat_map(|arm| &arm.attacks);
    let mut keys: Vec<(String, Vec<f64>)> = Vec::new();
    for attack in attacks.filter(|attack| attack.norm == curves.norm && attack.eps_255 == radius) {
        let key = attack_key(attack);
        match keys.iter_mut().find(|(other, _)| *other == key) {
            Some((_, values)) => values.push(attack.robust_accuracy),
            None => keys.push((key, vec![attack.robust_accuracy])),
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    keys.sort_by(|one, other| mean(&one.1).total_cmp(&mean(&other.1)));
    let told = |key: &str| -> Vec<String> {
        let of = |arm: &&str| {
            let one = against_baseline(report, arm, &format!("robust_accuracy[{key}]"))?;
            Some(format!("{arm} {}", short_verdict(report, one)))
        };
        others(report).iter().filter_map(of).collect()
    };
    let (key, parts) = keys.iter().map(|(key, _)| (key, told(key))).find(|(_, parts)| !parts.is_empty())?;
    Some(format!("Against {BASELINE}, robust accuracy under {key}: {}.", parts.join("; ")))
}

/// "2.1 times", or of several seeds "2.1 times (2.0 to 2.2)".
fn times(spread: Spread) -> String {
    let round = |value: f64| format!("{value:.1}");
    match round(spread.low) == round(spread.high) {
        true => format!("{} times", round(spread.mean)),
        false => format!("{} times ({} to {})", round(spread.mean), round(spread.low), round(spread.high)),
    }
}

/// What the other arms cost: figures on clean pictures, and training time.
fn what_it_cost(report: &Report) -> Option<String> {
    let costs = costs(report);
    let part = |arm: &&str| {
        let cost = costs.iter().find(|cost| cost.arm == **arm).and_then(|cost| cost.times_baseline);
        let clean = against_baseline(report, arm, "auc").map(|one| ("clean AUC", one));
        let clean = clean.or_else(|| Some(("clean accuracy", against_baseline(report, arm, "accuracy")?)));
        let clean = clean.map(|(name, one)| format!("{name} {}", short_verdict(report, one)));
        let cost = cost.map(|spread| format!("{} the training time", times(spread)));
        let told: Vec<String> = [clean, cost].into_iter().flatten().collect();
        (!told.is_empty()).then(|| format!("{arm} {}", told.join(" and ")))
    };
    let parts: Vec<String> = others(report).iter().filter_map(part).collect();
    let unknown = match costs.iter().any(|cost| cost.times_baseline.is_some()) {
        true => "",
        false => " (training times are not in this report)",
    };
    (!parts.is_empty()).then(|| format!("The cost against {BASELINE}{unknown}: {}.", parts.join("; ")))
}
