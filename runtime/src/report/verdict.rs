//! The verdict on a comparison as a sentence: which arm is better and by how much; that none is by
//! more than a stated margin; or that this study cannot tell, and which one could.

use super::numbers::difference;
use crate::metrics::paired::Verdict;
use crate::results::study::Comparison;

/// The largest difference that is called none, where the whole interval lies within it: 5 points
/// of an accuracy, 0.05 of an AUC.
pub const MARGIN: f64 = 0.05;

/// Whether the figure `metric` is better when it is lower.
pub fn lower_is_better(metric: &str) -> bool {
    let name = metric.split('[').next().unwrap_or(metric);
    ["eer", "log_loss", "ece", "attack_success_rate", "fake_to_real", "real_to_fake"].contains(&name)
}

/// Whether the figure `metric` is a share of pictures, told in percent.
pub fn is_share(metric: &str) -> bool {
    let name = metric.split('[').next().unwrap_or(metric);
    name.contains("accuracy")
        || ["attack_success_rate", "fake_to_real", "real_to_fake", "worst_case"].contains(&name)
}

/// The verdict of `one` as a sentence:
/// - "better by 12.3 points [8.1, 16.5]", "worse by …": the corrected p is below 0.05;
/// - "no difference larger than 3.4 points": it is not, and the whole 95 % interval lies within
///   [`MARGIN`] of zero (Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15,
///   657-680, asks that of an interval of 90 % only);
/// - "cannot tell: [−4.0, +9.1] points; about 5 seeds and 60 people or videos would show a
///   difference of 5.0 points".
pub fn words(one: &Comparison) -> String {
    let points = is_share(&one.metric);
    let unit = if points { " points" } else { "" };
    let plain = |value: f64| difference(value, points).trim_start_matches('+').to_owned();
    let higher = match one.verdict.as_str() {
        word if word == Verdict::Higher.words() => Some(true),
        word if word == Verdict::Lower.words() => Some(false),
        _ => None,
    };
    if let Some(higher) = higher {
        let word = if higher != lower_is_better(&one.metric) { "better" } else { "worse" };
        // The size of the gain or loss, without the figure's sign.
        let [size, low, high] = match higher {
            true => [one.difference, one.low, one.high],
            false => [-one.difference, -one.high, -one.low],
        };
        return format!("{word} by {}{unit} [{}, {}]", plain(size), plain(low), plain(high));
    }
    let most = one.low.abs().max(one.high.abs());
    if one.p.is_some() && most <= MARGIN {
        return format!("no difference larger than {}{unit}", plain(rounded_up(most)));
    }
    let ends = format!("[{}, {}]{unit}", difference(one.low, points), difference(one.high, points));
    let Some(needed) = one.needed else {
        return format!("cannot tell: {ends}");
    };
    let groups = needed.groups;
    let least = plain(needed.difference);
    match needed.seeds {
        Some(seeds) => format!(
            "cannot tell: {ends}; about {seeds} seeds and {groups} people or videos would show a difference of {least}{unit}"
        ),
        None => format!(
            "cannot tell: {ends}; about {groups} people or videos would show a difference of {least}{unit} between these models"
        ),
    }
}

/// The next thousandth, which is a tenth of a point: the last digit that is written. A whole one
/// but for the error of floats stays.
fn rounded_up(value: f64) -> f64 {
    (value * 1000.0 - 1e-9).ceil() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{LEVEL, Needed};

    fn comparison(metric: &str, [difference, low, high]: [f64; 3], verdict: Verdict) -> Comparison {
        Comparison {
            metric: metric.to_owned(),
            difference,
            low,
            high,
            p: Some(LEVEL),
            verdict: verdict.words().to_owned(),
            ..Comparison::default()
        }
    }

    #[test]
    fn a_difference_is_told_as_gain_or_loss() {
        let of = |metric: &str, numbers, verdict| words(&comparison(metric, numbers, verdict));
        let gain = [0.123, 0.081, 0.165];
        let loss = [-0.123, -0.165, -0.081];
        let robust = "robust_accuracy[pgd linf 1/255]";
        assert_eq!(of(robust, gain, Verdict::Higher), "better by 12.3 points [8.1, 16.5]");
        assert_eq!(of(robust, loss, Verdict::Lower), "worse by 12.3 points [8.1, 16.5]");
        assert_eq!(of("auc", gain, Verdict::Higher), "better by 0.123 [0.081, 0.165]");
        assert_eq!(of("auc", loss, Verdict::Lower), "worse by 0.123 [0.081, 0.165]");
        let success = "attack_success_rate[pgd linf 1/255]";
        assert_eq!(of(success, gain, Verdict::Higher), "worse by 12.3 points [8.1, 16.5]");
        assert_eq!(of(success, loss, Verdict::Lower), "better by 12.3 points [8.1, 16.5]");
        assert_eq!(of("log_loss", loss, Verdict::Lower), "better by 0.123 [0.081, 0.165]");
    }

    #[test]
    fn none_is_called_so_only_within_the_margin() {
        let of = |low: f64, high: f64| words(&comparison("accuracy", [0.001, low, high], Verdict::NoEffect));
        assert_eq!(of(-0.0201, 0.0333), "no difference larger than 3.4 points");
        assert_eq!(of(-0.05, 0.01), "no difference larger than 5.0 points");
        assert_eq!(of(-0.01, 0.0501), "cannot tell: [−1.0, +5.0] points");
        let few = comparison("auc", [0.0, -0.01, 0.01], Verdict::TooFew);
        assert_eq!(words(&Comparison { p: None, ..few }), "cannot tell: [−0.010, +0.010]");
    }

    #[test]
    fn what_cannot_be_told_says_what_could() {
        let one = comparison("accuracy", [0.02, -0.04, 0.0912], Verdict::NoEffect);
        let needed = Needed { seeds: Some(5), groups: 60, difference: 0.05 };
        assert_eq!(
            words(&Comparison { needed: Some(needed), ..one.clone() }),
            "cannot tell: [−4.0, +9.1] points; about 5 seeds and 60 people or videos would show a difference of 5.0 points"
        );
        let models = Needed { seeds: None, ..needed };
        assert_eq!(
            words(&Comparison { needed: Some(models), ..one }),
            "cannot tell: [−4.0, +9.1] points; about 60 people or videos would show a difference of 5.0 points between these models"
        );
    }
}
