//! The DFDC preview: `original_videos`, `method_A` and `method_B`, and `dataset.json`, with the
//! label, set and people of every video.

use super::clips::{self, Catalogue, Clip, Place};
use super::lists::{self, Preview};
use super::{Choices, Layout, held_out};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::Split;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

const EXPECTED: &str = "{original_videos,method_A,method_B}/ with the videos or frames/<video>/ below";
const LIST: &str = "dataset.json";
const FOLDERS: [&str; 3] = ["original_videos", "method_A", "method_B"];

/// The subset is the folder at the top, the group that and the video's name, people are
/// `target_id` and `swapped_id`. Of the set `train`, videos with a person of the tenth that is
/// chosen by name are val.
pub(super) struct Dfdcp;

impl Layout for Dfdcp {
    fn name(&self) -> &'static str {
        "dfdcp"
    }

    fn recognises(&self, dir: &Path) -> bool {
        dir.join(LIST).is_file() && FOLDERS.iter().any(|folder| dir.join(folder).is_dir())
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let listed = Listed::read(&dir.join(LIST))?;
        let mut found = clips::read(dir, choices.media, &listed)?;
        for (folder, video) in &listed.order {
            if !found.video_sets.get(folder).is_some_and(|video_set| video_set.has(video)) {
                found.missing(&format!("{folder}/{video}"), LIST);
            }
        }
        found.into_manifest(dir, EXPECTED)
    }
}

/// The content of `dataset.json`, by folder and name.
struct Listed {
    videos: HashMap<(String, String), Preview>,
    order: Vec<(String, String)>,
    folders: BTreeSet<String>,
}

impl Listed {
    fn read(path: &Path) -> Result<Self, ManifestError> {
        let wrong = |reason: String| ManifestError::List { path: path.to_owned(), reason };
        let bytes = lists::read(path)?;
        let bytes = bytes.ok_or_else(|| wrong("is missing; copy it there from the data set".into()))?;
        let (mut videos, mut order) = (HashMap::new(), Vec::new());
        for video in lists::preview(path, &bytes)? {
            let name = (video.folder.clone(), video.video.clone());
            match videos.insert(name.clone(), video.clone()) {
                Some(earlier) if earlier != video => {
                    let reason =
                        format!("has two different entries for {}/{}; download it again", name.0, name.1);
                    return Err(wrong(reason));
                }
                Some(_) => {}
                None => order.push(name),
            }
        }
        let folders = order.iter().map(|(folder, _)| folder.clone()).collect();
        Ok(Self { videos, order, folders })
    }
}

impl Catalogue for Listed {
    fn place(&self, parts: &[&str]) -> Place {
        match *parts {
            [] => Place::Parent,
            [name] if FOLDERS.contains(&name) || self.folders.contains(name) => Place::VideoSet,
            _ => Place::Foreign("no folder of the DFDC preview".to_owned()),
        }
    }

    fn clip(&self, video_set: &[&str], video: &str) -> Result<Clip, String> {
        let subset = video_set[0].to_owned();
        let known = self.videos.get(&(subset.clone(), video.to_owned()));
        let known = known.ok_or("not in dataset.json, so its label is not known")?;
        let held_out = known.people.iter().any(|person| held_out::by_name(person));
        let split = if known.split == Split::Train && held_out { Split::Val } else { known.split };
        let group = format!("{subset}/{video}");
        Ok(Clip { label: known.label, subset, group, split, people: known.people.clone() })
    }

    fn is_list(&self, parts: &[&str]) -> bool {
        parts == [LIST]
    }

    fn nested(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
