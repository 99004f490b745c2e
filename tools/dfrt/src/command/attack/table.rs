//! The printed table of an attack, a suite or a sweep.

use crate::output::{self, Lines};
use dfrt_runtime::results::attack::distances::MinimalDistance;
use dfrt_runtime::results::attack::sweep::Sweep;
use dfrt_runtime::results::attack::{AttackReport, Direction, Gate, Stage};
use dfrt_runtime::results::study::attack_key;
use dfrt_runtime::threat::Norm;
use std::path::Path;

/// The table of one radius.
pub fn of_attack(report: &AttackReport, out: &Path) -> String {
    let mut lines = Lines::default();
    lines.add("epsilon", report.threat().both_ways());
    lines.add("pictures", format!("{} ({} real, {} fake)", report.n, report.data.n_real, report.data.n_fake));
    accuracies(&mut lines, report);
    queries(&mut lines, report);
    lines.add(
        "certified",
        format!(
            "{} successes survive as 8-bit PNG, {} more were lost to rounding",
            report.certified_8bit, report.lost_to_rounding
        ),
    );
    if let Some(found) = &report.minimal_distance {
        distances(&mut lines, report, found);
    }
    if report.not_reached > 0 {
        lines.add(
            "left out",
            format!("{} pictures, because the time was over; --resume continues", report.not_reached),
        );
    }
    report.stages.iter().for_each(|stage| lines.add(format!("  {}", stage.method), stage_result(stage)));
    verdicts(&mut lines, &report.gates, report.unreliable);
    format!(
        "{} on {}, {} of {}\n{lines}\nwritten to {}",
        attack_key(report),
        report.model.path,
        report.data.split,
        report.data.path,
        out.display()
    )
}

fn accuracies(lines: &mut Lines, report: &AttackReport) {
    let survivors = report.n_clean_correct - report.certified_8bit;
    let intervals = &report.intervals;
    let share = output::percent_between;
    lines.add(
        "clean accuracy",
        format!("{}, {} classified rightly", share(&intervals.clean_accuracy), report.n_clean_correct),
    );
    lines.add(
        "robust accuracy",
        format!("{}, {survivors} still right after the attack", share(&intervals.robust_accuracy)),
    );
    let success = intervals.attack_success_rate.as_ref();
    lines.add(
        "attack success rate",
        success.map_or_else(
            || "undefined: no picture was classified rightly".to_owned(),
            |rate| format!("{}, {} turned over", share(rate), report.certified_8bit),
        ),
    );
    lines.add("  fake made real", direction(&report.fake_to_real));
    lines.add("  real made fake", direction(&report.real_to_fake));
    lines.add(
        "AUC after the attack",
        report.auc.map_or_else(|| "undefined".to_owned(), |auc| format!("{auc:.3}")),
    );
}

fn queries(lines: &mut Lines, report: &AttackReport) {
    let queries = &report.queries;
    lines.add(
        "queries a picture",
        format!(
            "mean {:.0}, median {:.0}, 90 % within {:.0}; {} in all",
            queries.mean,
            queries.median,
            queries.p90,
            output::thousands(queries.total)
        ),
    );
    if let Some(found) = &report.queries_to_success {
        lines.add(
            "  until turned over",
            format!("mean {:.0}, median {:.0}, 90 % within {:.0}", found.mean, found.median, found.p90),
        );
    }
}

fn direction(direction: &Direction) -> String {
    format!(
        "success rate {}, robust accuracy {} (of {} pictures, {} classified rightly)",
        output::percent_or_none(direction.attack_success_rate),
        output::percent_or_none(direction.robust_accuracy),
        direction.n,
        direction.n_clean_correct
    )
}

/// The distances that a search for the shortest change found; they do not depend on the radius.
fn distances(lines: &mut Lines, report: &AttackReport, found: &MinimalDistance) {
    let unit = |distance: f64| match found.norm {
        Norm::Linf => format!("{:.2}/255", 255.0 * distance),
        Norm::L2 => format!("{distance:.3}"),
    };
    let known = |distance: Option<f64>| distance.map_or_else(|| "beyond all found".to_owned(), unit);
    lines.add(
        "minimal distance",
        format!(
            "{} median {}, p25 {}, p75 {}, p90 {}; found for {} of {}, in floats",
            found.norm,
            known(found.median),
            known(found.p25),
            known(found.p75),
            known(found.p90),
            found.n_found,
            found.n
        ),
    );
    if found.norm == report.norm {
        let within = found.around(report.threat().plain());
        let within: Vec<String> = within
            .iter()
            .map(|point| format!("{} within {}", output::percent(point.attack_success_rate), unit(point.eps)))
            .collect();
        lines.add("  success", within.join(", "));
    }
}

fn stage_result(stage: &Stage) -> String {
    format!(
        "broke {} of {}, robust accuracy {} after it; {} queries in {}",
        stage.n_broken,
        stage.n_attacked,
        output::percent(stage.robust_accuracy),
        output::thousands(stage.queries),
        output::duration(stage.seconds)
    )
}

fn verdicts(lines: &mut Lines, gates: &[Gate], unreliable: bool) {
    for gate in gates {
        let verdict = if gate.passed { "passed".to_owned() } else { format!("FAILED: {}", gate.reason) };
        lines.add(format!("gate {}", gate.name), verdict);
    }
    let trust = if unreliable { "no: a gate failed, do not trust these figures" } else { "yes" };
    lines.add("reliable", trust);
}

/// The table of several radii.
pub fn of_sweep(sweep: &Sweep, out: &Path) -> String {
    let mut lines = Lines::default();
    let first = &sweep.points[0];
    lines.add("clean accuracy", output::percent_between(&first.intervals.clean_accuracy));
    for point in &sweep.points {
        let mark = if point.unreliable { ", unreliable: see its attack.json" } else { "" };
        lines.add(
            format!("at {}", point.threat().both_ways()),
            format!(
                "robust accuracy {} of {} pictures, {} queries{mark}",
                output::percent_between(&point.intervals.robust_accuracy),
                point.n,
                output::thousands(point.queries.total)
            ),
        );
    }
    verdicts(&mut lines, &sweep.gates, sweep.unreliable);
    format!(
        "{} on {}, {} of {}\n{lines}\nwritten to {}",
        sweep.method,
        first.model.path,
        first.data.split,
        first.data.path,
        out.display()
    )
}
