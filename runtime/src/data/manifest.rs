//! The manifest of a data set: one line a picture, with its label, subset, group (video or
//! person) and split. The layouts read folders into it.

mod error;
mod summary;

pub use crate::sample::{Label, Sample, Split};
pub use error::ManifestError;
pub use summary::{Part, Summary};

use super::place::{absolute, climbs_out, common_folder, quoted, slashed, working_folder};
use super::table;
use crate::random;
use crate::storage;
use rand::seq::SliceRandom;
use std::path::Path;

/// The columns of manifest.csv.
const COLUMNS: [&str; 5] = ["path", "label", "subset", "group", "split"];
/// The optional column of people, separated by `;`.
const PEOPLE: &str = "people";

/// How far the relative paths of a manifest may go. Absolute ones may go anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Below the manifest's own folder: safe for untrusted manifests.
    Folder,
    /// Anywhere, also through `..`.
    Anywhere,
}

/// A data set: its samples in a fixed order.
///
/// ```
/// use dfrt_runtime::data::manifest::{Manifest, Reach, limit};
/// use dfrt_runtime::sample::Split;
/// use std::path::Path;
///
/// let list = "path,label,subset,group,split\n\
///     a.png,real,ffhq,anna,test\n\
///     b.png,fake,swap,anna,test\n\
///     c.png,fake,gan,bert,test\n\
///     d.png,real,ffhq,carl,train\n";
/// let faces = Manifest::parse(Path::new("faces.csv"), list.as_bytes(), Reach::Folder)?;
/// assert_eq!(faces.split(Split::Test).len(), 3);
/// // Naming a generator keeps the real pictures beside it.
/// let swaps = faces.of_subsets(&["swap"])?;
/// assert_eq!(swaps.split(Split::Test).len(), 2);
/// // The same two each time, one of each class.
/// let two = limit(&faces.samples, 2, 0);
/// assert_ne!(two[0].label, two[1].label);
/// # Ok::<(), dfrt_runtime::data::manifest::ManifestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All samples, sorted by path.
    pub samples: Vec<Sample>,
    /// What was skipped while reading (missing or foreign files), a line each.
    pub skipped: Vec<String>,
    /// The rules by which groups and splits were made where none are given, a line each.
    pub rules: Vec<String>,
}

impl Manifest {
    /// A data set of `samples`, sorted by path.
    pub fn new(mut samples: Vec<Sample>, mut skipped: Vec<String>) -> Self {
        samples.sort_by(|a, b| a.path.cmp(&b.path));
        skipped.sort();
        Self { samples, skipped, rules: Vec::new() }
    }

    /// Reads a manifest.csv. Relative paths are taken from the manifest's folder. Whether the
    /// pictures exist is not checked: a missing one is skipped and counted when it is read.
    ///
    /// # Errors
    /// The file cannot be read, a column is missing, there is no line, or a line has a bad label
    /// or split, an empty field, a duplicate path, or a relative path that climbs out of the
    /// folder; the error names the line.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        Self::read_within(path, Reach::Folder)
    }

    /// [`Manifest::read`], where `reach` says how far its relative paths may go.
    ///
    /// # Errors
    /// Those of [`Manifest::read`].
    pub fn read_within(path: &Path, reach: Reach) -> Result<Self, ManifestError> {
        Self::parse(path, &storage::read(path)?, reach)
    }

    /// Whether a CSV file with the columns `names` is a manifest.
    pub(super) fn names_columns(names: &csv::StringRecord) -> bool {
        COLUMNS.iter().all(|column| names.iter().any(|name| name.trim() == *column))
    }

    /// Parses `bytes`, the manifest.csv at `path`; no picture is opened.
    ///
    /// # Errors
    /// Those of [`Manifest::read`].
    pub fn parse(path: &Path, bytes: &[u8], reach: Reach) -> Result<Self, ManifestError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut lines: Vec<(Sample, u64)> = Vec::new();
        table::each_row(path, bytes, &COLUMNS, &[PEOPLE], |line, fields| {
            lines.push((sample_of(folder, fields, reach)?, line));
            Ok(())
        })
        .map_err(of_another_form)?;
        if lines.is_empty() {
            return Err(ManifestError::Empty {
                path: path.to_owned(),
                passed_over: 0,
                expected: "one line a picture below the header",
            });
        }
        lines.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        let twice = lines.windows(2).filter(|pair| pair[0].0.path == pair[1].0.path);
        if let Some([(sample, earlier), (_, line)]) = twice.min_by_key(|pair| pair[1].1) {
            let picture = sample.path.strip_prefix(folder).unwrap_or(&sample.path);
            let reason = format!("{picture:?} is on line {earlier} already");
            return Err(ManifestError::Line { path: path.to_owned(), line: *line, reason });
        }
        let samples = lines.into_iter().map(|(sample, _)| sample).collect();
        Ok(Self { samples, ..Self::default() })
    }

    /// Writes a manifest.csv, atomically: paths relative to its folder where they are below it,
    /// absolute otherwise; with a column `people` where some are known. `skipped` and `rules` are
    /// not written.
    ///
    /// # Errors
    /// The file cannot be written, or a path is not UTF-8.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let here = working_folder();
        let folder = absolute(&here, path.parent().unwrap_or(Path::new("")));
        let people_known = self.samples.iter().any(|sample| !sample.people.is_empty());
        let columns = COLUMNS.into_iter().chain(people_known.then_some(PEOPLE));
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(columns).expect("memory takes every byte");
        for sample in &self.samples {
            let whole = absolute(&here, &sample.path);
            let picture = whole.strip_prefix(&folder).unwrap_or(&whole);
            let picture =
                slashed(picture).ok_or_else(|| ManifestError::NotUtf8 { path: sample.path.clone() })?;
            let (label, split) = (sample.label.name(), sample.split.name());
            let people = sample.people.join(";");
            let fields = [&picture, label, &sample.subset, &sample.group, split, &people];
            out.write_record(fields.into_iter().take(if people_known { 6 } else { 5 }))
                .expect("memory takes every byte");
        }
        let bytes = out.into_inner().expect("memory takes every byte");
        Ok(storage::write(path, &bytes)?)
    }

    /// The samples of `split`, in the manifest's order.
    pub fn split(&self, split: Split) -> Vec<Sample> {
        self.samples.iter().filter(|sample| sample.split == split).cloned().collect()
    }

    /// SHA-256 over every sample's line, in lower-case hexadecimal. Paths count from their
    /// deepest common folder, so that a copy of the data, or the same data through a manifest
    /// elsewhere, has the same hash. The content of the pictures is not hashed.
    pub fn sha256(&self) -> String {
        let here = working_folder();
        let common = common_folder(&here, self.samples.iter().map(|sample| sample.path.as_path()));
        let mut out = csv::Writer::from_writer(Vec::new());
        for sample in &self.samples {
            let whole = absolute(&here, &sample.path);
            let below = whole.strip_prefix(&common).unwrap_or(&whole);
            let picture = slashed(below).unwrap_or_else(|| below.to_string_lossy());
            let (label, split) = (sample.label.name(), sample.split.name());
            out.write_record([&picture, label, &sample.subset, &sample.group, split])
                .expect("memory takes every byte");
        }
        storage::sha256(&out.into_inner().expect("memory takes every byte"))
    }
}

