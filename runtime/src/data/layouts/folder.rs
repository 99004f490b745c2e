//! The plain layout `{train,val,test}/{real,fake}/…`, with an optional `split.csv`
//! beside it that names the person or video of each file.

use super::{Layout, Media};
use crate::data::manifest::{Label, Manifest, ManifestError, Sample, Split, require_both_classes};
use crate::data::table::Table;
use crate::storage;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// What the layout looks like, for messages.
pub(super) const EXPECTED: &str = "{train,val,test}/{real,fake}/ with pictures below";

/// Files of ours beside the splits, which are not listed as passed over.
const OWN: [&str; 4] = ["split.csv", "manifest.csv", "landmarks.json", "boxes.csv"];

/// Columns that `split.csv` must have.
const COLUMNS: [&str; 4] = ["split", "label", "file", "target"];
/// The column of whose face a swap took.
const DONOR: &str = "donor";

/// `{train,val,test}/{real,fake}/…`. The first folder below `real` or `fake` is the
/// subset, else the class name is. The group is `split.csv`'s target (for reals
/// and fakes the person in the picture's place), else the file's stem; its target and
/// donor are the people in the picture.
pub(super) struct Folder;

impl Layout for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn recognises(&self, dir: &Path) -> bool {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter(|entry| named::<Split>(&entry.file_name()).is_some()).any(|split| {
            let entries = std::fs::read_dir(split.path()).into_iter().flatten().flatten();
            entries.into_iter().any(|entry| named::<Label>(&entry.file_name()).is_some())
        })
    }

    fn read(&self, dir: &Path, media: Media) -> Result<Manifest, ManifestError> {
        let groups = Groups::read(&dir.join("split.csv"))?;
        let mut found = Found { dir, media, groups, samples: Vec::new(), skipped: Vec::new() };
        let walk = WalkDir::new(dir).follow_links(true).sort_by_file_name();
        let visible =
            |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
        let mut walk = walk.into_iter().filter_entry(visible);
        while let Some(entry) = walk.next() {
            match entry {
                Err(error) => found.skipped.push(error.to_string()),
                Ok(entry) if entry.file_type().is_dir() => {
                    if let Some(reason) = foreign_folder(&entry) {
                        found.skip(entry.path(), reason);
                        walk.skip_current_dir();
                    }
                }
                Ok(entry) => found.add(&entry)?,
            }
        }
        found.into_manifest()
    }
}

/// What a folder's or file's name says, in any case.
fn named<T: std::str::FromStr>(name: &OsStr) -> Option<T> {
    name.to_str()?.parse().ok()
}

fn foreign_folder(entry: &DirEntry) -> Option<&'static str> {
    match entry.depth() {
        1 if named::<Split>(entry.file_name()).is_none() => Some("not a train, val or test folder"),
        2 if named::<Label>(entry.file_name()).is_none() => Some("not a real or fake folder"),
        _ => None,
    }
}

/// What the walk has found so far.
struct Found<'a> {
    dir: &'a Path,
    media: Media,
    groups: Option<Groups>,
    samples: Vec<Sample>,
    skipped: Vec<String>,
}

impl Found<'_> {
    fn skip(&mut self, path: &Path, reason: &str) {
        let below = path.strip_prefix(self.dir).unwrap_or(path);
        self.skipped.push(format!("{}: {reason}", below.display()));
    }

    fn add(&mut self, entry: &DirEntry) -> Result<(), ManifestError> {
        let path = entry.path();
        let below = path.strip_prefix(self.dir).unwrap_or(path).to_owned();
        let Some(parts) = below.iter().map(OsStr::to_str).collect::<Option<Vec<_>>>() else {
            self.skip(path, "its name is not UTF-8");
            return Ok(());
        };
        let [split, label, nested @ .., file] = parts.as_slice() else {
            if !(parts.len() == 1 && OWN.contains(&parts[0])) {
                self.skip(path, "not in a real or fake folder");
            }
            return Ok(());
        };
        let (Ok(split), Ok(label)) = (split.parse::<Split>(), label.parse::<Label>()) else {
            self.skip(path, "not in a real or fake folder");
            return Ok(());
        };
        if !entry.file_type().is_file() || !self.media.holds(path) {
            let reason = format!("not a {} ({})", self.media.noun(), self.media.extensions().join(", "));
            self.skip(path, &reason);
            return Ok(());
        }
        let name = nested.iter().chain([file]).copied().collect::<Vec<_>>().join("/");
        let (group, people) = match &mut self.groups {
            Some(groups) => groups.take(split, label, &name)?,
            None => (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), Vec::new()),
        };
        let subset = nested.first().map_or_else(|| label.to_string(), |&first| first.to_owned());
        self.samples.push(Sample::new(path, label, subset, group, split).showing(people));
        Ok(())
    }

    fn into_manifest(mut self) -> Result<Manifest, ManifestError> {
        for (split, label, file) in self.groups.iter().flat_map(Groups::missing) {
            self.skipped.push(format!("{split}/{label}/{file}: in split.csv, but missing"));
        }
        if self.samples.is_empty() {
            return Err(ManifestError::Empty {
                path: self.dir.to_owned(),
                passed_over: self.skipped.len(),
                expected: EXPECTED,
            });
        }
        let manifest = Manifest::new(self.samples, self.skipped);
        for split in Split::ALL {
            let samples = manifest.split(split);
            if !samples.is_empty() {
                require_both_classes(&samples, &self.dir.join(split.to_string()).to_string_lossy())?;
            }
        }
        Ok(manifest)
    }
}

/// The lines of split.csv: the person or video of each file.
struct Groups {
    path: PathBuf,
    targets: HashMap<(Split, Label, String), Target>,
}

struct Target {
    group: String,
    people: Vec<String>,
    seen: bool,
}

impl Groups {
    /// `None` where there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, ManifestError> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = storage::read(path)?;
        let table = Table::parse(path, &bytes, &COLUMNS, &[DONOR])?;
        let mut targets = HashMap::new();
        for row in table.rows {
            let wrong =
                |reason: String| ManifestError::Line { path: path.to_owned(), line: row.line, reason };
            let [split, label, file, target, donor] = row.fields.as_slice() else {
                return Err(wrong("does not have the fields split,label,file,target".to_owned()));
            };
            if target.trim().is_empty() {
                return Err(wrong("the field \"target\" is empty".to_owned()));
            }
            let key = (split.parse().map_err(&wrong)?, label.parse().map_err(&wrong)?, file.clone());
            let people = [target, donor].into_iter().filter(|person| !person.trim().is_empty());
            let people = people.cloned().collect();
            let target = Target { group: target.clone(), people, seen: false };
            if targets.insert(key, target).is_some() {
                return Err(wrong(format!("{split}/{label}/{file} is listed twice")));
            }
        }
        Ok(Some(Self { path: path.to_owned(), targets }))
    }

    /// The group of a file that was found on the disk, and the people in it.
    fn take(
        &mut self,
        split: Split,
        label: Label,
        file: &str,
    ) -> Result<(String, Vec<String>), ManifestError> {
        let target = self.targets.get_mut(&(split, label, file.to_owned()));
        let target = target.ok_or_else(|| ManifestError::Unlisted {
            list: self.path.clone(),
            file: format!("{split}/{label}/{file}"),
        })?;
        target.seen = true;
        Ok((target.group.clone(), target.people.clone()))
    }

    /// Files that are listed but were not found.
    fn missing(&self) -> impl Iterator<Item = &(Split, Label, String)> {
        self.targets.iter().filter(|(_, target)| !target.seen).map(|(key, _)| key)
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
