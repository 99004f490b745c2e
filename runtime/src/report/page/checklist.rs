//! What a reviewer would ask of the study, answered from its report: a table.

use super::super::Extras;
use super::super::cost::costs;
use super::super::numbers::counted;
use super::super::robustness::curves;
use super::listing::{listed, others};
use super::parts::{Cell, Column, Mark, Table};
use crate::attack::catalog::Method;
use crate::metrics::Scope;
use crate::results::attack::AttackReport;
use crate::results::study::{BASELINE, COMPUTE_MATCHED, Report, attack_key};
use std::collections::BTreeSet;

/// Whether an attack takes many steps or asks many questions; one fixed step or noise proves little.
fn searches(name: &str) -> bool {
    let method = name.parse::<Method>();
    is_suite(name) || method.is_ok_and(|it| !it.floor && (it.has_steps || !it.needs_gradients()))
}

/// Whether an attack, or one of a suite, needs no gradient: it shows a defence that only hides it.
fn needs_no_gradient(name: &str) -> bool {
    is_suite(name) || name.parse::<Method>().is_ok_and(|it| !it.floor && !it.needs_gradients())
}

fn is_suite(name: &str) -> bool {
    name.starts_with("suite")
}

/// An answer that is as a reviewer wants it, that is not, or that is a statement.
fn line(question: &str, good: Option<bool>, answer: String) -> Vec<Cell> {
    let (text, mark) = match good {
        Some(true) => ("yes", Mark::Good),
        Some(false) => ("no", Mark::Bad),
        None => ("–", Mark::Plain),
    };
    vec![Cell::plain(question), Cell { text: text.to_owned(), detail: None, mark }, Cell::plain(answer)]
}

/// The checklist; without rows where there is no arm.
pub(super) fn checklist(report: &Report, extras: &Extras) -> Table {
    let rows = match report.arms.is_empty() {
        true => Vec::new(),
        false => [varied(report), measured(report, extras), attacks(report), left_out(report)].concat(),
    };
    Table {
        name: "checklist".to_owned(),
        title: "A reviewer's checklist".to_owned(),
        note: "Answered from the results in this report.".to_owned(),
        columns: ["Question", "Met", "In this study"].map(Column::words).to_vec(),
        rows,
        folded: false,
    }
}

fn varied(report: &Report) -> Vec<Vec<Cell>> {
    let archs: BTreeSet<String> = report
        .arms
        .iter()
        .map(|arm| format!("{} at {} px", arm.eval.model.arch, arm.eval.model.res))
        .collect();
    let data: BTreeSet<&str> = report.arms.iter().map(|arm| arm.eval.data.path.as_str()).collect();
    let names = report.names();
    let matched = names.contains(&COMPUTE_MATCHED);
    let mut rows = vec![line(
        "What was varied, and what not?",
        None,
        format!(
            "varied: the way of training ({}); the same for all: {}, {}",
            listed(&names),
            listed(&archs.into_iter().collect::<Vec<_>>()),
            listed(&data.into_iter().collect::<Vec<_>>())
        ),
    )];
    if !others(report).is_empty() && names.contains(&BASELINE) {
        let answer = match matched {
            true => "there is an arm that takes as many gradients without what the others do with them",
            false => "a gain may come from the longer training alone: add the arm compute-matched",
        };
        rows.push(line("Is there a control of equal compute?", Some(matched), answer.to_owned()));
    }
    let fewest = names.iter().map(|name| report.seeds_of(name).len()).min().unwrap_or(0);
    let scopes: Vec<Scope> = report.comparisons.iter().filter_map(|one| one.scope).collect();
    let speaks = match (scopes.is_empty(), scopes.contains(&Scope::Models)) {
        (true, _) => "",
        (false, false) => "; the verdicts speak of the ways of training",
        (false, true) => "; the verdicts speak of these trained models only",
    };
    let seeds = format!("{} an arm{speaks}", counted(fewest, "seed"));
    rows.push(line("Three seeds or more?", Some(fewest >= 3), seeds));
    let selected: BTreeSet<String> = costs(report).into_iter().flat_map(|cost| cost.selected_by).collect();
    let selection = match selected.len() {
        0 => line("Is the epoch selected in the same way for all?", None, "not recorded here".to_owned()),
        n => {
            let by = listed(&selected.into_iter().collect::<Vec<_>>());
            line(
                "Is the epoch selected in the same way for all?",
                Some(n == 1),
                format!("by {by} on validation pictures"),
            )
        }
    };
    rows.push(selection);
    rows
}

