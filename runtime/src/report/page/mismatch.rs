//! The mismatch matrix: adversarial pictures of every arm judged by every arm, a table for each
//! attack.

use super::super::numbers::{counted, percent};
use super::parts::{Cell, Column, Mark, Table};
use crate::results::study::{Report, attack_folder, attack_key};
use crate::results::transfer::Row;

/// A row of a judge's transfer.json with the arms' names: made on, judged by.
struct Judged<'a> {
    source: &'a str,
    judge: &'a str,
    row: &'a Row,
}

fn judged(report: &Report) -> Vec<Judged<'_>> {
    let mut all = Vec::new();
    for judge in &report.arms {
        for row in judge.transfer.iter().flat_map(|transfer| &transfer.rows) {
            let source = report.arms.iter().find(|arm| arm.run == row.source);
            all.extend(source.map(|source| Judged { source: &source.name, judge: &judge.name, row }));
        }
    }
    all
}

/// The matrices of all attacks whose pictures were judged by other models.
pub(super) fn matrices(report: &Report) -> Vec<Table> {
    let all = judged(report);
    let mut attacks: Vec<&str> = Vec::new();
    for one in &all {
        if !attacks.contains(&one.row.attack.as_str()) {
            attacks.push(&one.row.attack);
        }
    }
    attacks.iter().map(|attack| matrix(report, &all, attack)).collect()
}

fn matrix(report: &Report, all: &[Judged<'_>], attack: &str) -> Table {
    let of_attack: Vec<&Judged<'_>> = all.iter().filter(|one| one.row.attack == attack).collect();
    let in_order = |found: Vec<&str>| {
        report.names().into_iter().filter(|name| found.contains(name)).collect::<Vec<&str>>()
    };
    let sources = in_order(of_attack.iter().map(|one| one.source).collect());
    let judges = in_order(of_attack.iter().map(|one| one.judge).collect());
    let mut columns = vec![Column::words("Made on")];
    columns.extend(judges.iter().map(|judge| Column::numbers(format!("Judged by {judge}"))));
    let row = |source: &&str| {
        let mut cells = vec![Cell::plain(*source)];
        cells.extend(judges.iter().map(|judge| {
            let of_pair = of_attack.iter().filter(|one| one.source == *source && one.judge == *judge);
            cell(&of_pair.map(|one| one.row).collect::<Vec<_>>(), source == judge)
        }));
        cells
    };
    let known = report.arms.iter().flat_map(|arm| &arm.attacks).find(|one| attack_folder(one) == attack);
    let name = known.map_or_else(|| attack.to_owned(), attack_key);
    let seeds = report.names().iter().map(|name| report.seeds_of(name).len()).max().unwrap_or(0);
    Table {
        name: format!("transfer-{attack}"),
        title: format!("Pictures of one model judged by another: {name}"),
        note: format!(
            "Share of pictures that the judging model has right before and after, the mean of {}. On the diagonal the \
             attack knew the model (white box); off it the pictures were made on another. A column that is high off the \
             diagonal and low on it is a model that only an attack on itself turns.",
            counted(seeds, "seed")
        ),
        columns,
        rows: sources.iter().map(row).collect(),
        folded: false,
    }
}

fn cell(rows: &[&Row], own: bool) -> Cell {
    let shares: Vec<f64> =
        rows.iter().filter(|row| row.n > 0).map(|row| row.n_right as f64 / row.n as f64).collect();
    if shares.is_empty() {
        return Cell::plain("–");
    }
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let n = rows.iter().map(|row| row.n).sum::<usize>();
    let box_words = if own { ", white box" } else { "" };
    Cell {
        text: percent(mean),
        detail: Some(format!("of {n}{box_words}")),
        mark: Mark::Share { percent: (100.0 * mean).round() as u8, own },
    }
}
