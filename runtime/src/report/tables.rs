//! The metrics of a report as CSV, for spreadsheets and scripts: clean.csv, attacks.csv,
//! comparisons.csv and figures.csv. An undefined metric is an empty cell.

use crate::metrics::intervals::Figure;
use crate::metrics::{Estimate, Metrics};
use crate::results::attack::sweep::Sweep;
use crate::results::attack::{AttackReport, Direction};
use crate::results::corruption::Corrupted;
use crate::results::evaluation::{CrossEvaluation, Evaluation};
use crate::results::study::{Report, attack_key};

/// The CSV files of `report`: name and content.
pub fn csv_files(report: &Report) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![
        ("clean.csv", clean(report)),
        ("attacks.csv", attacks(report)),
        ("comparisons.csv", comparisons(report)),
    ];
    if !report.figures.is_empty() {
        files.push(("figures.csv", figures(report)));
    }
    files
}

/// A line for each arm and figure, and one for each of its seeds: `seed` is empty on the mean, and
/// deviation and interval are on the mean only.
fn figures(report: &Report) -> Vec<u8> {
    let mut lines = vec![words(&[
        "arm",
        "figure",
        "attack",
        "methods",
        "norm",
        "eps_255",
        "seed",
        "value",
        "deviation",
        "low",
        "high",
        "scope",
        "pictures",
        "groups",
    ])];
    for figure in &report.figures {
        let mut start = words(&[&figure.arm, &figure.figure, figure.attack.as_deref().unwrap_or("")]);
        start.push(figure.methods.join(";"));
        start.push(figure.norm.map_or_else(String::new, |norm| norm.to_string()));
        start.push(number(figure.eps_255));
        let sizes = [figure.pictures.to_string(), figure.groups.to_string()];
        let mut mean = start.clone();
        mean.extend([String::new(), figure.mean.to_string(), number(figure.deviation)]);
        mean.extend([figure.low.to_string(), figure.high.to_string(), figure.scope.name().to_owned()]);
        mean.extend(sizes.clone());
        lines.push(mean);
        for seed in &figure.seeds {
            let mut line = start.clone();
            line.extend([seed.seed.to_string(), seed.value.to_string()]);
            line.extend([const { String::new() }; 4]);
            line.extend(sizes.clone());
            lines.push(line);
        }
    }
    table(lines)
}

fn table(lines: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.write_record(&line).expect("memory takes every line, and all are equally long");
    }
    writer.into_inner().expect("memory can be flushed")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Value, low, high.
fn three(estimate: Option<Estimate>) -> [String; 3] {
    let part = |of: fn(Estimate) -> f64| number(estimate.map(of));
    [part(|one| one.value), part(|one| one.low), part(|one| one.high)]
}

fn three_titles(name: &str) -> [String; 3] {
    [name.to_owned(), format!("{name}_low"), format!("{name}_high")]
}

/// A radius in 1/255 and with pixels in \[0, 1\].
fn radius(attack: &AttackReport) -> [String; 2] {
    [attack.eps_255.to_string(), attack.threat().plain().to_string()]
}

/// The columns of [`to_success`].
const TO_SUCCESS: [&str; 3] =
    ["queries_to_success_mean", "queries_to_success_median", "queries_to_success_p90"];

/// Queries until success, over the successes; empty without any.
fn to_success(attack: &AttackReport) -> [String; 3] {
    let found = attack.queries_to_success.as_ref();
    found.map_or_else(Default::default, |found| {
        [found.mean, found.median, found.p90].map(|value| value.to_string())
    })
}

/// sweep.csv: a line for each radius.
pub fn sweep(sweep: &Sweep) -> Vec<u8> {
    let mut header = words(&["method", "norm", "eps_255", "eps", "n", "n_clean_correct"]);
    header.extend(three_titles("clean_accuracy"));
    header.extend(three_titles("robust_accuracy"));
    header.extend(three_titles("attack_success_rate"));
    header.extend(words(&["auc", "queries_mean", "queries_median", "queries_total", "unreliable"]));
    header.extend(TO_SUCCESS.map(str::to_owned));
    let mut lines = vec![header];
    for point in &sweep.points {
        let mut line = words(&[&point.method, &point.norm.to_string()]);
        line.extend(radius(point));
        line.extend([point.n.to_string(), point.n_clean_correct.to_string()]);
        line.extend(three(Some(point.intervals.clean_accuracy)));
        line.extend(three(Some(point.intervals.robust_accuracy)));
        line.extend(three(point.intervals.attack_success_rate));
        let queries = &point.queries;
        line.push(number(point.auc));
        line.extend([queries.mean.to_string(), queries.median.to_string(), queries.total.to_string()]);
        line.push(point.unreliable.to_string());
        line.extend(to_success(point));
        lines.push(line);
    }
    table(lines)
}