fn measured(report: &Report, extras: &Extras) -> Vec<Vec<Cell>> {
    let first = &report.arms[0].eval.data;
    let attacked = report.arms.iter().flat_map(|arm| &arm.attacks).map(|attack| attack.n).min();
    let attacked = attacked.map_or_else(String::new, |n| format!("; every attack met {n} of them or more"));
    let pictures = format!("{} real and {} fake pictures", first.n_real, first.n_fake);
    let people = match extras.groups() {
        None => (None, format!("{pictures} of how many is not known here{attacked}")),
        Some(n) => (Some(n >= 30), format!("{pictures} of {n} people or videos{attacked}")),
    };
    let people = line("Thirty people or videos or more?", people.0, people.1);
    let family = report.comparisons.iter().filter_map(|one| one.family).max();
    let mut rows = vec![people];
    if !report.comparisons.is_empty() {
        rows.push(line(
            "Is p corrected for the number of comparisons?",
            Some(family.is_some()),
            match family {
                Some(family) => format!("Holm's method, {}", counted(family, "comparison")),
                None => "this report is of a version that did not".to_owned(),
            },
        ));
    }
    let cross: BTreeSet<&String> = report.arms.iter().flat_map(|arm| arm.cross.keys()).collect();
    let corrupted = report.arms.iter().any(|arm| arm.corrupted.is_some());
    rows.push(line(
        "Other data sets?",
        Some(!cross.is_empty()),
        match cross.is_empty() {
            true => "one data set: nothing is said of other forgeries, cameras or people".to_owned(),
            false => listed(&cross.into_iter().collect::<Vec<_>>()),
        },
    ));
    let answer = if corrupted { "measured" } else { "pictures as they are: no compression, blur or noise" };
    rows.push(line("Corrupted pictures?", Some(corrupted), answer.to_owned()));
    rows
}

fn attacks(report: &Report) -> Vec<Vec<Cell>> {
    let all: Vec<&AttackReport> = report.arms.iter().flat_map(|arm| &arm.attacks).collect();
    if all.is_empty() {
        return vec![line("Attacked?", Some(false), "no arm was attacked".to_owned())];
    }
    let methods: BTreeSet<&str> = all.iter().map(|attack| attack.method.as_str()).collect();
    let strong: Vec<&str> = methods.iter().copied().filter(|method| searches(method)).collect();
    let blind: Vec<&str> = methods.iter().copied().filter(|method| needs_no_gradient(method)).collect();
    let radii: Vec<String> = curves(report)
        .iter()
        .flat_map(|curves| curves.radii().into_iter().map(|radius| curves.radius(radius)))
        .collect();
    let answer = |found: &[&str], without: &str| match found.is_empty() {
        true => without.to_owned(),
        false => listed(found),
    };
    let failed: BTreeSet<String> =
        all.iter().filter(|attack| attack.unreliable).map(|attack| attack_key(attack)).collect();
    let told = match failed.is_empty() {
        true => "all checks passed".to_owned(),
        false => format!("failed: {}", listed(&failed.iter().collect::<Vec<_>>())),
    };
    vec![
        line("Several radii?", Some(radii.len() > 1), listed(&radii)),
        line(
            "Attacks of many steps that follow the model's own gradient or answers?",
            Some(!strong.is_empty()),
            answer(&strong, "single steps and noise only: a stronger attack may turn everything"),
        ),
        line(
            "An attack that needs no gradient, against a defence that hides it?",
            Some(!blind.is_empty()),
            answer(&blind, "none: see the checks on the attacks"),
        ),
        line(
            "Attacks made for these defences?",
            None,
            "all attacks are the same for every arm; one made for a defence may be stronger".to_owned(),
        ),
        line("Did all checks on the attacks pass?", Some(failed.is_empty()), told),
    ]
}

/// Whether the figures may be wrong by the data set.
fn audited(report: &Report) -> Vec<Cell> {
    let question = "No leaks between training and test pictures, no wrong labels?";
    let Some(audit) = &report.audit else {
        let answer = "not audited in this report; the command dfrt data audit looks for them";
        return line(question, None, answer.to_owned());
    };
    let severe: Vec<&str> = audit.severe().map(|finding| finding.what.as_str()).collect();
    let looked = format!("of {} pictures {} were looked at", audit.data.pictures, audit.data.looked_at);
    let answer = match severe.is_empty() {
        true => format!("the audit found none; {looked}"),
        false => format!("{}; {looked}", severe.join("; ")),
    };
    line(question, Some(severe.is_empty()), answer)
}

fn left_out(report: &Report) -> Vec<Vec<Cell>> {
    let complete = match report.missing.len() {
        0 => "all units of work are there".to_owned(),
        n => format!("{} missing", counted(n, "unit") + " of work"),
    };
    vec![line("Is the study complete?", Some(report.missing.is_empty()), complete), audited(report)]
}
