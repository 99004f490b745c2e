//! The tables of a report: comparisons, clean pictures, attacks, their checks,
//! people or videos, subsets; and the order of these and the others.

use super::super::Extras;
use super::super::numbers::{count, difference, p_value, percent, percent_interval, three, three_interval};
use super::super::verdict::is_share;
use super::answers::{comparison_mark, subject, verdict};
use super::checklist::checklist;
use super::mismatch::matrices;
use super::parts::{Cell, Column, Mark, Table};
use super::training::cost;
use super::why;
use crate::metrics::intervals::Figure;
use crate::metrics::{Estimate, Metrics};
use crate::results::attack::distances::MinimalDistance;
use crate::results::attack::{AttackReport, Direction};
use crate::results::study::{Arm, Comparison, Report, attack_key};
use crate::threat::Norm;

/// All tables in reading order, without the empty ones.
pub(super) fn all(report: &Report, extras: &Extras) -> Vec<Table> {
    let mut tables = vec![comparisons(report), clean(report), attacks(report)];
    tables.extend(matrices(report));
    tables.extend([
        distances(report),
        cost(report),
        checklist(report, extras),
        gates(report),
        by_group(report),
        by_subset(report),
        why::table(report),
    ]);
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// A trained model, in words.
pub(super) fn who(arm: &Arm) -> String {
    format!("{}, seed {}", arm.name, arm.seed)
}

fn plain(text: impl Into<String>) -> Cell {
    Cell::plain(text)
}

/// A metric with its interval; a dash where it is undefined.
fn estimated(estimate: Option<Estimate>, in_percent: bool) -> Cell {
    let Some(estimate) = estimate else { return plain("–") };
    let (text, detail) = match in_percent {
        true => (percent(estimate.value), percent_interval(estimate)),
        false => (three(estimate.value), three_interval(estimate)),
    };
    Cell { text, detail: Some(detail), mark: Mark::Plain }
}

fn share(value: Option<f64>) -> Cell {
    plain(value.map_or_else(|| "–".to_owned(), percent))
}

fn columns(titles: &[&str], words: usize) -> Vec<Column> {
    let column =
        |(place, &title): (usize, &&str)| Column { title: title.to_owned(), numeric: place >= words };
    titles.iter().enumerate().map(column).collect()
}

fn comparisons(report: &Report) -> Table {
    let row = |one: &Comparison| {
        let points = is_share(&one.metric);
        let mark = comparison_mark(report, one);
        let unit = if points { " pt" } else { "" };
        vec![
            plain(subject(&one.metric)),
            plain(one.arm.clone()),
            plain(one.against.clone()),
            plain(difference(one.difference, points) + unit),
            plain(format!("{} to {}{unit}", difference(one.low, points), difference(one.high, points))),
            plain(one.p_holm.or(one.p).map_or_else(|| "–".to_owned(), p_value)),
            plain(one.detectable.map_or_else(
                || "–".to_owned(),
                |least| difference(least, points).trim_start_matches('+').to_owned() + unit,
            )),
            improvement(one),
            Cell { text: verdict(one, mark).0, detail: None, mark },
        ]
    };
    let mut columns = columns(
        &[
            "Figure",
            "Arm",
            "Against",
            "Difference",
            "95 % interval",
            "p",
            "Could be shown",
            "Probability of improvement",
            "Verdict",
        ],
        3,
    );
    columns[8].numeric = false;
    Table {
        name: "comparisons".to_owned(),
        title: "Against the baseline".to_owned(),
        note: "Paired over the same pictures, averaged over the seeds both have. The verdict is that of p (below \
            0.05), corrected for all comparisons by Holm's method. With three seeds or more it speaks of the way of \
            training: t test and interval take in how training varies from seed to seed. With fewer it speaks of these \
            models: of accuracies McNemar's exact test, or the sign-flip test over people or videos; of the AUC the \
            paired bootstrap over them. Could be shown: the smallest true difference that had four chances in \
            five to be called one by a single test; what is smaller may be there unseen. Probability of improvement: that a model of the arm \
            has a higher figure than one of the other. pt = percentage points."
            .to_owned(),
        columns,
        rows: report.comparisons.iter().map(row).collect(),
        folded: false,
    }
}

/// The probability of improvement with its interval, in shares of one.
fn improvement(one: &Comparison) -> Cell {
    let Some(share) = one.probability_of_improvement else { return plain("–") };
    let detail = format!("{:.2} – {:.2}", share.low, share.high);
    Cell { detail: Some(detail), ..plain(format!("{:.2}", share.value)) }
}

/// The cells of all metrics, in the order of [`FIGURES`].
fn metric_cells(metrics: &Metrics) -> Vec<Cell> {
    let cell = |figure: Figure| estimated(figure.of(metrics), in_percent(figure));
    Figure::ALL.into_iter().map(cell).collect()
}

fn in_percent(figure: Figure) -> bool {
    matches!(figure, Figure::Accuracy | Figure::BalancedAccuracy | Figure::Eer | Figure::TprAtFpr1)
}

const FIGURES: [&str; 9] = [
    "Arm",
    "Accuracy",
    "Balanced accuracy",
    "AUC",
    "Average precision",
    "EER",
    "TPR at 1 % FPR",
    "Log loss",
    "ECE",
];

/// A row for each arm and seed and, after several seeds of an arm, one with their mean and
/// standard deviation.
fn metric_rows(report: &Report, metrics: impl Fn(&Arm) -> &Metrics) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for name in report.names() {
        let seeds = report.seeds_of(name);
        for &index in &seeds {
            let arm = &report.arms[index];
            let mut row = vec![plain(who(arm))];
            row.extend(metric_cells(metrics(arm)));
            rows.push(row);
        }
        if seeds.len() > 1 {
            let mut row = vec![plain(format!("{name}, mean of {} seeds", seeds.len()))];
            row.extend(Figure::ALL.into_iter().map(|figure| {
                let values = seeds.iter().map(|&index| figure.of(metrics(&report.arms[index])));
                let values: Option<Vec<f64>> = values.map(|estimate| Some(estimate?.value)).collect();
                values.map_or_else(|| plain("–"), |values| spread(&values, in_percent(figure)))
            }));
            rows.push(row);
        }
    }
    rows
}

