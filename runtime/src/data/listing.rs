//! Lists of pictures that other programs wrote: a CSV with a column of paths and one of
//! labels under the names that are usual for them. What such a list proves is used; which of
//! 0 and 1 is fake it rarely does, and then it is asked for.

mod columns;
mod labels;
mod places;

use super::division;
use super::grouping::{self, Grouping};
use super::layouts::{Media, lists};
use super::manifest::{Label, Manifest, ManifestError, Reach, Sample, Split};
use super::naming;
use super::table::Table;
use columns::Columns;
use places::Paths;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What the user says about a list.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The folder that its relative paths start from; its own where none is named.
    pub root: Option<PathBuf>,
    /// How far these may go.
    pub reach: Reach,
    /// The column of the paths.
    pub path_column: Option<String>,
    /// The column of the labels.
    pub label_column: Option<String>,
    /// Labels that mean fake; all others mean real, unless these are named, too.
    pub fake: Vec<String>,
    /// Labels that mean real; all others mean fake, unless these are named, too.
    pub real: Vec<String>,
    /// The class of all pictures.
    pub label: Option<Label>,
    /// The split of all pictures.
    pub split: Option<Split>,
    /// The subset of all pictures.
    pub subset: Option<String>,
    /// The rule by which pictures are grouped.
    pub grouping: Grouping,
    /// Names the draw of splits.
    pub seed: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            root: None,
            reach: Reach::Folder,
            path_column: None,
            label_column: None,
            fake: Vec::new(),
            real: Vec::new(),
            label: None,
            split: None,
            subset: None,
            grouping: Grouping::Auto,
            seed: 0,
        }
    }
}

/// A line of the list.
struct Row {
    /// Its number, from 1.
    line: u64,
    /// Its fields, in the order of the list's columns.
    fields: csv::StringRecord,
}

/// Whether the CSV file of `bytes` has the columns of a manifest.
pub fn is_manifest(bytes: &[u8]) -> bool {
    let whole = |names: &csv::StringRecord| Manifest::names_columns(names);
    Table::open(bytes, whole).is_ok_and(|table| whole(&table.names))
}

/// Reads the list at `path`.
///
/// # Errors
/// No column of paths, labels that nothing explains, a line without a path or label, a path
/// that leaves the folder, a picture listed as both classes, or no picture that is there.
pub fn read(path: &Path, asked: &Asked) -> Result<Manifest, ManifestError> {
    let bytes = lists::read(path)?.ok_or_else(|| ManifestError::Missing { path: path.to_owned() })?;
    parse(path, &bytes, asked)
}

/// What the list at `path` says whose bytes are `bytes`. Its pictures are looked for, none
/// is opened.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, bytes: &[u8], asked: &Asked) -> Result<Manifest, ManifestError> {
    let unclear = |reason: String| ManifestError::Unclear { path: path.to_owned(), reason };
    let table = Table::open(bytes, |names| columns::path(names, asked).is_some()).map_err(&unclear)?;
    let columns = Columns::of(&table.names, asked).map_err(&unclear)?;
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
    let labelled = labels::read(&table.names, &columns, &rows, &texts, asked).map_err(&unclear)?;
    rules.push(labelled.rule);

    let paths = Paths::of(path, &rows, &texts, asked)?;
    let (mut skipped, mut samples, mut texts_kept) = (paths.skipped, Vec::new(), Vec::new());
    let mut seen: HashMap<PathBuf, (u64, Label)> = HashMap::new();
    for (row, found, label) in rows.iter().zip(paths.found).zip(labelled.labels).map(|((a, b), c)| (a, b, c))
    {
        let Some(picture) = found else { continue };
        match seen.insert(picture.clone(), (row.line, label)) {
            Some((line, earlier)) if earlier != label => {
                let reason = format!("the picture is {label} here and {earlier} on line {line}");
                return Err(ManifestError::Line { path: path.to_owned(), line: row.line, reason });
            }
            Some((line, _)) => skipped.push(format!("line {}: stands on line {line} already", row.line)),
            None => {
                samples.push(Sample::new(picture, label, "", "", Split::Train));
                texts_kept.push(row);
            }
        }
    }
    if samples.is_empty() {
        let expected = "pictures (for videos run `dfrt data extract` on their folder)";
        return Err(ManifestError::Empty { path: path.to_owned(), passed_over: skipped.len(), expected });
    }
    let field = |row: &Row, column: Option<usize>| column.map(|at| row.fields[at].trim().to_owned());
    let places = places::places(&samples);
    let asked_for_groups = asked.grouping != Grouping::Auto;
    let grouped = match columns.group {
        Some(_) if !asked_for_groups => None,
        _ => Some(grouping::group(path, &places, asked.grouping, Media::Pictures)?),
    };
    for (at, (sample, row)) in samples.iter_mut().zip(&texts_kept).enumerate() {
        let named = field(row, columns.subset).filter(|subset| !subset.is_empty());
        let below = || grouped.as_ref().map(|grouped| grouped.subset(at, &places[at]));
        let subset = asked.subset.clone().or(named).or_else(below);
        sample.subset = subset.unwrap_or_else(|| sample.label.name().to_owned());
        sample.group = match &grouped {
            Some(grouped) => grouped.groups[at].clone(),
            None => field(row, columns.group).filter(|group| !group.is_empty()).unwrap_or_else(|| {
                // Nothing is known of it: it stands for itself.
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
    rules.push(splits(path, &mut samples, &texts_kept, &table.names, &columns, asked)?);
    Ok(Manifest { rules, ..Manifest::new(samples, skipped) })
}

/// Settles the splits and gives the rule: what is said, the list's column, the folders of
/// all pictures, the list's own name, or a draw.
fn splits(
    path: &Path,
    samples: &mut [Sample],
    rows: &[&Row],
    names: &csv::StringRecord,
    columns: &Columns,
    asked: &Asked,
) -> Result<String, ManifestError> {
    let all =
        |samples: &mut [Sample], split: Split| samples.iter_mut().for_each(|sample| sample.split = split);
    if let Some(split) = asked.split {
        all(samples, split);
        return Ok(format!("all are put into {split}"));
    }
    if let Some(at) = columns.split {
        let parsed: Vec<Result<Split, (u64, String)>> = rows
            .iter()
            .map(|row| row.fields[at].parse::<Split>().map_err(|reason| (row.line, reason)))
            .collect();
        let sure = names[at].trim().eq_ignore_ascii_case("split");
        if parsed.iter().all(Result::is_ok) {
            for (sample, split) in samples.iter_mut().zip(parsed.into_iter().flatten()) {
                sample.split = split;
            }
            return Ok(format!("splits are from the column {:?}", &names[at]));
        }
        // A column called `set` may be about something else.
        if let Some(Err((line, reason))) = parsed.into_iter().find(Result::is_err).filter(|_| sure) {
            return Err(ManifestError::Line { path: path.to_owned(), line, reason });
        }
    }
    let of_folders: Option<Vec<Split>> =
        rows.iter().map(|row| places::split(row.fields[columns.path].trim())).collect();
    if let Some(found) = of_folders {
        for (sample, split) in samples.iter_mut().zip(found) {
            sample.split = split;
        }
        return Ok("splits are those that the pictures' folders name".to_owned());
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some((split, _)) = naming::split(stem) {
        all(samples, split);
        return Ok(format!("all are put into {split}, as the list is called; --split says otherwise"));
    }
    Ok(division::divide(samples, asked.seed))
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
