//! What the labels of a list mean: by their words, by the column's name for 0 and 1, by the
//! pictures' folders where these agree, or as the user says.

use super::columns::{self, Columns, Row};
use super::options::ListOptions;
use super::places::FolderMeanings;
use crate::data::naming;
use crate::sample::Label;
use std::collections::{BTreeMap, BTreeSet};

/// Names of columns in which yes means fake.
const YES_IS_FAKE: [&str; 4] = ["is_fake", "fake", "is_deepfake", "deepfake"];
/// Names of columns in which yes means real.
const YES_IS_REAL: [&str; 2] = ["is_real", "real"];

/// The labels of all rows, and the rule by which they were read.
pub(super) struct Labelled {
    /// One for each row.
    pub labels: Vec<Label>,
    /// The rule, in words.
    pub rule: String,
}

/// Reads the labels of `rows`; `folded` is what their folders mean.
///
/// # Errors
/// Labels are missing, or nothing proves what they mean; with what to do.
pub(super) fn read(
    names: &csv::StringRecord,
    columns: &Columns,
    rows: &[Row],
    folded: &FolderMeanings,
    options: &ListOptions,
) -> Result<Labelled, String> {
    if let Some(label) = options.label {
        return Ok(Labelled { labels: vec![label; rows.len()], rule: format!("all are {label} by --label") });
    }
    let of_folders: Option<Vec<Label>> = folded
        .meanings
        .iter()
        .map(|meaning| meaning.as_ref().ok().and_then(|meaning| meaning.label))
        .collect();
    // A class that is in all paths may be the name of a folder above the data set.
    let of_folders = of_folders.filter(|labels| labels.iter().any(|label| *label != labels[0]));
    let named = !options.fake.is_empty() || !options.real.is_empty();
    let Some(&first) = columns.labels.first() else {
        if let Some(Err(contradiction)) = folded.meanings.iter().find(|meaning| meaning.is_err()) {
            return Err(format!(
                "a picture is in {}; name the column of labels with --label-column",
                contradiction.reason
            ));
        }
        return match of_folders {
            Some(labels) if !named => {
                Ok(Labelled { labels, rule: "labels are those of the pictures' folders".into() })
            }
            _ => Err(format!(
                "no column is known for one of labels; its columns are {}; name it with --label-column, or say \
                --label real or fake where all pictures are that",
                names.iter().map(str::trim).collect::<Vec<_>>().join(", ")
            )),
        };
    };
    let column = |at: usize| Column {
        name: names[at].trim(),
        values: rows.iter().map(|row| plain(&row.fields[at])).collect(),
    };
    let all: Vec<Column<'_>> = columns.labels.iter().map(|&at| column(at)).collect();
    if let Some((row, _)) = rows.iter().zip(&all[0].values).find(|(_, value)| value.is_empty()) {
        return Err(format!("line {}: the field {:?} is empty; correct that line", row.line, &names[first]));
    }
    if named {
        let holds = |column: &&Column<'_>| {
            options.fake.iter().chain(&options.real).all(|value| column.values.contains(&plain(value)))
        };
        return all.iter().find(holds).unwrap_or(&all[0]).by_user(options);
    }
    for column in &all {
        if let Some(labelled) = column.in_words().or_else(|| column.by_its_name()) {
            return Ok(labelled);
        }
    }
    of_folders.and_then(|folders| all[0].as_folders(&folders)).ok_or_else(|| all[0].question())
}

struct Column<'a> {
    name: &'a str,
    values: Vec<String>,
}

