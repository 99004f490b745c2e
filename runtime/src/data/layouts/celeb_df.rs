//! Celeb-DF (v1 and v2): `Celeb-real`, `YouTube-real` and `Celeb-synthesis` in any letter case,
//! and the list of test videos. The val split is chosen here.

use super::clips::{self, Catalogue, Clip, Place};
use super::{Choices, Layout, held_out, lists, tree};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Split};
use std::collections::HashSet;
use std::path::Path;

const EXPECTED: &str = "{Celeb-real,YouTube-real,Celeb-synthesis}/{frames/<video>,videos}/";
const LIST: &str = "List_of_testing_videos.txt";
const FOLDERS: [(&str, Label); 3] =
    [("Celeb-real", Label::Real), ("YouTube-real", Label::Real), ("Celeb-synthesis", Label::Fake)];

/// The subset is the folder, the group the folder and the video's name. The list names the test
/// split. Of the rest, videos with a person whose number ends in 7 are val, so that these people
/// are not in train; of YouTube-real, whose people are unknown, it is the video's number. The
/// list does not separate people: most of those in test are in train too.
pub(super) struct CelebDf;

impl Layout for CelebDf {
    fn name(&self) -> &'static str {
        "celeb-df"
    }

    fn recognises(&self, dir: &Path) -> bool {
        tree::folders(dir).iter().any(|name| folder(name).is_some())
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let path = dir.join(LIST);
        let testing = Testing::read(&path)?;
        let mut found = clips::read(dir, choices.media, &testing)?;
        let there = |(folder, video): &(String, String)| {
            let mut video_sets =
                found.video_sets.iter().filter(|(name, _)| name.eq_ignore_ascii_case(folder));
            video_sets.any(|(_, video_set)| video_set.has(video))
        };
        let missing: Vec<_> = testing.videos.iter().filter(|&listed| !there(listed)).cloned().collect();
        missing.iter().for_each(|(folder, video)| found.missing(&format!("{folder}/{video}"), LIST));
        found.into_manifest(dir, EXPECTED)
    }
}

/// The folder called `name` in any letter case, and its label.
fn folder(name: &str) -> Option<(&'static str, Label)> {
    FOLDERS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// The test videos: folder and name.
struct Testing {
    videos: HashSet<(String, String)>,
}

impl Testing {
    fn read(path: &Path) -> Result<Self, ManifestError> {
        let wrong = |reason: String| ManifestError::List { path: path.to_owned(), reason };
        let bytes = lists::read(path)?.ok_or_else(|| {
            wrong("is missing, so the test split is not known; copy it there from the data set".into())
        })?;
        let mut videos = HashSet::new();
        for listed in lists::testing(path, &bytes)? {
            let (name, video) = (listed.folder, listed.video);
            let (folder, label) = folder(&name).ok_or_else(|| {
                wrong(format!("{name:?} is no folder of Celeb-DF; download the list again"))
            })?;
            if label != listed.label {
                let says = listed.label;
                let reason = format!("says that {name}/{video} is {says}, but {folder} holds {label} videos");
                return Err(wrong(reason + "; download the list again"));
            }
            videos.insert((folder.to_owned(), video));
        }
        Ok(Self { videos })
    }
}

/// The people of `id0_0000` and `id0_id1_0000`: the one in the picture, and the one whose
/// face was put there.
fn people(video: &str) -> Vec<&str> {
    let parts = video.split('_');
    parts.filter(|part| part.strip_prefix("id").and_then(|id| id.parse::<u32>().ok()).is_some()).collect()
}

fn validates(video: &str, people: &[&str]) -> bool {
    let number = |text: &str| text.parse().is_ok_and(held_out::by_number);
    if people.is_empty() { number(video) } else { people.iter().any(|person| number(&person[2..])) }
}

impl Catalogue for Testing {
    fn place(&self, parts: &[&str]) -> Place {
        match *parts {
            [] => Place::Parent,
            [name] if folder(name).is_some() => Place::VideoSet,
            _ => Place::Foreign("no folder of Celeb-DF".to_owned()),
        }
    }

    fn clip(&self, video_set: &[&str], video: &str) -> Result<Clip, String> {
        let (subset, label) = folder(video_set[0]).ok_or("no folder of Celeb-DF")?;
        let people = people(video);
        let expected = match subset {
            "Celeb-real" => 1,
            "Celeb-synthesis" => 2,
            _ => 0,
        };
        if people.len() != expected {
            return Err(format!("its name does not name {expected} people (id0_0000, id0_id1_0000)"));
        }
        let split = if self.videos.contains(&(subset.to_owned(), video.to_owned())) {
            Split::Test
        } else if validates(video, &people) {
            Split::Val
        } else {
            Split::Train
        };
        let group = format!("{subset}/{video}");
        let people = people.into_iter().map(str::to_owned).collect();
        Ok(Clip { label, subset: subset.to_owned(), group, split, people })
    }

    fn is_list(&self, parts: &[&str]) -> bool {
        parts == [LIST]
    }
}

#[cfg(test)]
mod tests;