/// corrupt.csv: a line for each corruption and level, the clean pictures first as level 0.
pub fn corrupted(corrupted: &Corrupted) -> Vec<u8> {
    let mut header = words(&["corruption", "level", "parameter", "true_negative_rate", "true_positive_rate"]);
    header.extend(Figure::ALL.iter().flat_map(|figure| three_titles(figure.name())));
    let figures = |metrics: &Metrics| -> Vec<String> {
        Figure::ALL.iter().flat_map(|figure| three(figure.of(metrics))).collect()
    };
    let mut clean = words(&["clean", "0", "", "", ""]);
    clean.extend(figures(&corrupted.clean));
    let mut lines = vec![header, clean];
    for kind in &corrupted.corruptions {
        for level in &kind.levels {
            let mut line = words(&[kind.name.name()]);
            line.extend([level.level.to_string(), level.parameter.to_string()]);
            line.extend([number(level.true_negative_rate), number(level.true_positive_rate)]);
            line.extend(figures(&level.metrics));
            lines.push(line);
        }
    }
    table(lines)
}

/// A line for each data set and part of it: `all` pictures, `group`, `subset:<name>`, as in
/// clean.csv.
pub fn across(cross: &CrossEvaluation) -> Vec<u8> {
    let mut header = words(&["data", "split", "part", "n_real", "n_fake"]);
    header.extend(Figure::ALL.iter().flat_map(|figure| three_titles(figure.name())));
    let mut lines = vec![header];
    for evaluation in &cross.evaluations {
        for (part, n_real, n_fake, metrics) in parts(evaluation) {
            let mut line = words(&[&evaluation.data.path, &evaluation.data.split, &part]);
            line.extend([n_real.to_string(), n_fake.to_string()]);
            line.extend(Figure::ALL.iter().flat_map(|figure| three(figure.of(metrics))));
            lines.push(line);
        }
    }
    table(lines)
}

/// A line for each arm and part: `all` pictures, `group` (averaged over a person or video first),
/// and `subset:<name>`.
fn clean(report: &Report) -> Vec<u8> {
    let mut header = words(&["arm", "seed", "part", "n_real", "n_fake", "threshold"]);
    header.extend(Figure::ALL.iter().flat_map(|figure| three_titles(figure.name())));
    let mut lines = vec![header];
    for arm in &report.arms {
        for (part, n_real, n_fake, metrics) in parts(&arm.eval) {
            let mut line = words(&[&arm.name, &arm.seed.to_string(), &part]);
            line.extend([n_real.to_string(), n_fake.to_string(), arm.eval.threshold.to_string()]);
            line.extend(Figure::ALL.iter().flat_map(|figure| three(figure.of(metrics))));
            lines.push(line);
        }
    }
    table(lines)
}

fn parts(eval: &Evaluation) -> Vec<(String, usize, usize, &Metrics)> {
    let group = &eval.by_group;
    let mut parts = vec![
        ("all".to_owned(), eval.data.n_real, eval.data.n_fake, &eval.metrics),
        ("group".to_owned(), group.n_real, group.n_fake, &group.metrics),
    ];
    let subset = eval.proper_subsets();
    parts.extend(
        subset.map(|(name, part)| (format!("subset:{name}"), part.n_real, part.n_fake, &part.metrics)),
    );
    parts
}

