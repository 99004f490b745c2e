//! Lists of pictures from other programs: a CSV with a column of paths and one of labels, under
//! usual names. What such a list proves is used. Which of 0 and 1 is fake is rarely proved; then
//! the user has to say it.

mod columns;
mod labels;
mod options;
mod places;
mod splits;

pub use options::ListOptions;

use super::grouping::{self, Grouping};
use super::layouts::{Media, lists};
use super::manifest::{Manifest, ManifestError};
use super::table::Table;
use crate::sample::{Label, Sample, Split};
use columns::{Columns, Row};
use places::{FolderMeanings, Paths};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Whether `bytes` are a CSV file with the columns of a manifest.
pub fn is_manifest(bytes: &[u8]) -> bool {
    let whole = |names: &csv::StringRecord| Manifest::names_columns(names);
    Table::open(bytes, whole).is_ok_and(|table| whole(&table.names))
}

/// Reads the list at `path`.
///
/// # Errors
/// There is no column of paths, the meaning of labels is not known, a line has no path or label,
/// a path leaves the folder, a picture is listed as both classes, or no picture exists.
pub fn read(path: &Path, options: &ListOptions) -> Result<Manifest, ManifestError> {
    let bytes = lists::read(path)?.ok_or_else(|| ManifestError::Missing { path: path.to_owned() })?;
    parse(path, &bytes, options)
}

/// Parses `bytes`, the list at `path`. Checks which pictures exist, opens none.
///
/// # Errors
/// Those of [`read`].
pub fn parse(path: &Path, bytes: &[u8], options: &ListOptions) -> Result<Manifest, ManifestError> {
    let unclear = |reason: String| ManifestError::Ambiguous { path: path.to_owned(), reason };
    let table = Table::open(bytes, |names| columns::path(names, options).is_some()).map_err(&unclear)?;
    let columns = Columns::of(&table.names, options).map_err(&unclear)?;
    let mut rows: Vec<Row> = Vec::new();
    table.rows(path, |line, fields| {
        if fields[columns.path].trim().is_empty() {
            return Err("names no picture".to_owned());
        }
        rows.push(Row { line, fields: fields.clone() });
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(ManifestError::Empty {
            path: path.to_owned(),
            passed_over: 0,
            expected: "a line a picture",
        });
    }
    let mut rules = vec![format!("paths are from the column {:?}", &table.names[columns.path])];
    let texts: Vec<&str> = rows.iter().map(|row| row.fields[columns.path].trim()).collect();
    let folded = FolderMeanings::of(&texts).map_err(&unclear)?;
    let labelled = labels::read(&table.names, &columns, &rows, &folded, options).map_err(&unclear)?;
    rules.push(labelled.rule);

    let paths = Paths::of(path, &rows, &texts, options)?;
    let (mut skipped, mut samples) = (paths.skipped, Vec::new());
    let (mut texts_kept, mut places_kept) = (Vec::new(), Vec::new());
    let mut seen: HashMap<PathBuf, (u64, Label)> = HashMap::new();
    for (at, ((row, found), label)) in rows.iter().zip(paths.found).zip(labelled.labels).enumerate() {
        let Some(picture) = found else { continue };
        match seen.insert(picture.clone(), (row.line, label)) {
            Some((line, earlier)) if earlier != label => {
                let reason = format!("the picture is {label} here and {earlier} on line {line}");
                return Err(ManifestError::Line { path: path.to_owned(), line: row.line, reason });
            }
            Some((line, _)) => skipped.push(format!("line {}: is on line {line} already", row.line)),
            None => {
                samples.push(Sample::new(picture, label, "", "", Split::Train));
                texts_kept.push(row);
                places_kept.push(at);
            }
        }
    }
    if samples.is_empty() {
        let expected = "pictures (for videos run `dfrt data extract` on their folder)";
        return Err(ManifestError::Empty { path: path.to_owned(), passed_over: skipped.len(), expected });
    }
    let field = |row: &Row, column: Option<usize>| column.map(|at| row.fields[at].trim().to_owned());
    let split_column = match options.split {
        None => splits::column(path, &texts_kept, &table.names, &columns)?,
        Some(_) => None,
    };
    // A column `subset` that holds splits is not used for subsets.
    let subset_column = columns.subset.filter(|at| split_column.as_ref().is_none_or(|split| split.at != *at));
    let places = places::places(&samples).map_err(&unclear)?;
    let asked_for_groups = options.grouping != Grouping::Auto;
    let grouped = match columns.group {
        Some(_) if !asked_for_groups => None,
        _ => Some(grouping::group(path, &places, options.grouping, Media::Pictures)?),
    };
    for (at, (sample, row)) in samples.iter_mut().zip(&texts_kept).enumerate() {
        let named = field(row, subset_column).filter(|subset| !subset.is_empty());
        let below = || grouped.as_ref().map(|grouped| grouped.subset(at, &places[at]));
        let subset = options.subset.clone().or(named).or_else(below);
        sample.subset = subset.unwrap_or_else(|| sample.label.name().to_owned());
        for &at in &columns.people {
            let people = row.fields[at].split(';').map(str::trim).filter(|person| !person.is_empty());
            *sample = sample.clone().showing(people);
        }
        sample.group = match &grouped {
            Some(grouped) => grouped.groups[at].clone(),
            None => field(row, columns.group).filter(|group| !group.is_empty()).unwrap_or_else(|| {
                // Without a group, a picture is its own group.
                sample.path.display().to_string()
            }),
        };
    }
    match (&grouped, columns.group) {
        (Some(grouped), _) => rules.extend(grouped.rules.iter().cloned()),
        (None, at) => {
            rules.push(format!("groups are from the column {:?}", &table.names[at.unwrap_or_default()]))
        }
    }
    let split_column = split_column.map(|column| {
        let name = &table.names[column.at];
        (column, name)
    });
    rules.push(splits::settle(path, &mut samples, split_column, &folded.only(&places_kept), options)?);
    Ok(Manifest { rules, ..Manifest::new(samples, skipped) })
}

#[cfg(test)]
mod tests;
