//! What a reader of a report is to see, in sentences and tables, before it is set
//! as Markdown or HTML: the question, an answer for every comparison (a null as
//! plainly as a gain), warnings, the tables, what the figures cannot say, and how
//! to make them again.

use super::numbers::{count, counted, difference, p_value, percent, percent_interval, three, three_interval};
use super::{Arm, BASELINE, Comparison, Extras, Report, attack_folder, attack_key};
use crate::attack::result::{AttackReport, Direction};
use crate::metrics::intervals::Figure;
use crate::metrics::{Estimate, Metrics};
use serde_json::Value;
use std::collections::BTreeSet;

/// How a cell or an answer is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it stands.
    Plain,
    /// A difference in the arm's favour, or a check that passed.
    Good,
    /// A difference against the arm.
    Bad,
    /// Not to be trusted: a check failed.
    Unreliable,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The figure or the words.
    pub text: String,
    /// The 95 % interval or another second line.
    pub detail: Option<String>,
    /// How to read it.
    pub mark: Mark,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Whether it holds numbers, set to the right.
    pub numeric: bool,
}

/// A table with a heading, a line of explanation and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name in anchors: "clean", "attacks", …
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the figures are.
    pub note: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Whether it is folded away at first.
    pub folded: bool,
}

/// The answer of one comparison, as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was compared: "Robust accuracy under square linf 8/255: gr against baseline".
    pub subject: String,
    /// "higher", "lower", "no effect shown".
    pub verdict: String,
    /// The figures behind it, in words.
    pub reason: String,
    /// How to read it.
    pub mark: Mark,
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The question that the study asks.
    pub question: String,
    /// What it rests on: arms, seeds, pictures.
    pub basis: String,
    /// What a reader must know before any figure.
    pub warnings: Vec<String>,
    /// All comparisons of an arm in one sentence, one an arm.
    pub headlines: Vec<String>,
    /// One a comparison.
    pub answers: Vec<Answer>,
    /// The tables in reading order.
    pub tables: Vec<Table>,
    /// What the figures cannot say.
    pub caveats: Vec<String>,
    /// Commands that make it again.
    pub reproduce: Vec<String>,
    /// What is not shown and why.
    pub missing: Vec<String>,
    /// The resolved settings, as indented JSON.
    pub config: String,
    /// Versions, device, driver, as indented JSON.
    pub environment: String,
}

impl Page {
    /// What is to be said of `report`.
    pub fn of(report: &Report, extras: &Extras) -> Self {
        Self {
            question: question(report),
            basis: basis(report, extras),
            warnings: warnings(report),
            headlines: others(report).into_iter().filter_map(|arm| headline(report, arm)).collect(),
            answers: report.comparisons.iter().map(|one| answer(report, one)).collect(),
            tables: [
                comparison_table(report),
                clean_table(report),
                attack_table(report),
                gate_table(report),
                group_table(report),
                subset_table(report),
            ]
            .into_iter()
            .filter(|table| !table.rows.is_empty())
            .collect(),
            caveats: caveats(report, extras),
            reproduce: reproduce(report),
            missing: extras.missing.clone(),
            config: indented(&report.config),
            environment: indented(&report.environment),
        }
    }
}

fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), detail: None, mark: Mark::Plain }
}

/// A figure with its interval; a dash where it is undefined.
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

