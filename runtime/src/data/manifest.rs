//! What a data set is: one line a picture, with its label, subset, group
//! (video or person) and split. Reading folders into it is the layouts' work.

use crate::random;
use crate::storage::{self, StorageError};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Real or fake. As a number: fake 1, real 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// An untouched photograph, label 0.
    Real,
    /// A forgery, label 1.
    Fake,
}

impl Label {
    /// 1 for fake, 0 for real: the target of the cross-entropy.
    pub fn target(self) -> f32 {
        match self {
            Self::Real => 0.0,
            Self::Fake => 1.0,
        }
    }

    /// +1 for fake, -1 for real: the sign in the margin `-s * z`.
    pub fn sign(self) -> f32 {
        match self {
            Self::Real => -1.0,
            Self::Fake => 1.0,
        }
    }

    /// The other class.
    pub fn other(self) -> Self {
        match self {
            Self::Real => Self::Fake,
            Self::Fake => Self::Real,
        }
    }

    /// What a detector says whose logit is `logit`: fake above `threshold`.
    pub fn decided(logit: f32, threshold: f32) -> Self {
        if logit > threshold { Self::Fake } else { Self::Real }
    }
}

impl std::str::FromStr for Label {
    type Err = String;

    /// `real` or `fake`, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "real" => Ok(Self::Real),
            "fake" => Ok(Self::Fake),
            _ => Err(format!("label {text:?} is neither real nor fake")),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Real => "real",
            Self::Fake => "fake",
        })
    }
}

/// The part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on.
    Train,
    /// Chooses the epoch and the threshold.
    Val,
    /// Measured on, once.
    Test,
}

impl Split {
    /// All of them, in the order of use.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];
}

impl std::str::FromStr for Split {
    type Err = String;

    /// `train`, `val` (also `valid`, `validation`) or `test`, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "train" => Ok(Self::Train),
            "val" | "valid" | "validation" => Ok(Self::Val),
            "test" => Ok(Self::Test),
            _ => Err(format!("split {text:?} is none of train, val, test")),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// One picture of a data set: a line of manifest.csv.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The picture's file; in memory absolute or relative to the working folder.
    pub path: PathBuf,
    /// Real or fake.
    pub label: Label,
    /// The source or forgery method ("ffhq", "Deepfakes"; for a plain folder its class).
    pub subset: String,
    /// The video or person: what intervals are bootstrapped over.
    pub group: String,
    /// Train, val or test.
    pub split: Split,
}

/// Why a data set cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is nothing at the path.
    #[error("{}: no such file or folder; check the path given as --data", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A line of a CSV file is wrong.
    #[error("{}: line {line}: {reason}; correct that line", path.display())]
    Line {
        /// The CSV file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A CSV file has no usable header.
    #[error("{}: {reason}; its first line must name the columns {columns}", path.display())]
    Header {
        /// The CSV file.
        path: PathBuf,
        /// What is missing.
        reason: String,
        /// The columns it must have.
        columns: &'static str,
    },
    /// A manifest or folder without a single picture.
    #[error("{}: holds no picture ({passed_over} entries passed over); expected {expected}", path.display())]
    Empty {
        /// The manifest or folder.
        path: PathBuf,
        /// How many entries were passed over.
        passed_over: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// Only reals or only fakes where both are needed.
    #[error("{what}: all {count} pictures are {label}; add {} pictures, without both classes nothing can be learnt or measured", label.other())]
    OneClass {
        /// Which pictures.
        what: String,
        /// How many.
        count: usize,
        /// The only label.
        label: Label,
    },
    /// No picture where some are needed.
    #[error("{what}: no pictures; add some or choose another split")]
    NoSamples {
        /// Which pictures.
        what: String,
    },
    /// The folder is in no layout that is known.
    #[error("{}: in no known layout; expected {expected}, or name one with --layout ({known})", path.display())]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// What the layouts look like.
        expected: &'static str,
        /// The layouts' names.
        known: String,
    },
    /// A layout of that name does not exist.
    #[error("layout {name:?} is unknown; choose one of {known}")]
    UnknownLayout {
        /// The name asked for.
        name: String,
        /// The layouts' names.
        known: String,
    },
    /// A picture lies in the folder that the list beside it does not know.
    #[error("{}: does not list {file}, so its person or video is unknown; add a line for it, or remove the list", list.display())]
    Unlisted {
        /// The list, `split.csv`.
        list: PathBuf,
        /// The picture.
        file: String,
    },
    /// A path that a CSV file cannot hold.
    #[error("{}: its name is not UTF-8 and cannot stand in a manifest; rename it", path.display())]
    Name {
        /// The picture.
        path: PathBuf,
    },
}

/// The header of manifest.csv.
const COLUMNS: [&str; 5] = ["path", "label", "subset", "group", "split"];
const COLUMNS_TEXT: &str = "path,label,subset,group,split";

