//! The format of numbers in reports.

use crate::metrics::Estimate;

/// A share in percent with one decimal: "91.2 %".
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A number with three decimals.
pub(super) fn three(value: f64) -> String {
    format!("{value:.3}")
}

/// The interval of a share: "88.0 – 94.1 %".
pub(super) fn percent_interval(estimate: Estimate) -> String {
    format!("{:.1} – {:.1} %", 100.0 * estimate.low, 100.0 * estimate.high)
}

/// The interval of a metric: "0.880 – 0.941".
pub(super) fn three_interval(estimate: Estimate) -> String {
    format!("{:.3} – {:.3}", estimate.low, estimate.high)
}

/// A difference with its sign, in percentage points or with three decimals; a
/// zero has no sign.
pub(super) fn difference(value: f64, points: bool) -> String {
    let text = match points {
        true => format!("{:+.1}", 100.0 * value),
        false => format!("{value:+.3}"),
    };
    match text.trim_start_matches(['+', '-']).chars().any(|digit| ('1'..='9').contains(&digit)) {
        true => text.replace('-', "−"),
        false => text.trim_start_matches(['+', '-']).to_owned(),
    }
}

/// A logit with two decimals and a proper minus sign.
pub(super) fn logit(value: f32) -> String {
    format!("{value:.2}").replace('-', "−")
}

/// A p value with three significant digits: "0.0314", "1.00", "< 0.001".
pub fn p_value(p: f64) -> String {
    if p < 0.001 {
        return "< 0.001".to_owned();
    }
    let digits = (2.0 - p.log10().floor()).clamp(0.0, 5.0) as usize;
    format!("{p:.digits$}")
}

/// A count or a mean of counts: no decimals for an integer, else one; with separators of
/// thousands.
pub(super) fn count(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let whole = rounded.trunc().abs() as u64;
    let digits = whole.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    let tenth = ((rounded.abs() - whole as f64) * 10.0).round() as u64;
    if tenth > 0 { format!("{text}.{tenth}") } else { text }
}

/// "1 seed", "3 seeds".
pub(super) fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.9123), "91.2 %");
        assert_eq!(difference(0.0123, true), "+1.2");
        assert_eq!(difference(-0.0123, false), "−0.012");
        assert_eq!(difference(-0.0001, true), "0.0");
        assert_eq!(difference(0.0, false), "0.000");
        assert_eq!(p_value(0.0001), "< 0.001");
        assert_eq!(logit(-1.234), "−1.23");
        assert_eq!([0.25, 0.04996, 0.00314, 1.0].map(p_value), ["0.250", "0.0500", "0.00314", "1.00"]);
        assert_eq!(count(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12.34), "12.3");
        assert_eq!(count(999.96), "1\u{202f}000");
        assert_eq!(counted(1, "seed"), "1 seed");
        assert_eq!(counted(0, "seed"), "0 seeds");
        let estimate = Estimate { value: 0.5, low: 0.25, high: 0.75 };
        assert_eq!(percent_interval(estimate), "25.0 – 75.0 %");
        assert_eq!(three_interval(estimate), "0.250 – 0.750");
    }
}