/// A line for each arm and attack.
fn attacks(report: &Report) -> Vec<u8> {
    let mut header =
        words(&["arm", "seed", "attack", "method", "norm", "eps_255", "eps", "n", "n_clean_correct"]);
    for rate in ["clean_accuracy", "robust_accuracy", "attack_success_rate"] {
        header.extend(three_titles(rate));
    }
    for way in ["fake_to_real", "real_to_fake"] {
        let columns = ["n", "n_clean_correct", "robust_accuracy", "attack_success_rate"];
        header.extend(columns.iter().map(|column| format!("{way}_{column}")));
    }
    header.extend(words(&[
        "auc",
        "queries_mean",
        "queries_median",
        "queries_p90",
        "queries_total",
        "certified_8bit",
        "lost_to_rounding",
        "unreliable",
        "failed_gates",
        "seconds",
    ]));
    header.extend(TO_SUCCESS.map(str::to_owned));
    let mut lines = vec![header];
    for arm in &report.arms {
        for attack in &arm.attacks {
            let mut line = words(&[&arm.name, &arm.seed.to_string(), &attack_key(attack), &attack.method]);
            line.extend(attack_cells(attack));
            lines.push(line);
        }
    }
    table(lines)
}

fn attack_cells(attack: &AttackReport) -> Vec<String> {
    let mut line = words(&[&attack.norm.to_string()]);
    line.extend(radius(attack));
    line.extend([attack.n.to_string(), attack.n_clean_correct.to_string()]);
    line.extend(three(Some(attack.intervals.clean_accuracy)));
    line.extend(three(Some(attack.intervals.robust_accuracy)));
    line.extend(three(attack.intervals.attack_success_rate));
    line.extend(direction_cells(&attack.fake_to_real));
    line.extend(direction_cells(&attack.real_to_fake));
    let failed = attack.gates.iter().filter(|gate| !gate.passed);
    let failed: Vec<&str> = failed.map(|gate| gate.name.as_str()).collect();
    line.extend([
        number(attack.auc),
        attack.queries.mean.to_string(),
        attack.queries.median.to_string(),
        attack.queries.p90.to_string(),
        attack.queries.total.to_string(),
        attack.certified_8bit.to_string(),
        attack.lost_to_rounding.to_string(),
        attack.unreliable.to_string(),
        failed.join(";"),
        attack.seconds.to_string(),
    ]);
    line.extend(to_success(attack));
    line
}

fn direction_cells(direction: &Direction) -> [String; 4] {
    [
        direction.n.to_string(),
        direction.n_clean_correct.to_string(),
        number(direction.robust_accuracy),
        number(direction.attack_success_rate),
    ]
}

/// A line for each comparison.
fn comparisons(report: &Report) -> Vec<u8> {
    let header = words(&[
        "arm",
        "against",
        "metric",
        "difference",
        "low",
        "high",
        "p",
        "verdict",
        "test",
        "pictures",
        "groups",
        "detectable",
        "detectable_pictures",
        "p_holm",
        "family",
        "scope",
        "seeds",
        "deviation",
        "probability_of_improvement",
        "probability_of_improvement_low",
        "probability_of_improvement_high",
        "needed_seeds",
        "needed_groups",
        "needed_difference",
        "words",
    ]);
    let count = |count: Option<usize>| count.map_or_else(String::new, |count| count.to_string());
    let lines = report.comparisons.iter().map(|one| {
        let mut line = words(&[&one.arm, &one.against, &one.metric]);
        line.extend([one.difference.to_string(), one.low.to_string(), one.high.to_string(), number(one.p)]);
        line.push(one.verdict.clone());
        line.push(one.test.clone().unwrap_or_default());
        line.extend([count(one.pictures), count(one.groups)]);
        line.extend([number(one.detectable), number(one.detectable_pictures)]);
        line.extend([number(one.p_holm), count(one.family)]);
        line.push(one.scope.map_or_else(String::new, |scope| scope.name().to_owned()));
        line.extend([count(one.seeds), number(one.deviation)]);
        let improvement = one.probability_of_improvement;
        line.extend([
            number(improvement.map(|share| share.value)),
            number(improvement.map(|share| share.low)),
            number(improvement.map(|share| share.high)),
            count(one.needed.and_then(|needed| needed.seeds)),
            count(one.needed.map(|needed| needed.groups)),
            number(one.needed.map(|needed| needed.difference)),
        ]);
        line.push(one.words.clone().unwrap_or_default());
        line
    });
    table(std::iter::once(header).chain(lines))
}