/// A data set: its samples in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All samples, sorted by path.
    pub samples: Vec<Sample>,
    /// What was passed over while reading (missing or foreign files), a line each.
    pub skipped: Vec<String>,
}

impl Manifest {
    /// A data set of `samples`, put in the order of their paths.
    pub fn new(mut samples: Vec<Sample>, mut skipped: Vec<String>) -> Self {
        samples.sort_by(|a, b| a.path.cmp(&b.path));
        skipped.sort();
        Self { samples, skipped }
    }

    /// Reads a manifest.csv. Relative paths are taken from the manifest's folder.
    /// Whether the pictures exist is not checked here: a missing one is found,
    /// counted and passed over when it is read.
    ///
    /// # Errors
    /// Unreadable file, missing columns, no line, and with its number any line with
    /// a bad label or split, an empty field, a path given twice, or a relative path
    /// that climbs out of the folder.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let bytes = storage::read(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let table = Table::parse(path, &bytes, &COLUMNS, COLUMNS_TEXT)?;
        let mut lines: HashMap<PathBuf, u64> = HashMap::new();
        let mut samples = Vec::new();
        for row in &table.rows {
            let wrong =
                |reason: String| ManifestError::Line { path: path.to_owned(), line: row.line, reason };
            let sample = sample_of(folder, row).map_err(wrong)?;
            if let Some(earlier) = lines.insert(sample.path.clone(), row.line) {
                return Err(wrong(format!("{:?} stands on line {earlier} already", row.fields[0])));
            }
            samples.push(sample);
        }
        if samples.is_empty() {
            return Err(ManifestError::Empty {
                path: path.to_owned(),
                passed_over: 0,
                expected: "one line a picture below the header",
            });
        }
        Ok(Self::new(samples, Vec::new()))
    }

    /// Writes a manifest.csv, atomically: paths relative to its folder where they
    /// lie below it, absolute otherwise. `skipped` is not written.
    ///
    /// # Errors
    /// Where the file cannot be written or a path is not UTF-8.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let folder = absolute(path.parent().unwrap_or(Path::new("")));
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(COLUMNS).expect("memory takes every byte");
        for sample in &self.samples {
            let whole = absolute(&sample.path);
            let picture = whole.strip_prefix(&folder).unwrap_or(&whole);
            let picture =
                slashed(picture).ok_or_else(|| ManifestError::Name { path: sample.path.clone() })?;
            let (label, split) = (sample.label.to_string(), sample.split.to_string());
            out.write_record([&picture, &label, &sample.subset, &sample.group, &split])
                .expect("memory takes every byte");
        }
        let bytes = out.into_inner().expect("memory takes every byte");
        Ok(storage::write(path, &bytes)?)
    }

    /// The samples of `split`, in the manifest's order.
    pub fn split(&self, split: Split) -> Vec<Sample> {
        self.samples.iter().filter(|sample| sample.split == split).cloned().collect()
    }

    /// SHA-256 over every sample's line, in lower-case hexadecimal. Paths count from
    /// the deepest folder that holds them all, so that a copy of the data elsewhere,
    /// or the same data through a manifest that lies elsewhere, has the same hash.
    /// What is inside the pictures does not enter.
    pub fn sha256(&self) -> String {
        let common = common_folder(&self.samples);
        let mut out = csv::Writer::from_writer(Vec::new());
        for sample in &self.samples {
            let whole = absolute(&sample.path);
            let below = whole.strip_prefix(&common).unwrap_or(&whole);
            let picture = slashed(below).unwrap_or_else(|| below.to_string_lossy().into_owned());
            let (label, split) = (sample.label.to_string(), sample.split.to_string());
            out.write_record([&picture, &label, &sample.subset, &sample.group, &split])
                .expect("memory takes every byte");
        }
        storage::sha256(&out.into_inner().expect("memory takes every byte"))
    }

    /// How many pictures and groups each split, subset and label has.
    pub fn summary(&self) -> Summary {
        let mut groups: BTreeMap<_, (usize, std::collections::BTreeSet<&str>)> = BTreeMap::new();
        for sample in &self.samples {
            let part = (sample.split, sample.subset.clone(), sample.label);
            let count = groups.entry(part).or_default();
            count.0 += 1;
            count.1.insert(&sample.group);
        }
        let parts = groups.into_iter().map(|((split, subset, label), (pictures, groups))| Part {
            split,
            subset,
            label,
            pictures,
            groups: groups.len(),
        });
        Summary { parts: parts.collect(), skipped: self.skipped.len() }
    }
}

/// At most `n` of `samples`, half of them real and half fake (where one class has
/// fewer, the other fills up), in their order. A choice keyed by `seed`: the same
/// samples give the same choice each time, and a larger `n` keeps what a smaller
/// one chose of each class while both classes last.
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
/// Where they are empty or of one class.
pub fn require_both_classes(samples: &[Sample], what: &str) -> Result<(), ManifestError> {
    let first = samples.first().ok_or_else(|| ManifestError::NoSamples { what: what.to_owned() })?;
    if samples.iter().any(|sample| sample.label != first.label) {
        return Ok(());
    }
    Err(ManifestError::OneClass { what: what.to_owned(), count: samples.len(), label: first.label })
}

