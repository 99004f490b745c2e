//! pictures.csv.

use super::{Measured, Measurement, TABLE};
use crate::results::ResultError;
use crate::storage;
use std::path::Path;

/// Writes pictures.csv into the folder `dir`: a line for each model and picture. An undefined figure is
/// an empty field.
///
/// # Errors
/// The file cannot be written.
pub fn write(dir: &Path, measured: &[Measured]) -> Result<(), ResultError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| table.write_record(record).expect("memory takes every byte");
    if let Some(first) = measured.iter().find_map(|model| model.pictures.first()) {
        write(header(first));
    }
    for model in measured {
        for picture in &model.pictures {
            write(record(model, picture));
        }
    }
    let bytes = table.into_inner().expect("memory takes every byte");
    Ok(storage::write(&dir.join(TABLE), &bytes)?)
}

/// The columns that every table has.
const COLUMNS: [&str; 20] = [
    "arm",
    "model",
    "id",
    "label",
    "group",
    "logit",
    "margin",
    "right",
    "loss",
    "input_margin_l1",
    "input_margin_l2",
    "input_loss_l1",
    "input_loss_l2",
    "statistics_margin",
    "statistics_loss",
    "first_order_255",
    "pgd_255",
    "pgd_held_255",
    "attacked_logit",
    "high_frequency_share",
];

fn header(picture: &Measurement) -> Vec<String> {
    let mut columns = COLUMNS.map(str::to_owned).to_vec();
    for tap in &picture.taps {
        let names = ["statistics_margin", "statistics_loss", "shifted_logit", "shifted_loss"];
        columns.extend(names.map(|name| format!("tap{}_{name}", tap.tap)));
    }
    for along in &picture.along {
        columns.extend(["loss", "margin"].map(|name| format!("along_{}_{name}", along.length)));
    }
    columns
}

fn record(model: &Measured, picture: &Measurement) -> Vec<String> {
    let some = |value: f64| value.to_string();
    let maybe = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let mut fields = vec![
        model.arm.clone(),
        model.model.path.clone(),
        picture.id.to_string(),
        picture.label.to_string(),
        picture.group.clone(),
        some(picture.logit),
        some(picture.margin),
        picture.right.to_string(),
        some(picture.loss),
        maybe(picture.input_margin_l1),
        maybe(picture.input_margin_l2),
        maybe(picture.input_loss_l1),
        maybe(picture.input_loss_l2),
        maybe(picture.statistics_margin),
        maybe(picture.statistics_loss),
        maybe(picture.first_order_255),
        maybe(picture.pgd_255),
        maybe(picture.pgd_held_255),
        some(picture.attacked_logit),
        maybe(picture.high_frequency_share),
    ];
    for tap in &picture.taps {
        fields.extend([maybe(tap.statistics_margin), maybe(tap.statistics_loss)]);
        fields.extend([some(tap.shifted_logit), some(tap.shifted_loss)]);
    }
    fields.extend(picture.along.iter().flat_map(|along| [maybe(along.loss), maybe(along.margin)]));
    fields
}
