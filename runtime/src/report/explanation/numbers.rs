//! Numbers in the sentences and tables of an explanation.

use crate::metrics::resampled::Ranged;
use crate::results::explanation::Ratio;

/// Three significant digits: "0.0123", "1.23", "123", "1.2e-9".
pub(super) fn three(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let digits = (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}").replace('-', "−")
}

/// "3.10 [2.80, 3.50]".
pub(super) fn ranged(found: &Ranged) -> String {
    between(found.value, found.low, found.high)
}

/// The same of a ratio.
pub(super) fn ratio(found: &Ratio) -> String {
    between(found.value, found.low, found.high)
}

/// The ratio the other way round: "3.10 [2.80, 3.50]" of 0.323 [0.286, 0.357].
pub(super) fn inverse(found: &Ratio) -> String {
    between(1.0 / found.value, found.high.map(f64::recip), found.low.map(f64::recip))
}

fn between(value: f64, low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{} [{}, {}]", three(value), three(low), three(high)),
        _ => format!("{} [no interval: the draws do not vary]", three(value)),
    }
}

/// A share: "91.2 % [88.0, 94.1]".
pub(super) fn percent(found: &Ranged) -> String {
    match found.interval() {
        Some((low, high)) => {
            format!("{:.1} % [{:.1}, {:.1}]", 100.0 * found.value, 100.0 * low, 100.0 * high)
        }
        None => format!("{:.1} % [no interval: the draws do not vary]", 100.0 * found.value),
    }
}

/// A figure, or a dash.
pub(super) fn or_dash(found: Option<Ranged>) -> String {
    found.map_or_else(|| "–".to_owned(), |found| ranged(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let written = [0.0, 0.012_34, 1.234, 12.34, 1234.0, -0.5, 1.234e-9].map(three);
        assert_eq!(written, ["0", "0.0123", "1.23", "12.3", "1234", "−0.500", "1.23e−9"]);
        let third = Ratio { value: 0.25, low: Some(0.2), high: Some(0.5), n: 9, left_out: 0 };
        assert_eq!(ratio(&third), "0.250 [0.200, 0.500]");
        assert_eq!(inverse(&third), "4.00 [2.00, 5.00]");
        let share = Ranged { value: 0.9, low: Some(0.8), high: Some(1.0) };
        assert_eq!(percent(&share), "90.0 % [80.0, 100.0]");
        assert!(ranged(&Ranged { value: 1.0, low: None, high: None }).contains("no interval"));
    }
}
