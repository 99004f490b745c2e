//! Real photographs from which forgeries are made: the person, the face and the split of each.

use crate::data::layouts::Media;
use crate::data::manifest::{Manifest, ManifestError};
use crate::data::table;
use crate::faces::landmarks::{Found, LandmarkError, LandmarkFiles};
use crate::sample::{Label, Split};
use crate::storage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The list of people next to the photographs: columns `person` and optionally `gender` and
/// `ethnicity`.
const PEOPLE: &str = "people.csv";
/// Files that may be next to photographs and are not listed as skipped.
const COMPANIONS: [&str; 5] = [PEOPLE, "landmarks.json", "boxes.csv", "split.csv", "manifest.csv"];

/// Why photographs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PhotographsError {
    /// The folder, the manifest or a list cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of landmarks cannot be used.
    #[error(transparent)]
    Landmarks(#[from] LandmarkError),
    /// No photograph is left.
    #[error("{}: holds no photograph whose face is known ({passed_over} passed over{}); put landmarks.json, .tem files or boxes.csv next to the photographs", path.display(), example(first))]
    None {
        /// The folder or manifest.
        path: PathBuf,
        /// How many were skipped.
        passed_over: usize,
        /// The first of them.
        first: Option<String>,
    },
}

fn example(first: &Option<String>) -> String {
    first.as_ref().map(|line| format!(", first: {line}")).unwrap_or_default()
}

/// One photograph.
#[derive(Clone, Debug)]
pub struct Photograph {
    /// The file.
    pub path: PathBuf,
    /// Its file name without extension, made unique.
    pub name: String,
    /// The person in it.
    pub person: String,
    /// Which of the person's photographs it is: the rest of its name after the person (`neutral`,
    /// `smiling`).
    pub shot: String,
    /// Its split; `None` where the data set has none.
    pub split: Option<Split>,
    /// The face in it.
    pub face: Found,
    /// Gender and ethnicity, empty where they are not known.
    pub look: [String; 2],
}

/// The photographs of a folder or a manifest.
#[derive(Clone, Debug)]
pub struct Photographs {
    /// The photographs whose face is known, in the order of their paths.
    pub list: Vec<Photograph>,
    /// A line for each skipped photograph.
    pub passed_over: Vec<String>,
}

impl Photographs {
    /// Reads the photographs at `path`: the real pictures of a manifest or of a data set in a
    /// known layout, which keep their splits, else every picture in the folder, where
    /// `001_smiling.jpg` shows the person `001`. A photograph without landmarks or a box is
    /// skipped.
    ///
    /// # Errors
    /// A list or a file of landmarks is wrong, or no photograph is left.
    pub fn read(path: &Path) -> Result<Self, PhotographsError> {
        let (candidates, mut passed_over) = candidates(path)?;
        let looks = looks(path)?;
        let mut files = LandmarkFiles::default();
        let mut names = BTreeMap::new();
        let mut list = Vec::new();
        for Candidate { path, name, person, shot, split } in candidates {
            let Some(face) = files.find(&path)? else {
                passed_over
                    .push(format!("{}: its face is in no landmarks.json, .tem or boxes.csv", path.display()));
                continue;
            };
            let name = unique_name(&mut names, name);
            let look = looks.get(&person).cloned().unwrap_or_default();
            list.push(Photograph { path, name, person, shot, split, face, look });
        }
        if list.is_empty() {
            let first = passed_over.first().cloned();
            return Err(PhotographsError::None {
                path: path.to_owned(),
                passed_over: passed_over.len(),
                first,
            });
        }
        Ok(Self { list, passed_over })
    }
}

/// `name`, with a number appended where another photograph has this name. `names` counts how
/// often each was used.
fn unique_name(names: &mut BTreeMap<String, usize>, name: String) -> String {
    let mut count = names.get(&name).copied().unwrap_or(0);
    let free = loop {
        count += 1;
        let free = if count == 1 { name.clone() } else { format!("{name}-{count}") };
        if !names.contains_key(&free) {
            break free;
        }
    };
    names.insert(name, count);
    names.entry(free.clone()).or_insert(1);
    free
}