/// One line of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The split.
    pub split: Split,
    /// The subset.
    pub subset: String,
    /// The label.
    pub label: Label,
    /// Pictures in it.
    pub pictures: usize,
    /// Different groups (videos, persons) in it.
    pub groups: usize,
}

/// What a manifest holds; its `Display` is a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// By split, subset and label.
    pub parts: Vec<Part>,
    /// Entries passed over while reading.
    pub skipped: usize,
}

impl Summary {
    /// Pictures of one split and label.
    pub fn count(&self, split: Split, label: Label) -> usize {
        let of = self.parts.iter().filter(|part| part.split == split && part.label == label);
        of.map(|part| part.pictures).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parts.iter().map(|part| part.subset.chars().count());
        let width = names.max().unwrap_or(0).max("subset".len());
        writeln!(
            out,
            "{:5}  {:width$}  {:5}  {:>8}  {:>6}",
            "split", "subset", "label", "pictures", "groups"
        )?;
        for Part { split, subset, label, pictures, groups } in &self.parts {
            let (split, label) = (split.to_string(), label.to_string());
            writeln!(out, "{split:5}  {subset:width$}  {label:5}  {pictures:>8}  {groups:>6}")?;
        }
        if self.skipped > 0 {
            writeln!(out, "{} entries passed over", self.skipped)?;
        }
        Ok(())
    }
}

/// A CSV file whose columns are picked by name.
pub(crate) struct Table {
    /// Its lines, the fields in the order of the columns asked for.
    pub rows: Vec<Row>,
}

/// One line of a [`Table`].
pub(crate) struct Row {
    /// The line in the file, from 1.
    pub line: u64,
    /// One field for each column asked for.
    pub fields: Vec<String>,
}

impl Table {
    /// Reads `columns` (in any order, others ignored) out of `bytes`.
    pub fn parse(
        path: &Path,
        bytes: &[u8],
        columns: &[&str],
        columns_text: &'static str,
    ) -> Result<Self, ManifestError> {
        let header =
            |reason: String| ManifestError::Header { path: path.to_owned(), reason, columns: columns_text };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
        let names = reader.headers().map_err(|error| header(error.to_string()))?.clone();
        if names.iter().all(str::is_empty) {
            return Err(header("the file is empty".to_owned()));
        }
        let place = |column: &&str| {
            names
                .iter()
                .position(|name| name.trim() == *column)
                .ok_or_else(|| header(format!("column {column:?} is missing")))
        };
        let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| bad_record(path, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let fields = places.iter().map(|&place| record[place].to_owned()).collect();
            rows.push(Row { line, fields });
        }
        Ok(Self { rows })
    }
}

fn bad_record(path: &Path, error: &csv::Error) -> ManifestError {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    ManifestError::Line { path: path.to_owned(), line, reason }
}

fn sample_of(folder: &Path, row: &Row) -> Result<Sample, String> {
    let [path, label, subset, group, split] = row.fields.as_slice() else {
        return Err(format!("does not have the fields {COLUMNS_TEXT}"));
    };
    let named = COLUMNS.iter().zip(&row.fields);
    if let Some((column, _)) = named.into_iter().find(|(_, field)| field.trim().is_empty()) {
        return Err(format!("the field {column:?} is empty"));
    }
    let relative = Path::new(path);
    if relative.is_relative() && climbs_out(relative) {
        return Err(format!("the path {path:?} climbs out of the manifest's folder; give it absolutely"));
    }
    Ok(Sample {
        path: folder.join(relative),
        label: label.parse()?,
        subset: subset.clone(),
        group: group.clone(),
        split: split.parse()?,
    })
}

fn climbs_out(path: &Path) -> bool {
    let mut depth = 0_usize;
    for part in path.components() {
        match part {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}

/// `path` from the root, `.` and `..` resolved by their words; the path itself
/// where there is no working folder.
fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// With forward slashes on every system; `None` where it is not UTF-8.
fn slashed(path: &Path) -> Option<String> {
    if path.is_absolute() {
        return path.to_str().map(str::to_owned);
    }
    let parts = path.components().map(|part| part.as_os_str().to_str());
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

fn common_folder(samples: &[Sample]) -> PathBuf {
    let mut folders = samples.iter().map(|sample| {
        let whole = absolute(&sample.path);
        whole.parent().map(Path::to_owned).unwrap_or_default()
    });
    let first = folders.next().unwrap_or_default();
    folders.fold(first, |common, folder| {
        let shared = common.components().zip(folder.components()).take_while(|(a, b)| a == b);
        shared.map(|(part, _)| part).collect()
    })
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
