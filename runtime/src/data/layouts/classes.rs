//! Folders called after their classes, wherever they lie: bare `real` and `fake`, `0_real`
//! and `1_fake` below folders of generators and things, `nature` and `ai`, below or above
//! folders of splits, and within folders that wrap all of it.

use super::tree::{self, Entry, Step};
use super::{Choices, Layout, Media, foreign};
use crate::data::division;
use crate::data::grouping::{self, Place};
use crate::data::manifest::{Label, Manifest, ManifestError, Sample, Split};
use crate::data::naming;
use std::path::{Path, PathBuf};

/// What the layout looks like, for messages.
const EXPECTED: &str = "folders called real and fake, original and manipulated, nature and ai or the like, with \
pictures below";
/// So deep below the set's folder its classes are looked for.
const DEEPEST: usize = 5;
/// So many folders are looked into for them.
const LOOKED_INTO: usize = 4000;

/// The label is the folder's whose name says a class, the split the folder's that names one
/// or, where none does, drawn by group. What the folders above the class say beside, and
/// the first below it that is no video, is the subset.
pub(super) struct Classes;

impl Layout for Classes {
    fn name(&self) -> &'static str {
        "classes"
    }

    fn recognises(&self, dir: &Path) -> bool {
        let (mut level, mut looked_into) = (vec![dir.to_owned()], 0);
        let mut found: Vec<Label> = Vec::new();
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
                        Some(label) => found.push(label),
                        None => below.push(folder.join(name)),
                    }
                }
            }
            level = below;
        }
        false
    }

    fn read(&self, dir: &Path, media: Media) -> Result<Manifest, ManifestError> {
        self.read_as(dir, &Choices::of(media))
    }

    fn read_as(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let mut found = Found { media: choices.media, pictures: Vec::new() };
        let mut skipped = Vec::new();
        tree::walk(dir, &mut skipped, |entry| Ok(found.visit(entry)))?;
        found.into_manifest(dir, skipped, choices)
    }

    fn groups_by_name(&self) -> bool {
        true
    }
}

/// A picture, and what the folders on the way to it say.
struct Picture {
    path: PathBuf,
    place: Place,
    split: Option<Split>,
    /// Whether it is the class's own folder that names the split.
    split_of_class: bool,
}

struct Found {
    media: Media,
    pictures: Vec<Picture>,
}

impl Found {
    fn visit(&mut self, entry: &Entry<'_>) -> Step {
        let pass = |reason: &str| Step::Pass(reason.to_owned());
        if entry.is_folder {
            let earlier = entry.parts[..entry.parts.len() - 1].iter().find_map(|part| naming::class(part));
            let named = entry.parts.last().and_then(|part| naming::class(part));
            return match (earlier, named) {
                (Some(label), Some(other)) if label != other => {
                    pass("a folder of one class within one of the other")
                }
                _ => Step::On,
            };
        }
        let (&file, folders) = entry.parts.split_last().expect("an entry has a name");
        let Some(at) = folders.iter().position(|part| naming::class(part).is_some()) else {
            return pass("not in a folder called after a class");
        };
        if !entry.is_file || !self.media.holds(entry.path) {
            return Step::Pass(foreign(self.media));
        }
        let label = naming::class(folders[at]).expect("it was found by it");
        let (above, below) = (&folders[..at], &folders[at + 1..]);
        let mut splits: Vec<Split> = Vec::new();
        let mut left = Vec::new();
        for part in above {
            match naming::split(part) {
                Some((split, rest)) => {
                    splits.push(split);
                    left.push(rest);
                }
                None => left.push((*part).to_owned()),
            }
        }
        let of_class = splits.is_empty();
        splits.extend(naming::split(folders[at]).map(|(split, _)| split));
        let plain = below.first().and_then(|part| part.parse::<Split>().ok());
        let of_class = of_class && plain.is_none();
        splits.extend(plain);
        splits.dedup();
        if splits.len() > 1 {
            return pass("in folders of two splits");
        }
        left.retain(|part| !part.is_empty());
        let below = if plain.is_some() { &below[1..] } else { below };
        let place = Place { label, above: left.join("/"), folders: below.join("/"), file: file.to_owned() };
        let split = splits.first().copied();
        self.pictures.push(Picture { path: entry.path.to_owned(), place, split, split_of_class: of_class });
        Step::On
    }

    fn into_manifest(
        mut self,
        dir: &Path,
        mut skipped: Vec<String>,
        choices: &Choices,
    ) -> Result<Manifest, ManifestError> {
        let mut rules = Vec::new();
        let first = self.pictures.first().and_then(|picture| picture.split);
        let alike = self.pictures.iter().all(|picture| picture.split == first);
        // `training_real` and `training_fake` alone say what they were made for, not that
        // there is anything to test on.
        let bare = alike && first.is_some() && self.pictures.iter().all(|picture| picture.split_of_class);
        let named = self.pictures.iter().any(|picture| picture.split.is_some()) && !bare;
        if named {
            let (kept, left): (Vec<_>, Vec<_>) =
                self.pictures.into_iter().partition(|picture| picture.split.is_some());
            self.pictures = kept;
            let below = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
            let lines =
                left.iter().map(|picture| format!("{}: in no folder of a split", below(&picture.path)));
            skipped.extend(lines);
        }
        if self.pictures.is_empty() {
            let passed_over = skipped.len();
            return Err(ManifestError::Empty { path: dir.to_owned(), passed_over, expected: EXPECTED });
        }
        unwrap(&mut self.pictures);
        let places: Vec<Place> = self.pictures.iter().map(|picture| picture.place.clone()).collect();
        let grouped = grouping::group(dir, &places, choices.grouping, choices.media)?;
        let picture = |(at, picture): (usize, Picture)| {
            let (subset, group) = (grouped.subset(at, &picture.place), grouped.groups[at].clone());
            let split = picture.split.unwrap_or(Split::Train);
            Sample::new(picture.path, picture.place.label, subset, group, split)
        };
        let mut samples: Vec<Sample> = self.pictures.into_iter().enumerate().map(picture).collect();
        rules.extend(grouped.rules);
        if !named {
            rules.push(division::divide(&mut samples, choices.seed));
        }
        Ok(Manifest { rules, ..Manifest::new(samples, skipped) })
    }
}

/// Leaves out the folders that wrap every picture: they tell nothing apart.
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
#[path = "classes_tests.rs"]
mod tests;