/// A picture whose face has not been looked up yet.
struct Candidate {
    path: PathBuf,
    name: String,
    person: String,
    shot: String,
    split: Option<Split>,
}

fn candidates(path: &Path) -> Result<(Vec<Candidate>, Vec<String>), PhotographsError> {
    if !path.is_dir() {
        return Ok(listed(Manifest::of(path)?));
    }
    match Manifest::of(path) {
        Ok(manifest) => Ok(listed(manifest)),
        Err(ManifestError::Unrecognised { .. }) => Ok(walked(path)),
        Err(error) => Err(error.into()),
    }
}

/// The real pictures of a data set.
fn listed(manifest: Manifest) -> (Vec<Candidate>, Vec<String>) {
    let reals = manifest.samples.into_iter().filter(|sample| sample.label == Label::Real);
    let candidate = |sample: crate::sample::Sample| {
        let stem = stem(&sample.path);
        let person = sample.people.into_iter().next().unwrap_or(sample.group);
        let shot = stem.strip_prefix(&person).map_or("", |shot| shot.trim_start_matches('_'));
        Candidate {
            name: stem.clone(),
            shot: shot.to_owned(),
            person,
            split: Some(sample.split),
            path: sample.path,
        }
    };
    (reals.map(candidate).collect(), manifest.skipped)
}

/// Every picture in a folder and its subfolders.
fn walked(folder: &Path) -> (Vec<Candidate>, Vec<String>) {
    let (mut found, mut passed_over) = (Vec::new(), Vec::new());
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    let visible = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    for entry in walk.filter_entry(visible) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry,
            Err(error) => {
                passed_over.push(error.to_string());
                continue;
            }
        };
        let path = entry.into_path();
        let companion = path.file_name().is_some_and(|name| COMPANIONS.iter().any(|known| name == *known));
        if companion || path.extension().is_some_and(|ending| ending == "tem") {
            continue;
        }
        if !Media::Pictures.holds(&path) {
            passed_over.push(format!("{}: not a picture", path.display()));
            continue;
        }
        let below = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
        let name = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("-");
        let stem = stem(&path);
        let (person, shot) = stem.split_once('_').unwrap_or((&stem, ""));
        found.push(Candidate { name, person: person.to_owned(), shot: shot.to_owned(), split: None, path });
    }
    (found, passed_over)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The gender and ethnicity of each person in the people.csv next to the photographs.
fn looks(path: &Path) -> Result<BTreeMap<String, [String; 2]>, ManifestError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let list = folder.join(PEOPLE);
    if !list.is_file() {
        return Ok(BTreeMap::new());
    }
    let bytes = storage::read(&list)?;
    let mut looks = BTreeMap::new();
    table::each_row(&list, &bytes, &["person"], &["gender", "ethnicity"], |_, fields| {
        let [person, gender, ethnicity] = [0, 1, 2].map(|place| fields[place].trim().to_owned());
        match looks.insert(person.clone(), [gender, ethnicity]) {
            Some(_) => Err(format!("{person:?} is listed twice")),
            None => Ok(()),
        }
    })?;
    Ok(looks)
}

/// Reads the split of each person from a list like a data set's `split.csv`: columns `split` and
/// `target`.
///
/// # Errors
/// It cannot be read, or puts a person in two splits.
pub fn splits_of_people(path: &Path) -> Result<BTreeMap<String, Split>, ManifestError> {
    let mut splits: BTreeMap<String, Split> = BTreeMap::new();
    table::each_row(path, &storage::read(path)?, &["split", "target"], &[], |_, fields| {
        let split: Split = fields[0].parse()?;
        let person = fields[1].trim();
        match splits.insert(person.to_owned(), split) {
            Some(other) if other != split => {
                Err(format!("{person:?} is in {split}, and in {other} on an earlier line"))
            }
            _ => Ok(()),
        }
    })?;
    Ok(splits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unlike_each_other() {
        let mut names = BTreeMap::new();
        let given = ["a", "a", "a-2", "a", "a-2", "b"].map(|name| unique_name(&mut names, name.to_owned()));
        assert_eq!(given, ["a", "a-2", "a-2-2", "a-3", "a-2-3", "b"]);
    }
}