/// Mean and standard deviation over seeds.
fn spread(values: &[f64], in_percent: bool) -> Cell {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let write = |value| if in_percent { percent(value) } else { three(value) };
    Cell { text: write(mean), detail: Some(format!("sd {}", write(variance.sqrt()))), mark: Mark::Plain }
}

fn clean(report: &Report) -> Table {
    Table {
        name: "clean".to_owned(),
        title: "Clean pictures".to_owned(),
        note:
            "95 % intervals below each figure (bootstrap over people or videos; Wilson's for accuracy where \
            every picture stands alone). The threshold was fixed on validation pictures."
                .to_owned(),
        columns: columns(&FIGURES, 1),
        rows: metric_rows(report, |arm| &arm.eval.metrics),
        folded: false,
    }
}

fn by_group(report: &Report) -> Table {
    Table {
        name: "by-group".to_owned(),
        title: "Clean pictures, scores averaged over a person or video first".to_owned(),
        note: "The same figures where every person or video counts once a class.".to_owned(),
        columns: columns(&FIGURES, 1),
        rows: metric_rows(report, |arm| &arm.eval.by_group.metrics),
        folded: true,
    }
}

fn by_subset(report: &Report) -> Table {
    let mut rows = Vec::new();
    for arm in &report.arms {
        for (subset, part) in arm.eval.proper_subsets() {
            rows.push(vec![
                plain(subset.clone()),
                plain(who(arm)),
                plain(part.n_real.to_string()),
                plain(part.n_fake.to_string()),
                estimated(part.metrics.accuracy, true),
                estimated(part.metrics.auc, false),
                estimated(part.metrics.average_precision, false),
                estimated(part.metrics.eer, true),
            ]);
        }
    }
    rows.sort_by(|one, other| one[0].text.cmp(&other[0].text));
    Table {
        name: "by-subset".to_owned(),
        title: "Clean pictures by subset".to_owned(),
        note: "A subset of one class is joined by the whole other class.".to_owned(),
        columns: columns(
            &["Subset", "Arm", "Real", "Fake", "Accuracy", "AUC", "Average precision", "EER"],
            2,
        ),
        rows,
        folded: true,
    }
}

fn direction(direction: &Direction) -> Cell {
    let mut cell = share(direction.attack_success_rate);
    cell.detail = Some(format!("of {}", direction.n_clean_correct));
    cell
}

fn attack_row(arm: &Arm, attack: &AttackReport) -> Vec<Cell> {
    let (words, mark) = match (attack.unreliable, attack.gates.is_empty()) {
        (true, _) => ("UNRELIABLE", Mark::Unreliable),
        (false, true) => ("none made", Mark::Plain),
        (false, false) => ("passed", Mark::Good),
    };
    let trust = Cell { text: words.to_owned(), detail: None, mark };
    let mut name = plain(attack.method.clone());
    name.detail = Some(attack_key(attack).replacen(&format!("{} ", attack.method), "", 1));
    let mut trained = plain(arm.name.clone());
    trained.detail = Some(format!("seed {}", arm.seed));
    let mut queries = plain(count(attack.queries.median));
    let until = attack.queries_to_success.as_ref();
    let until = until.map(|found| format!("; {} until turned over", count(found.median)));
    queries.detail = Some(format!("p90 {}{}", count(attack.queries.p90), until.unwrap_or_default()));
    let mut certified = plain(attack.certified_8bit.to_string());
    if attack.lost_to_rounding > 0 {
        certified.detail = Some(format!("{} lost", attack.lost_to_rounding));
    }
    vec![
        name,
        trained,
        trust,
        plain(attack.n.to_string()),
        estimated(Some(attack.intervals.clean_accuracy), true),
        estimated(Some(attack.intervals.robust_accuracy), true),
        estimated(attack.intervals.attack_success_rate, true),
        direction(&attack.fake_to_real),
        direction(&attack.real_to_fake),
        plain(attack.auc.map_or_else(|| "–".to_owned(), three)),
        queries,
        certified,
    ]
}