/// At most `n` of `samples`, half of them real and half fake (where one class has fewer, the
/// other fills up), in their order. The choice is keyed by `seed`: the same samples give the same
/// choice, and a larger `n` includes the choice of a smaller one while neither class is used up.
pub fn limit(samples: &[Sample], n: usize, seed: u64) -> Vec<Sample> {
    let shuffled = |label: Label| {
        let of_label = samples.iter().enumerate().filter(|(_, sample)| sample.label == label);
        let mut places: Vec<usize> = of_label.map(|(place, _)| place).collect();
        let name = label.to_string();
        places.shuffle(&mut random::stream(seed, &["limit".into(), name.as_str().into()]));
        places
    };
    let (reals, fakes) = (shuffled(Label::Real), shuffled(Label::Fake));
    let n = n.min(samples.len());
    let n_real = (n / 2).max(n.saturating_sub(fakes.len())).min(reals.len());
    let mut chosen = [&reals[..n_real], &fakes[..n - n_real]].concat();
    chosen.sort_unstable();
    chosen.into_iter().map(|place| samples[place].clone()).collect()
}

/// Whether `samples` hold both reals and fakes; `what` names them in the error
/// ("the train split of faces/").
///
/// # Errors
/// They are empty or of one class.
pub fn require_both_classes(samples: &[Sample], what: &str) -> Result<(), ManifestError> {
    let first = samples.first().ok_or_else(|| ManifestError::NoSamples { what: what.to_owned() })?;
    if samples.iter().any(|sample| sample.label != first.label) {
        return Ok(());
    }
    Err(ManifestError::OneClass { what: what.to_owned(), count: samples.len(), label: first.label })
}

/// Adds how a list of another form becomes a manifest.
fn of_another_form(error: ManifestError) -> ManifestError {
    match error {
        ManifestError::Header { path, reason, columns } => {
            let index = format!("`dfrt data index {} --out manifest.csv`", quoted(&path));
            let columns = format!("{columns} (turn a list of another form into one with {index})");
            ManifestError::Header { path, reason, columns }
        }
        other => other,
    }
}

fn sample_of(folder: &Path, fields: &[&str], reach: Reach) -> Result<Sample, String> {
    let &[path, label, subset, group, split, people] = fields else {
        return Err(format!("does not have the fields {}", COLUMNS.join(",")));
    };
    let named = COLUMNS.iter().zip(fields);
    if let Some((column, _)) = named.into_iter().find(|(_, field)| field.trim().is_empty()) {
        return Err(format!("the field {column:?} is empty"));
    }
    let relative = Path::new(path);
    if relative.file_name().is_none() {
        return Err(format!("the path {path:?} names no file"));
    }
    if reach == Reach::Folder && relative.is_relative() && climbs_out(relative) {
        return Err(format!(
            "the path {path:?} climbs out of the manifest's folder; give it absolutely \
            (`dfrt data index MANIFEST --climb --out NEW.csv` does that to all)"
        ));
    }
    let people = people.split(';').map(str::trim).filter(|person| !person.is_empty());
    Ok(Sample {
        path: folder.join(relative),
        label: label.parse()?,
        subset: subset.to_owned(),
        group: group.to_owned(),
        split: split.parse()?,
        people: people.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests;
