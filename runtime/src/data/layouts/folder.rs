//! The plain layout `{train,val,test}/{real,fake}/…`, with an optional `split.csv` that names the
//! person or video of each file.

use super::tree::{self, Entry, Step};
use super::{Choices, Layout, foreign, lists};
use crate::data::grouping::{self, Place};
use crate::data::manifest::{Manifest, ManifestError};
use crate::data::naming::SplitNames;
use crate::sample::{Label, Sample, Split};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What the layout looks like, for messages.
const EXPECTED: &str = "{train,val,test}/{real,fake}/ with pictures below";

/// dfrt's own files next to the splits, which are not listed as skipped.
const OWN: [&str; 4] = ["split.csv", "manifest.csv", "landmarks.json", "boxes.csv"];

/// `{train,val,test}/{real,fake}/…`. The first folder below `real` or `fake` is the
/// subset, else the class name is. The group is `split.csv`'s target (for reals
/// and fakes the person in the picture's place), and its target and donor are the people
/// in the picture; without that list it is what [`grouping`] makes of the names.
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

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let groups = Groups::read(&dir.join("split.csv"))?;
        let names = tree::folders(dir);
        let splits = SplitNames::of(names.iter().map(String::as_str))
            .map_err(|reason| ManifestError::Ambiguous { path: dir.to_owned(), reason })?;
        let mut found = Found { dir, choices, splits, groups, samples: Vec::new(), places: Vec::new() };
        let mut skipped = Vec::new();
        tree::walk(dir, &mut skipped, |entry| found.visit(entry))?;
        found.into_manifest(skipped)
    }

    fn groups_by_name(&self) -> bool {
        true
    }
}

/// The name of a folder or file as a `T`, in any letter case.
fn named<T: std::str::FromStr>(name: &OsStr) -> Option<T> {
    name.to_str()?.parse().ok()
}

/// What was found so far.
struct Found<'a> {
    dir: &'a Path,
    choices: &'a Choices,
    splits: SplitNames,
    groups: Option<Groups>,
    samples: Vec<Sample>,
    /// The place of each sample, where no list names its group.
    places: Vec<Place>,
}

impl Found<'_> {
    fn visit(&mut self, entry: &Entry<'_>) -> Result<Step, ManifestError> {
        let pass = |reason: &str| Ok(Step::Skip(reason.to_owned()));
        if entry.is_folder {
            return match *entry.parts {
                [split] if self.splits.plain(split).is_none() => pass("not a train, val or test folder"),
                [_, label] if label.parse::<Label>().is_err() => pass("not a real or fake folder"),
                _ => Ok(Step::Continue),
            };
        }
        let &[split, label, ref nested @ .., file] = entry.parts else {
            return match *entry.parts {
                [name] if OWN.contains(&name) => Ok(Step::Ignore),
                _ => pass("not in a real or fake folder"),
            };
        };
        let (Some(split), Ok(label)) = (self.splits.plain(split), label.parse::<Label>()) else {
            return pass("not in a real or fake folder");
        };
        if !entry.is_file || !self.choices.media.holds(entry.path) {
            return Ok(Step::Skip(foreign(self.choices.media)));
        }
        let (group, people) = match &mut self.groups {
            Some(groups) => groups.take(split, label, &entry.parts[2..].join("/"))?,
            None => {
                let (above, folders, file) = (String::new(), nested.join("/"), file.to_owned());
                self.places.push(Place { label, above, folders, file });
                Default::default()
            }
        };
        let subset = nested.first().map_or_else(|| label.name(), |&first| first);
        self.samples.push(Sample::new(entry.path, label, subset, group, split).showing(people));
        Ok(Step::Continue)
    }

    fn into_manifest(mut self, mut skipped: Vec<String>) -> Result<Manifest, ManifestError> {
        for (split, label, file) in self.groups.iter().flat_map(Groups::missing) {
            skipped.push(format!("{split}/{label}/{file}: in split.csv, but missing"));
        }
        if self.samples.is_empty() {
            return Err(ManifestError::Empty {
                path: self.dir.to_owned(),
                passed_over: skipped.len(),
                expected: EXPECTED,
            });
        }
        let mut rules = Vec::new();
        if self.groups.is_none() {
            let grouped = grouping::group(self.dir, &self.places, self.choices.grouping, self.choices.media)?;
            for (at, (sample, place)) in self.samples.iter_mut().zip(&self.places).enumerate() {
                sample.subset = grouped.subset(at, place);
                sample.group.clone_from(&grouped.groups[at]);
            }
            rules = grouped.rules;
        }
        Ok(Manifest { rules, ..Manifest::new(self.samples, skipped) })
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
    /// `None` where the file does not exist.
    fn read(path: &Path) -> Result<Option<Self>, ManifestError> {
        let Some(bytes) = lists::read(path)? else { return Ok(None) };
        let targets = lists::targets(path, &bytes)?.into_iter().map(|listed| {
            let people = [Some(listed.target.clone()), listed.donor].into_iter().flatten().collect();
            let target = Target { group: listed.target, people, seen: false };
            ((listed.split, listed.label, listed.file), target)
        });
        Ok(Some(Self { path: path.to_owned(), targets: targets.collect() }))
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

    /// Files that are listed and were not found.
    fn missing(&self) -> impl Iterator<Item = &(Split, Label, String)> {
        self.targets.iter().filter(|(_, target)| !target.seen).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests;
