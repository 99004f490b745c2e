//! The splits of a list's pictures: from a column of splits, the pictures' folders, or the list's
//! own name; else they are drawn. A column or folders that name splits for only some pictures are
//! an error.

use super::columns::{self, Columns, Row};
use super::options::ListOptions;
use super::places::FolderMeanings;
use crate::data::division;
use crate::data::manifest::ManifestError;
use crate::data::naming::{self, SplitNames};
use crate::sample::{Sample, Split};
use std::path::Path;

/// Names of columns that hold splits and nothing else.
const SURE: [&str; 3] = ["split", "partition", "phase"];
/// Names of columns that may hold splits or something else.
const PERHAPS: [&str; 2] = ["set", "subset"];

/// A column of splits.
pub(super) struct Column {
    /// The index of the column.
    pub at: usize,
    splits: Vec<Split>,
}

/// The column of `rows` that holds splits: by its name, or because every value is one.
///
/// # Errors
/// A value is no split in a column named so or with splits in other rows, or two columns
/// contradict each other.
pub(super) fn column(
    path: &Path,
    rows: &[&Row],
    names: &csv::StringRecord,
    columns: &Columns,
) -> Result<Option<Column>, ManifestError> {
    let unclear = |reason: String| ManifestError::Ambiguous { path: path.to_owned(), reason };
    let mut found: Option<Column> = None;
    let taken = |at: usize| at == columns.path || columns.labels.contains(&at) || columns.group == Some(at);
    for at in (0..names.len()).filter(|&at| !taken(at)) {
        let name = columns::plain(&names[at]);
        let values = || rows.iter().map(|row| row.fields[at].trim());
        let known = SplitNames::of(values());
        let plain = known.clone().unwrap_or_default();
        let splits: Vec<Option<Split>> = values().map(|value| plain.plain(value)).collect();
        let whole: Option<Vec<Split>> = splits.iter().copied().collect();
        let sure = SURE.contains(&&*name);
        let perhaps = PERHAPS.contains(&&*name) && splits.iter().any(Option::is_some);
        match whole {
            Some(splits) => match &found {
                Some(earlier) if earlier.splits != splits => {
                    return Err(unclear(format!(
                        "the columns {:?} and {:?} name different splits; leave one out, or pass --split",
                        &names[earlier.at], &names[at]
                    )));
                }
                Some(_) => {}
                None => found = Some(Column { at, splits }),
            },
            None if sure || perhaps => {
                known.map_err(|reason| unclear(format!("the column {:?}: {reason}", &names[at])))?;
                let row = rows.iter().zip(&splits).find(|(_, split)| split.is_none()).map(|(row, _)| row);
                let (line, value) = row.map_or((0, ""), |row| (row.line, row.fields[at].trim()));
                let reason = format!(
                    "{value:?} in the column {:?} is none of train, val, test; write one of these, or pass --split for all",
                    &names[at]
                );
                return Err(ManifestError::Line { path: path.to_owned(), line, reason });
            }
            None => {}
        }
    }
    Ok(found)
}

/// Sets the splits of `samples` and returns the rule in words.
///
/// # Errors
/// Folders name splits for only some pictures, or two for one; there are too few pictures to draw
/// splits.
pub(super) fn settle(
    path: &Path,
    samples: &mut [Sample],
    column: Option<(Column, &str)>,
    folded: &FolderMeanings,
    options: &ListOptions,
) -> Result<String, ManifestError> {
    let all =
        |samples: &mut [Sample], split: Split| samples.iter_mut().for_each(|sample| sample.split = split);
    let unclear = |reason: String| ManifestError::Ambiguous { path: path.to_owned(), reason };
    if let Some(split) = options.split {
        all(samples, split);
        return Ok(format!("all are put into {split}"));
    }
    if let Some((column, name)) = column {
        samples.iter_mut().zip(column.splits).for_each(|(sample, split)| sample.split = split);
        return Ok(format!("splits are from the column {name:?}"));
    }
    let mut named = 0;
    for (sample, meaning) in samples.iter_mut().zip(&folded.meanings) {
        let meaning = meaning.as_ref().map_err(|contradiction| {
            unclear(format!("{}: {}; pass --split", sample.path.display(), contradiction.reason))
        })?;
        if let Some(split) = meaning.split {
            sample.split = split;
            named += 1;
        }
    }
    if named == samples.len() {
        return Ok("splits are those that the pictures' folders name".to_owned());
    }
    if named > 0 {
        return Err(unclear(format!(
            "the folders of {named} of {} pictures name a split; add a column split, or pass --split for all",
            samples.len()
        )));
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some((split, _)) = naming::split(stem) {
        all(samples, split);
        return Ok(format!("all are put into {split}, as the list is named; --split changes it"));
    }
    if let Some(split) = folded.above {
        return Err(unclear(format!(
            "all pictures lie below a folder called like the split {split}; pass --split {split} if they are that, or \
            add a column split"
        )));
    }
    division::divide(path, samples, options.grouping, options.seed)
}