fn attacks(report: &Report) -> Table {
    let mut rows = Vec::new();
    for key in report.attack_keys() {
        for arm in &report.arms {
            rows.extend(arm.attack_place(&key).map(|place| attack_row(arm, &arm.attacks[place])));
        }
    }
    let mut columns = columns(
        &[
            "Attack",
            "Arm",
            "Checks",
            "Pictures",
            "Clean accuracy",
            "Robust accuracy",
            "Success rate",
            "Fake passed as real",
            "Real called fake",
            "AUC after",
            "Queries (median)",
            "Survive as PNG",
        ],
        3,
    );
    columns[2].numeric = false;
    Table {
        name: "attacks".to_owned(),
        title: "Under attack".to_owned(),
        note: "Robust accuracy: right before and after, over all pictures. Success rate: turned over, of those \
            classified rightly before. Only what survives as an 8-bit PNG inside the threat model counts. \
            Intervals are Wilson's, which take pictures as independent: too narrow where a person has several."
            .to_owned(),
        columns,
        rows,
        folded: false,
    }
}

/// A row for each arm and minimal-distance attack.
fn distances(report: &Report) -> Table {
    let mut rows = Vec::new();
    for key in report.attack_keys() {
        for arm in &report.arms {
            let attack = arm.attack_place(&key).map(|place| &arm.attacks[place]);
            let measured = attack.and_then(|attack| Some((attack, attack.minimal_distance.as_ref()?)));
            rows.extend(measured.map(|(attack, found)| distance_row(arm, attack, found)));
        }
    }
    Table {
        name: "distances".to_owned(),
        title: "Minimal distances".to_owned(),
        note: "What the attacks that look for the shortest change found, in floats and whatever the radius, over the \
            pictures classified rightly before: the distance within which a share of them is turned over (a dash \
            where fewer were at any distance), and the success rate within half, once and twice the radius. L2 in \
            pixels of [0, 1]."
            .to_owned(),
        columns: columns(
            &["Attack", "Arm", "Found", "25 %", "Median", "75 %", "90 %", "Half radius", "Radius", "Twice"],
            2,
        ),
        rows,
        folded: false,
    }
}

fn distance_row(arm: &Arm, attack: &AttackReport, found: &MinimalDistance) -> Vec<Cell> {
    let length = |distance: f64| match found.norm {
        Norm::Linf => format!("{:.2}/255", 255.0 * distance),
        Norm::L2 => three(distance),
    };
    let quantile = |distance: Option<f64>| plain(distance.map_or_else(|| "–".to_owned(), length));
    let mut name = plain(attack.method.clone());
    name.detail = Some(format!("{} distance", found.norm));
    let mut cells = vec![name, plain(who(arm)), plain(format!("{} of {}", found.n_found, found.n))];
    cells.extend([found.p25, found.median, found.p75, found.p90].map(quantile));
    // At half, once and twice the radius, where radius and distances are in one norm.
    let within = match found.norm == attack.norm {
        true => found.around(attack.threat().plain()),
        false => Vec::new(),
    };
    cells.extend((1..4).map(|place| {
        let Some(point) = within.get(place) else { return plain("–") };
        Cell { detail: Some(length(point.eps)), ..plain(percent(point.attack_success_rate)) }
    }));
    cells
}

fn gates(report: &Report) -> Table {
    let mut rows = Vec::new();
    for arm in &report.arms {
        for attack in &arm.attacks {
            for gate in &attack.gates {
                let (text, mark) = match gate.passed {
                    true => ("passed", Mark::Good),
                    false => ("FAILED", Mark::Unreliable),
                };
                rows.push(vec![
                    Cell { text: text.to_owned(), detail: None, mark },
                    plain(attack_key(attack)),
                    plain(who(arm)),
                    plain(gate.name.clone()),
                    plain(gate.reason.clone()),
                    plain(format!("{}", (gate.value * 1e4).round() / 1e4)),
                ]);
            }
        }
    }
    rows.sort_by_key(|row| row[0].mark != Mark::Unreliable);
    Table {
        name: "gates".to_owned(),
        title: "Checks on the attacks".to_owned(),
        note: "Each says whether an attack's figure can be believed; one failed check marks it unreliable. Failed ones \
            come first."
            .to_owned(),
        columns: columns(&["Result", "Attack", "Arm", "Check", "What it means", "Measured"], 5),
        rows,
        folded: true,
    }
}