impl Column<'_> {
    fn distinct(&self) -> BTreeSet<&str> {
        self.values.iter().map(String::as_str).collect()
    }

    fn of(&self, meaning: &BTreeMap<&str, Label>, why: &str) -> Labelled {
        let labels = self.values.iter().map(|value| meaning[value.as_str()]).collect();
        let values = |label: Label| {
            let values: Vec<&str> =
                meaning.iter().filter(|(_, of)| **of == label).map(|(value, _)| *value).collect();
            (!values.is_empty()).then(|| format!("{} {label}", short(&values)))
        };
        let listed: Vec<String> = [Label::Real, Label::Fake].into_iter().filter_map(values).collect();
        Labelled {
            labels,
            rule: format!("labels are from the column {:?}: {}{why}", self.name, listed.join(", ")),
        }
    }

    /// `real`, `FAKE`, `original`, …
    fn in_words(&self) -> Option<Labelled> {
        let meaning: Option<BTreeMap<&str, Label>> =
            self.distinct().into_iter().map(|value| Some((value, naming::class(value)?))).collect();
        Some(self.of(&meaning?, ""))
    }

    /// 0 and 1, or yes and no, in a column whose name says what yes means.
    fn by_its_name(&self) -> Option<Labelled> {
        let name = columns::plain(self.name);
        let yes = match &*name {
            name if YES_IS_FAKE.contains(&name) => Label::Fake,
            name if YES_IS_REAL.contains(&name) => Label::Real,
            _ => return None,
        };
        let meaning = self.distinct().into_iter().map(|value| match value {
            "1" | "true" | "yes" => Some((value, yes)),
            "0" | "false" | "no" => Some((value, yes.other())),
            _ => None,
        });
        Some(self.of(&meaning.collect::<Option<_>>()?, ""))
    }

    /// By the pictures' folders, where these agree on every label.
    fn as_folders(&self, folders: &[Label]) -> Option<Labelled> {
        let mut meaning: BTreeMap<&str, Label> = BTreeMap::new();
        for (value, label) in self.values.iter().zip(folders) {
            if *meaning.entry(value).or_insert(*label) != *label {
                return None;
            }
        }
        Some(self.of(&meaning, ", as the folders of all pictures say"))
    }

    /// By the labels that the user named.
    fn by_user(&self, options: &ListOptions) -> Result<Labelled, String> {
        let distinct = self.distinct();
        let mut meaning: BTreeMap<&str, Label> = BTreeMap::new();
        let named =
            [("--fake-label", &options.fake, Label::Fake), ("--real-label", &options.real, Label::Real)];
        for (option, values, label) in named {
            for value in values {
                let known = distinct.get(plain(value).as_str()).ok_or_else(|| {
                    let all: Vec<&str> = distinct.iter().copied().collect();
                    format!(
                        "{option} {value}: no line has that in {:?}; there are {}",
                        self.name,
                        short(&all)
                    )
                })?;
                if meaning.insert(known, label).is_some_and(|earlier| earlier != label) {
                    return Err(format!(
                        "{value} is in both --fake-label and --real-label; leave it out of one"
                    ));
                }
            }
        }
        let rest = match (options.fake.is_empty(), options.real.is_empty()) {
            (false, true) => Some(Label::Real),
            (true, false) => Some(Label::Fake),
            _ => None,
        };
        for value in distinct {
            if meaning.contains_key(value) {
                continue;
            }
            let label = rest.ok_or_else(|| {
                format!("{value:?} in the column {:?} is in neither --fake-label nor --real-label", self.name)
            })?;
            meaning.insert(value, label);
        }
        Ok(self.of(&meaning, ", as said"))
    }

    /// The message where nothing proves what the labels mean.
    fn question(&self) -> String {
        let distinct: Vec<&str> = self.distinct().into_iter().collect();
        let binary = distinct.iter().all(|value| ["0", "1"].contains(value));
        let ways = match distinct[..] {
            _ if binary => "pass --fake-label 1 or --fake-label 0".to_owned(),
            [one] => format!("pass --fake-label {one} or --real-label {one}"),
            [one, other] => format!("pass --fake-label {one} or --fake-label {other}"),
            _ => "name those that are fake with --fake-label A,B,…, or the real ones with --real-label"
                .to_owned(),
        };
        format!(
            "the labels in the column {:?} are {}, and nothing proves which are fake; {ways}",
            self.name,
            short(&distinct)
        )
    }
}

/// In lower case, and 1.0 as 1.
fn plain(value: &str) -> String {
    let value = value.trim().to_lowercase();
    match value.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e9 => format!("{}", number as i64),
        _ => value,
    }
}

/// At most eight values in words, and how many more there are.
fn short(values: &[&str]) -> String {
    let shown = values.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    if values.len() > 8 { format!("{shown} and {} more", values.len() - 8) } else { shown }
}
