//! DFDC: parts `dfdc_train_part_N` with a `metadata.json` each, and test and validation folders
//! with `labels.csv` or `metadata.json`; side by side or below `train`.

use super::clips::{self, Catalogue, Clip, Place};
use super::lists::{self, Labelled};
use super::{Choices, Layout, held_out, tree};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Split};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::Path;

const EXPECTED: &str = "dfdc_train_part_N/ with metadata.json and the videos or frames/<video>/, or test/ with \
labels.csv";
const LABELS: &str = "labels.csv";
const METADATA: &str = "metadata.json";
const SUBSET: &str = "dfdc";

/// The group is the video; people is the original that a forgery was made from, as the metadata
/// name no persons. Where no folder is for validation, val is the parts whose number ends in 7
/// or, without such a part, a tenth of the originals, chosen by name, with all forgeries of them.
pub(super) struct Dfdc;

impl Layout for Dfdc {
    fn name(&self) -> &'static str {
        "dfdc"
    }

    fn recognises(&self, dir: &Path) -> bool {
        let named = |name: &String| {
            let known = ["test", "validation", "train_sample_videos"].contains(&name.as_str());
            name.starts_with("dfdc_train_part") || known && is_labelled(&dir.join(name))
        };
        is_labelled(dir)
            || tree::folders(dir).iter().any(named)
            || tree::folders(&dir.join("train")).iter().any(|name| name.starts_with("dfdc_train_part"))
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let parts = Parts::read(dir)?;
        let mut found = clips::read(dir, choices.media, &parts)?;
        for (name, part) in &parts.parts {
            for video in &part.order {
                if !found.video_sets.get(name).is_some_and(|video_set| video_set.has(video)) {
                    let below = if name.is_empty() { video.clone() } else { format!("{name}/{video}") };
                    found.missing(&below, part.list);
                }
            }
        }
        found.into_manifest(dir, EXPECTED)
    }
}

fn is_labelled(folder: &Path) -> bool {
    [LABELS, METADATA].iter().any(|list| folder.join(list).is_file())
}

/// A folder of videos with its list.
struct Part {
    list: &'static str,
    order: Vec<String>,
    videos: HashMap<String, Labelled>,
    split: Split,
    number: Option<u32>,
}

impl Part {
    fn read(folder: &Path, name: &str) -> Result<Option<Self>, ManifestError> {
        for list in [LABELS, METADATA] {
            let path = folder.join(list);
            let Some(bytes) = lists::read(&path)? else { continue };
            let parse = if list == LABELS { lists::labels } else { lists::metadata };
            let labelled = parse(&path, &bytes)?;
            let order = labelled.iter().map(|video| video.video.clone()).collect();
            let videos = labelled.into_iter().map(|video| (video.video.clone(), video)).collect();
            let split = match name {
                _ if name.starts_with("train") || name.starts_with("dfdc_train") => Split::Train,
                _ if name.starts_with("val") => Split::Val,
                _ if name.starts_with("test") || list == LABELS => Split::Test,
                _ => Split::Train,
            };
            let digits = name.rsplit('_').next().unwrap_or_default();
            return Ok(Some(Self { list, order, videos, split, number: digits.parse().ok() }));
        }
        Ok(None)
    }

    fn held_out(&self) -> bool {
        self.number.is_some_and(held_out::by_number)
    }
}

/// All folders of videos, by their names from the data set's folder down.
struct Parts {
    parts: BTreeMap<String, Part>,
    by: Validation,
}

/// The rule for the val split.
#[derive(PartialEq)]
enum Validation {
    Folder,
    Part,
    Original,
}

impl Parts {
    fn read(dir: &Path) -> Result<Self, ManifestError> {
        let mut parts = BTreeMap::new();
        let root = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let root = root.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        let mut add = |below: String, name: &str| -> Result<(), ManifestError> {
            let part = Part::read(&dir.join(&below), name)?;
            parts.extend(part.map(|part| (below, part)));
            Ok(())
        };
        add(String::new(), &root)?;
        for name in tree::folders(dir) {
            add(name.clone(), &name)?;
            // `train` contains the parts; a part may be unpacked into a folder of the same name.
            for inner in tree::folders(&dir.join(&name)).into_iter().filter(|_| is_parent(&name)) {
                add(format!("{name}/{inner}"), &inner)?;
            }
        }
        let train = || parts.values().filter(|part: &&Part| part.split == Split::Train);
        let by = if parts.values().any(|part| part.split == Split::Val) {
            Validation::Folder
        } else if train().any(Part::held_out) && !train().all(Part::held_out) {
            Validation::Part
        } else {
            Validation::Original
        };
        Ok(Self { parts, by })
    }
}

fn is_parent(name: &str) -> bool {
    name == "train" || name.starts_with("dfdc_train_part")
}

impl Catalogue for Parts {
    fn place(&self, parts: &[&str]) -> Place {
        if self.parts.contains_key(&parts.join("/")) {
            return Place::VideoSet;
        }
        match *parts {
            [] => Place::Parent,
            [name] if is_parent(name) => Place::Parent,
            _ => Place::Foreign(format!("without {METADATA} or {LABELS}, so its labels are not known")),
        }
    }

    fn clip(&self, video_set: &[&str], video: &str) -> Result<Clip, String> {
        let part = self.parts.get(&video_set.join("/")).ok_or("not in a part of DFDC")?;
        let known = part.videos.get(video);
        let known = known.ok_or_else(|| format!("not in {}, so its label is not known", part.list))?;
        let original = match known.label {
            Label::Real => Some(video),
            Label::Fake => known.original.as_deref(),
        };
        let held_out = match self.by {
            Validation::Folder => false,
            Validation::Part => part.held_out(),
            Validation::Original => held_out::by_name(original.unwrap_or(video)),
        };
        let split = if part.split == Split::Train && held_out { Split::Val } else { part.split };
        let people = original.into_iter().map(str::to_owned).collect();
        Ok(Clip { label: known.label, subset: SUBSET.to_owned(), group: video.to_owned(), split, people })
    }

    fn is_list(&self, parts: &[&str]) -> bool {
        parts.last().is_some_and(|name| [LABELS, METADATA].contains(name))
    }
}

#[cfg(test)]
mod tests;
