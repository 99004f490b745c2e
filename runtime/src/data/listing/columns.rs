//! Finds the columns of a list by their usual names.

use super::options::ListOptions;

/// Names of columns with paths, those with complete paths first.
const PATH: [&str; 16] = [
    "path",
    "filepath",
    "file_path",
    "image_path",
    "img_path",
    "frame_path",
    "picture",
    "image",
    "img",
    "filename",
    "file_name",
    "image_name",
    "img_name",
    "file",
    "fname",
    "name",
];
/// Names of columns with labels, those in words first.
pub(super) const LABEL: [&str; 17] = [
    "label_str",
    "label_name",
    "class_name",
    "label",
    "labels",
    "class",
    "target",
    "is_fake",
    "fake",
    "is_deepfake",
    "deepfake",
    "is_real",
    "real",
    "ground_truth",
    "gt",
    "y",
    "category",
];
const GROUP: [&str; 10] = [
    "group",
    "video",
    "video_id",
    "video_name",
    "videoname",
    "clip",
    "clip_id",
    "sequence",
    "sequence_id",
    "source_video",
];
/// Names of columns with a person; the first one found is the group where there is no column of
/// groups.
const PEOPLE: [&str; 13] = [
    "person",
    "person_id",
    "person_name",
    "subject",
    "subject_id",
    "identity",
    "identity_id",
    "actor",
    "actor_id",
    "target_id",
    "source_id",
    "swapped_id",
    "people",
];
const SUBSET: [&str; 9] = [
    "subset",
    "method",
    "manipulation",
    "generator",
    "technique",
    "source",
    "dataset",
    "model",
    "manipulation_type",
];

/// A line of the list.
pub(super) struct Row {
    /// Its number, from 1.
    pub line: u64,
    /// Its fields, in the order of the list's columns.
    pub fields: csv::StringRecord,
}

/// The indices of the columns.
#[derive(Debug)]
pub(super) struct Columns {
    /// The paths.
    pub path: usize,
    /// The labels, the preferred column first.
    pub labels: Vec<usize>,
    /// The videos or, where there is no such column, the persons.
    pub group: Option<usize>,
    /// The persons.
    pub people: Vec<usize>,
    /// The subsets.
    pub subset: Option<usize>,
}

/// A name normalised as in the lists above.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

fn first(names: &csv::StringRecord, known: &[&str]) -> Option<usize> {
    known.iter().find_map(|known| names.iter().position(|name| plain(name) == *known))
}

fn called(names: &csv::StringRecord, column: &str) -> Option<usize> {
    names.iter().position(|name| name.trim() == column)
}

/// The column of the paths.
pub(super) fn path(names: &csv::StringRecord, options: &ListOptions) -> Option<usize> {
    match &options.path_column {
        Some(column) => called(names, column),
        None => first(names, &PATH),
    }
}

impl Columns {
    /// Finds the columns among `names`.
    ///
    /// # Errors
    /// There is no column of paths, or none with the name that the user gave.
    pub fn of(names: &csv::StringRecord, options: &ListOptions) -> Result<Self, String> {
        let there = || names.iter().map(str::trim).collect::<Vec<_>>().join(", ");
        let absent = |option: &str, column: &str| {
            format!("{option} {column}: there is no such column; there are {}", there())
        };
        let path = path(names, options).ok_or_else(|| match &options.path_column {
            Some(column) => absent("--path-column", column),
            None => format!(
                "no column is known for one of paths (path, filename, image, …); its columns are {}; name it with \
                --path-column, or write a first line with the columns' names",
                there()
            ),
        })?;
        let labels = match &options.label_column {
            Some(column) => vec![called(names, column).ok_or_else(|| absent("--label-column", column))?],
            None => LABEL.iter().filter_map(|known| first(names, &[known])).collect(),
        };
        let other = |at: &usize| *at != path && !labels.contains(at);
        let people: Vec<usize> =
            PEOPLE.iter().filter_map(|known| first(names, &[known])).filter(other).collect();
        Ok(Self {
            path,
            group: first(names, &GROUP).filter(other).or(people.first().copied()),
            people,
            subset: first(names, &SUBSET).filter(other),
            labels,
        })
    }
}
