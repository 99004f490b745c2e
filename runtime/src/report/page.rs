//! The content of a report in sentences and tables, before it is rendered as Markdown or HTML:
//! the question, its answer in three sentences, an answer for every comparison (also where no effect is shown), warnings,
//! tables, limitations, and how to reproduce it.

mod answers;
mod checklist;
mod listing;
mod mismatch;
mod opening;
mod parts;
mod tables;
mod training;
mod why;

pub use answers::could_have_shown;
pub(super) use answers::subject;
pub use opening::Opening;
pub use parts::{Answer, Cell, Column, Mark, Table};
pub use why::{Statement, Why};

use super::Extras;
use super::numbers::{counted, three, three_interval};
use crate::results::attack::AttackReport;
use crate::results::audited::Audited;
use crate::results::study::{BASELINE, Report, attack_folder, attack_key};
use listing::{listed, others};
use serde_json::Value;
use std::collections::BTreeSet;
use tables::who;

/// The content of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The question that the study asks.
    pub question: String,
    /// The answer in three sentences.
    pub opening: Opening,
    /// The basis of the report: arms, seeds, pictures.
    pub basis: String,
    /// Warnings that come before all numbers.
    pub warnings: Vec<String>,
    /// For each arm, one sentence on all its comparisons.
    pub headlines: Vec<String>,
    /// An answer for each comparison.
    pub answers: Vec<Answer>,
    /// Why the detectors are as robust as they are.
    pub why: Option<Why>,
    /// The tables in reading order.
    pub tables: Vec<Table>,
    /// The limitations of the numbers.
    pub caveats: Vec<String>,
    /// Commands that reproduce it.
    pub reproduce: Vec<String>,
    /// What is left out and why.
    pub missing: Vec<String>,
    /// The resolved settings, as indented JSON.
    pub config: String,
    /// Versions, device, driver, as indented JSON.
    pub environment: String,
}

impl Page {
    /// The content of the report `report`.
    pub fn of(report: &Report, extras: &Extras) -> Self {
        Self {
            question: question(report),
            opening: opening::opening(report),
            basis: basis(report, extras),
            warnings: warnings(report),
            headlines: others(report).into_iter().filter_map(|arm| answers::headline(report, arm)).collect(),
            answers: report.comparisons.iter().map(|one| answers::answer(report, one)).collect(),
            why: why::why(report),
            tables: tables::all(report, extras),
            caveats: caveats(report, extras),
            reproduce: reproduce(report),
            missing: extras.missing.clone(),
            config: indented(&report.config),
            environment: indented(&report.environment),
        }
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

fn failed(attack: &AttackReport) -> Vec<String> {
    let gates = attack.gates.iter().filter(|gate| !gate.passed);
    gates.map(|gate| format!("{} ({})", gate.name, gate.reason)).collect()
}

fn warnings(report: &Report) -> Vec<String> {
    let severe = report.audit.iter().flat_map(Audited::severe);
    let mut lines: Vec<String> = severe
        .map(|finding| {
            format!("The data set ({}): {}. Every figure may be wrong by it.", finding.check, finding.what)
        })
        .collect();
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
            "{seeds} an arm: the intervals of differences hold the spread over seeds as well as over people or \
            videos; from so few seeds it is itself uncertain."
        ),
    });
    if report.comparisons.len() > 1 {
        lines.push(format!(
            "{} comparisons were made{}",
            report.comparisons.len(),
            match report.comparisons.iter().any(|one| one.p_holm.is_some()) {
                true => ": p is corrected for that (Holm), so that the chance of even one difference where there is \
                    none is at most one in twenty; the intervals are each comparison's own.",
                false => " and none is corrected for that: where nothing differs, about one in twenty is called a \
                    difference by chance.",
            }
        ));
    }
    let warned = report.audit.iter().flat_map(|audit| audit.with(&["warning", "note"]));
    lines.extend(warned.map(|finding| format!("The audit of the data set: {}.", finding.what)));
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
