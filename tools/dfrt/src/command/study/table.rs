//! The table that is printed at the end of a study.

use crate::output;
use dfrt_runtime::metrics::Estimate;
use dfrt_runtime::report::{could_have_shown, p_value};
use dfrt_runtime::results::study::{Report, attack_key};

/// One line for each arm and attack, then one for each comparison.
pub fn table(report: &Report) -> String {
    let mut rows =
        vec![["arm", "seed", "attack", "accuracy (95 %)", "AUC", "queries", "gates"].map(String::from)];
    for arm in &report.arms {
        let metrics = &arm.eval.metrics;
        rows.push([
            arm.name.clone(),
            arm.seed.to_string(),
            "none".to_owned(),
            metrics.accuracy.map_or_else(|| "-".to_owned(), |estimate| between(&estimate)),
            metrics.auc.map_or_else(|| "-".to_owned(), |auc| format!("{:.3}", auc.value)),
            String::new(),
            String::new(),
        ]);
        for attack in &arm.attacks {
            rows.push([
                String::new(),
                String::new(),
                attack_key(attack),
                between(&attack.intervals.robust_accuracy),
                attack.auc.map_or_else(|| "-".to_owned(), |auc| format!("{auc:.3}")),
                format!("{:.0}", attack.queries.mean),
                if attack.unreliable { "UNRELIABLE" } else { "passed" }.to_owned(),
            ]);
        }
    }
    let mut text = output::aligned(&rows).join("\n");
    for comparison in &report.comparisons {
        text.push_str(&format!(
            "\n{} against {}, {}: {:+.3} ({:+.3} to {:+.3}){}: {}{}",
            comparison.arm,
            comparison.against,
            comparison.metric,
            comparison.difference,
            comparison.low,
            comparison.high,
            comparison.p_holm.or(comparison.p).map_or_else(String::new, |p| format!(", p {}", p_value(p))),
            comparison.words.as_ref().unwrap_or(&comparison.verdict),
            could_have_shown(comparison).map_or_else(String::new, |least| format!("; {least}"))
        ));
    }
    text
}

fn between(estimate: &Estimate) -> String {
    output::percent_between(estimate)
}
