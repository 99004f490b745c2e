//! Folders named after classes, at any depth: `real` and `fake`, `0_real` and `1_fake` below
//! folders of generators and objects, `nature` and `ai`, below or above folders of splits, and
//! inside folders that contain the complete set.

use super::tree::{self, Entry, Step};
use super::{Choices, Layout, Media, foreign};
use crate::data::division;
use crate::data::folders::{Contradiction, FolderMeaning, Folders};
use crate::data::grouping::{self, Place};
use crate::data::manifest::{Manifest, ManifestError};
use crate::data::naming;
use crate::sample::{Sample, Split};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the layout looks like, for messages.
const EXPECTED: &str = "folders called real and fake, original and manipulated, nature and ai or the like, with \
pictures below";
/// Why a file without a class is skipped.
const OUTSIDE: &str = "not in a folder named after a class";
/// How deep below the set's folder classes are looked for.
const DEEPEST: usize = 5;
/// The most folders that are searched for them.
const LOOKED_INTO: usize = 4000;

/// The label is that of the folder named after a class. The split is that of the folder named
/// after one or, where none is, drawn by group. The other folders above the class, and the first
/// below it that is no video, are the subset.
pub(super) struct Classes;

impl Layout for Classes {
    fn name(&self) -> &'static str {
        "classes"
    }

    fn recognises(&self, dir: &Path) -> bool {
        // A folder named after a class may still contain both classes, so it comes last.
        let (mut looked_into, mut around) = (0, vec![dir.to_owned()]);
        while let Some(dir) = around.pop() {
            let (mut level, mut found) = (vec![dir], Vec::new());
            for _ in 0..DEEPEST {
                let mut below = Vec::new();
                for folder in level {
                    looked_into += 1;
                    if looked_into > LOOKED_INTO {
                        return false;
                    }
                    for name in tree::folders(&folder).into_iter().filter(|name| !name.starts_with('.')) {
                        match naming::class(&name) {
                            Some(label) if found.iter().any(|other| *other != label) => return true,
                            Some(label) => {
                                found.push(label);
                                around.push(folder.join(name));
                            }
                            None => below.push(folder.join(name)),
                        }
                    }
                }
                level = below;
            }
        }
        false
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let mut found = Found { media: choices.media, files: Vec::new() };
        let mut skipped = Vec::new();
        tree::walk(dir, &mut skipped, |entry| Ok(found.visit(entry)))?;
        let pictures = found.pictures(&mut skipped);
        let pictures =
            pictures.map_err(|reason| ManifestError::Ambiguous { path: dir.to_owned(), reason })?;
        manifest(dir, pictures, skipped, choices)
    }

    fn groups_by_name(&self) -> bool {
        true
    }

    fn draws_splits(&self) -> bool {
        true
    }
}

/// A picture, and what its folders mean.
struct Picture {
    path: PathBuf,
    place: Place,
    split: Option<Split>,
    /// Whether the split is named by the class's own folder.
    split_of_class: bool,
}

/// The files that may have a class, and their folders, with slashes.
struct Found {
    media: Media,
    files: Vec<(PathBuf, String)>,
}

impl Found {
    fn visit(&mut self, entry: &Entry<'_>) -> Step {
        if entry.is_folder {
            return Step::Continue;
        }
        let (_, folders) = entry.parts.split_last().expect("an entry has a name");
        if !folders.iter().any(|part| naming::class(part).is_some()) {
            return Step::Skip(OUTSIDE.to_owned());
        }
        if !entry.is_file || !self.media.holds(entry.path) {
            return Step::Skip(foreign(self.media));
        }
        self.files.push((entry.path.to_owned(), folders.join("/")));
        Step::Continue
    }

    /// The pictures with what their folders mean; those with contradictory folders are skipped.
    fn pictures(self, skipped: &mut Vec<String>) -> Result<Vec<Picture>, String> {
        let folders = Folders::of(self.files.iter().map(|(_, folders)| &**folders))?;
        let (mut pictures, mut passed) = (Vec::with_capacity(self.files.len()), BTreeSet::new());
        for (path, names) in &self.files {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match folders.meaning(names) {
                Err(Contradiction { at, reason }) => {
                    let folder: Vec<&str> = names.split('/').take(at + 1).collect();
                    passed.insert(format!("{}: {reason}", folder.join("/")));
                }
                Ok(FolderMeaning { label: None, .. }) => {
                    passed.insert(format!("{names}/{file}: {OUTSIDE}"));
                }
                Ok(FolderMeaning { label: Some(label), split, split_of_class, above, below }) => {
                    let place = Place { label, above, folders: below, file };
                    pictures.push(Picture { path: path.clone(), place, split, split_of_class });
                }
            }
        }
        skipped.extend(passed);
        Ok(pictures)
    }
}

fn manifest(
    dir: &Path,
    mut pictures: Vec<Picture>,
    mut skipped: Vec<String>,
    choices: &Choices,
) -> Result<Manifest, ManifestError> {
    let mut rules = Vec::new();
    let first = pictures.first().and_then(|picture| picture.split);
    let alike = pictures.iter().all(|picture| picture.split == first);
    // `training_real` and `training_fake` alone name no test split.
    let bare = alike && first.is_some() && pictures.iter().all(|picture| picture.split_of_class);
    let named = pictures.iter().any(|picture| picture.split.is_some()) && !bare;
    if named && choices.split.is_some() {
        let reason = "its folders name splits; leave --split out".to_owned();
        return Err(ManifestError::Ambiguous { path: dir.to_owned(), reason });
    }
    if named {
        let (kept, left): (Vec<_>, Vec<_>) =
            pictures.into_iter().partition(|picture| picture.split.is_some());
        pictures = kept;
        let below = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
        let lines = left.iter().map(|picture| format!("{}: in no folder of a split", below(&picture.path)));
        skipped.extend(lines);
    }
    if pictures.is_empty() {
        let passed_over = skipped.len();
        return Err(ManifestError::Empty { path: dir.to_owned(), passed_over, expected: EXPECTED });
    }
    unwrap(&mut pictures);
    let places: Vec<Place> = pictures.iter().map(|picture| picture.place.clone()).collect();
    let grouped = grouping::group(dir, &places, choices.grouping, choices.media)?;
    let picture = |(at, picture): (usize, Picture)| {
        let (subset, group) = (grouped.subset(at, &picture.place), grouped.groups[at].clone());
        let split = choices.split.or(picture.split).unwrap_or(Split::Train);
        Sample::new(picture.path, picture.place.label, subset, group, split)
    };
    let mut samples: Vec<Sample> = pictures.into_iter().enumerate().map(picture).collect();
    rules.extend(grouped.rules);
    match choices.split {
        Some(split) => rules.push(format!("all are put into {split}")),
        None if !named => {
            rules.push(division::divide(dir, &mut samples, choices.grouping, choices.seed)?);
        }
        None => {}
    }
    Ok(Manifest { rules, ..Manifest::new(samples, skipped) })
}

/// Removes the folders that contain every picture, as they distinguish nothing.
fn unwrap(pictures: &mut [Picture]) {
    let parts = |picture: &Picture| -> Vec<String> {
        picture.place.above.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let Some(mut shared) = pictures.first().map(parts) else { return };
    for picture in pictures.iter() {
        let same = shared.iter().zip(parts(picture)).take_while(|(a, b)| *a == b).count();
        shared.truncate(same);
    }
    for picture in pictures {
        picture.place.above = parts(picture)[shared.len()..].join("/");
    }
}

#[cfg(test)]
mod tests;