fn columns(titles: &[&'static str], words: usize) -> Vec<Column> {
    let column = |(place, &title)| Column { title, numeric: place >= words };
    titles.iter().enumerate().map(column).collect()
}

fn others(report: &Report) -> Vec<&str> {
    report.names().into_iter().filter(|name| *name != BASELINE).collect()
}

/// "a", "a and b", "a, b and c".
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

fn question(report: &Report) -> String {
    let others = others(report);
    match (report.names().contains(&BASELINE), others.is_empty()) {
        (true, false) => format!(
            "Does training with {} make the detector more robust than {BASELINE}, and does it cost anything on clean pictures?",
            listed(&others)
        ),
        _ => format!("How robust is the detector trained as {}?", listed(&report.names())),
    }
}

fn basis(report: &Report, extras: &Extras) -> String {
    let Some(first) = report.arms.first() else {
        return "The report holds no trained model.".to_owned();
    };
    let seeds: BTreeSet<u64> = report.arms.iter().map(|arm| arm.seed).collect();
    let data = &first.eval.data;
    let groups = extras.groups();
    let people = groups.map_or_else(String::new, |n| format!(" of {n} people or videos"));
    format!(
        "{} ({}) with {} each, {} at {} px; {} real and {} fake {} pictures{people} from {}; {}.",
        counted(report.names().len(), "way") + " of training",
        listed(&report.names()),
        counted(seeds.len(), "seed"),
        first.eval.model.arch,
        first.eval.model.res,
        data.n_real,
        data.n_fake,
        data.split,
        data.path,
        counted(report.attack_keys().len(), "attack"),
    )
}

fn who(arm: &Arm) -> String {
    format!("{}, seed {}", arm.name, arm.seed)
}

fn failed(attack: &AttackReport) -> Vec<String> {
    let gates = attack.gates.iter().filter(|gate| !gate.passed);
    gates.map(|gate| format!("{} ({})", gate.name, gate.reason)).collect()
}

fn warnings(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for arm in &report.arms {
        for attack in arm.attacks.iter().filter(|attack| attack.unreliable) {
            let why = failed(attack);
            let why = if why.is_empty() { "no reason recorded".to_owned() } else { why.join("; ") };
            lines.push(format!(
                "{} on {}: do not trust this figure. Failed: {why}.",
                attack_key(attack),
                who(arm)
            ));
        }
        let skipped = arm.eval.skipped.len();
        if skipped > 0 {
            lines.push(format!(
                "{}: {} could not be read and count nowhere, the first: {}.",
                who(arm),
                counted(skipped, "picture"),
                arm.eval.skipped[0]
            ));
        }
    }
    lines
}

/// The key of the attack in `robust_accuracy[key]`.
fn robust_key(metric: &str) -> Option<&str> {
    metric.strip_prefix("robust_accuracy[")?.strip_suffix(']')
}

fn subject(metric: &str) -> String {
    match (metric, robust_key(metric)) {
        (_, Some(key)) => format!("Robust accuracy under {key}"),
        ("auc", _) => "AUC on clean pictures".to_owned(),
        ("accuracy", _) => "Accuracy on clean pictures".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn is_share(metric: &str) -> bool {
    metric.contains("accuracy")
}

/// Whether a gate failed on either side of the comparison.
fn rests_on_unreliable(report: &Report, one: &Comparison) -> bool {
    let Some(key) = robust_key(&one.metric) else { return false };
    let concerned = report.arms.iter().filter(|arm| arm.name == one.arm || arm.name == one.against);
    concerned.flat_map(|arm| &arm.attacks).any(|attack| attack.unreliable && attack_key(attack) == key)
}

fn comparison_mark(report: &Report, one: &Comparison) -> Mark {
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
fn verdict(one: &Comparison, mark: Mark) -> String {
    match mark {
        Mark::Unreliable => format!("{}, unreliable", one.verdict),
        _ => one.verdict.clone(),
    }
}

/// All comparisons of an arm in one sentence.
fn headline(report: &Report, arm: &str) -> Option<String> {
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

fn answer(report: &Report, one: &Comparison) -> Answer {
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

fn comparison_table(report: &Report) -> Table {
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
            plain(one.p.map_or_else(|| "–".to_owned(), p_value)),
            Cell { text: verdict(one, mark), detail: None, mark },
        ]
    };
    let mut columns =
        columns(&["Figure", "Arm", "Against", "Difference", "95 % interval", "p", "Verdict"], 3);
    columns[6].numeric = false;
    Table {
        name: "comparisons",
        title: "Against the baseline",
        note: "Paired over the same pictures, averaged over the seeds both have. The interval is a bootstrap \
            over people or videos and decides the verdict. p is McNemar's for accuracies of a single seed (which \
            takes pictures as independent) and the bootstrap's otherwise. pt = percentage points."
            .to_owned(),
        columns,
        rows: report.comparisons.iter().map(row).collect(),
        folded: false,
    }
}

/// The cells of all figures, in the order of [`FIGURES`].
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

/// A row an arm and seed and, after several seeds of an arm, their mean and spread.
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

fn clean_table(report: &Report) -> Table {
    Table {
        name: "clean",
        title: "Clean pictures",
        note:
            "95 % intervals below each figure (bootstrap over people or videos; Wilson's for accuracy where \
            every picture stands alone). The threshold was fixed on validation pictures."
                .to_owned(),
        columns: columns(&FIGURES, 1),
        rows: metric_rows(report, |arm| &arm.eval.metrics),
        folded: false,
    }
}

fn group_table(report: &Report) -> Table {
    Table {
        name: "by-group",
        title: "Clean pictures, scores averaged over a person or video first",
        note: "The same figures where every person or video counts once a class.".to_owned(),
        columns: columns(&FIGURES, 1),
        rows: metric_rows(report, |arm| &arm.eval.by_group.metrics),
        folded: true,
    }
}

fn subset_table(report: &Report) -> Table {
    let mut rows = Vec::new();
    for arm in &report.arms {
        for (subset, part) in &arm.eval.by_subset {
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
        name: "by-subset",
        title: "Clean pictures by subset",
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
    queries.detail = Some(format!("p90 {}", count(attack.queries.p90)));
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

fn attack_table(report: &Report) -> Table {
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
        name: "attacks",
        title: "Under attack",
        note: "Robust accuracy: right before and after, over all pictures. Success rate: turned over, of those \
            classified rightly before. Only what survives as an 8-bit PNG inside the threat model counts. \
            Intervals are Wilson's, which take pictures as independent: too narrow where a person has several."
            .to_owned(),
        columns,
        rows,
        folded: false,
    }
}

fn gate_table(report: &Report) -> Table {
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
        name: "gates",
        title: "Checks on the attacks",
        note: "Each says whether an attack's figure can be believed; one failed check marks it unreliable. Failed ones \
            come first."
            .to_owned(),
        columns: columns(&["Result", "Attack", "Arm", "Check", "What it means", "Measured"], 5),
        rows,
        folded: true,
    }
}

fn caveats(report: &Report, extras: &Extras) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match extras.groups() {
        None => "The number of people or videos behind the figures is not known here (no scores.csv): the \
            intervals cannot be judged."
            .to_owned(),
        Some(n) if n < 30 => format!(
            "Only {n} people or videos were measured on. Bootstrap intervals over so few are themselves \
            uncertain and tend to be too narrow."
        ),
        Some(n) => format!(
            "The intervals tell how the figures would vary over other people like these {n}; they say nothing \
            about other forgeries, cameras or compressions."
        ),
    });
    let fewest = report.names().iter().map(|name| report.seeds_of(name).len()).min().unwrap_or(0);
    let seeds = counted(fewest, "training seed");
    lines.push(match fewest < 3 {
        true => format!(
            "{seeds} an arm: training's own chance is not in the intervals; a difference may come from the \
            seed alone. Use at least three before believing one."
        ),
        false => format!(
            "{seeds} an arm: differences are averaged over them, but the intervals hold the spread over people, \
            not over seeds; see the standard deviations."
        ),
    });
    if report.comparisons.len() > 1 {
        lines.push(format!(
            "{} comparisons were made and none is corrected for that: about one in twenty intervals leaves zero \
            out by chance.",
            report.comparisons.len()
        ));
    }
    let attacks: Vec<&AttackReport> = report.arms.iter().flat_map(|arm| &arm.attacks).collect();
    if !attacks.is_empty() {
        lines.push(
            "Robust accuracy is an upper bound: a stronger attack or a larger budget can only lower it."
                .to_owned(),
        );
    }
    let fewest = attacks.iter().map(|attack| attack.n).min();
    let tested = report.arms.first().map_or(0, |arm| arm.eval.data.n_real + arm.eval.data.n_fake);
    if let Some(n) = fewest.filter(|&n| n < tested) {
        lines.push(format!("Not every test picture was attacked: {n} of {tested} in the smallest attack."));
    }
    let weak = report.arms.iter().find_map(|arm| {
        let auc = arm.eval.metrics.auc.filter(|auc| auc.low <= 0.5)?;
        Some((who(arm), auc))
    });
    if let Some((arm, auc)) = weak {
        lines.push(format!(
            "{arm} is not shown to be better than guessing on clean pictures (AUC {}, interval {}): the \
            robustness of such a detector means little.",
            three(auc.value),
            three_interval(auc)
        ));
    }
    lines
}

fn reproduce(report: &Report) -> Vec<String> {
    let recorded = report.environment.get("command").or_else(|| report.config.get("command"));
    let mut lines = vec![match recorded.and_then(Value::as_str) {
        Some(command) => command.to_owned(),
        None => {
            let data = report.arms.first().map_or("DATA", |arm| arm.eval.data.path.as_str());
            format!(
                "dfrt study --data {data} --config config.toml --out OUT   # config.toml: the configuration below"
            )
        }
    }];
    lines.push("dfrt report DIR   # renders this folder again".to_owned());
    for arm in &report.arms {
        for attack in &arm.attacks {
            let folder = attack_folder(attack);
            lines.push(format!(
                "dfrt verify DIR/{}/attacks/{folder}   # re-checks the saved pictures",
                arm.run
            ));
        }
    }
    lines
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can be written")
}
