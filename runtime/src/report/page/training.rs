//! The table of what each arm's training cost.

use super::super::cost::{Cost, Spread, costs};
use super::super::numbers::count;
use super::parts::{Cell, Column, Table};
use crate::results::study::{BASELINE, Report};

/// A row for each arm whose training is recorded.
pub(super) fn cost(report: &Report) -> Table {
    let words = ["Arm", "Epochs selected by"];
    let numbers = ["Pictures a second", "Time, baseline = 1", "Device memory (MB)", "Epochs", "Epoch kept"];
    let mut columns: Vec<Column> = words.map(Column::words).to_vec();
    columns.extend(numbers.map(Column::numbers));
    Table {
        name: "cost".to_owned(),
        title: "Cost of training".to_owned(),
        note: "Means over the seeds, least and largest below. Time: epochs times training pictures over pictures a second, \
            over the same of the baseline at the same seed; validation is left out. Memory: plans of training and \
            evaluation on the device."
            .to_owned(),
        columns,
        rows: costs(report).iter().map(row).collect(),
        folded: false,
    }
}

fn row(cost: &Cost) -> Vec<Cell> {
    let selected = match cost.selected_by.is_empty() {
        true => "not recorded".to_owned(),
        false => cost.selected_by.join(", "),
    };
    let hundredths = |value: f64| format!("{value:.2}");
    let times = match cost.arm == BASELINE {
        true => Cell::plain("1"),
        false => spread(cost.times_baseline, &hundredths),
    };
    vec![
        Cell::plain(cost.arm.clone()),
        Cell::plain(selected),
        spread(cost.images_per_second, &count),
        times,
        spread(cost.gpu_mb, &|value| count(value.round())),
        spread(cost.epochs, &count),
        spread(cost.best_epoch, &count),
    ]
}

fn spread(value: Option<Spread>, write: &dyn Fn(f64) -> String) -> Cell {
    let Some(Spread { mean, low, high }) = value else { return Cell::plain("–") };
    let (low, high) = (write(low), write(high));
    let detail = (low != high).then(|| format!("{low} to {high}"));
    Cell { detail, ..Cell::plain(write(mean)) }
}
