//! FaceForensics++: `original_sequences/{youtube,actors}` and `manipulated_sequences/ <method>`,
//! each with the compressions raw, c23 and c40; the published split by pairs. DeepFakeDetection
//! and its actors have no published split and are split by actor.

use super::clips::{self, Catalogue, Clip, Place};
use super::{Choices, Layout, lists};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Split};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const EXPECTED: &str = "{original,manipulated}_sequences/<method>/<compression>/{frames/<video>,videos}/";
const ORIGINAL: &str = "original_sequences";
const MANIPULATED: &str = "manipulated_sequences";
const COMPRESSIONS: [&str; 4] = ["raw", "c0", "c23", "c40"];
/// The folders that may hold the lists of the splits: the repository's, and where they are often
/// copied to.
const LISTS: [&str; 3] = ["splits", "dataset/splits", ""];

/// The subset is `method/compression`, the group that and the video's name (000_003 exists
/// under every method). The target, named first, decides the split. People are the numbers
/// in the name: target and source, of DeepFakeDetection two actors.
pub(super) struct FaceForensics;

impl Layout for FaceForensics {
    fn name(&self) -> &'static str {
        "faceforensics"
    }

    fn recognises(&self, dir: &Path) -> bool {
        dir.join(ORIGINAL).is_dir() || dir.join(MANIPULATED).is_dir()
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let splits = Splits::read(dir)?;
        let mut found = clips::read(dir, choices.media, &splits)?;
        let mut missing = Vec::new();
        for (name, video_set) in &found.video_sets {
            if video_set.videos().any(|video| numbers(video).is_some()) {
                let listed = splits.videos(name.starts_with(MANIPULATED));
                missing.extend(
                    listed
                        .filter(|(video, _)| !video_set.has(video))
                        .map(|(video, split)| (format!("{name}/{video}"), format!("the list of {split}"))),
                );
            }
        }
        missing.iter().for_each(|(video, list)| found.missing(video, list));
        found.into_manifest(dir, EXPECTED)
    }
}

/// The target's number, and of a forgery the source's: `000_003`.
fn numbers(video: &str) -> Option<(&str, Option<&str>)> {
    let number = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    match video.split_once('_') {
        None => number(video).then_some((video, None)),
        Some((target, source)) => (number(target) && number(source)).then_some((target, Some(source))),
    }
}

/// The actors of `01_02__walking_outside__YVGY8LOK` (the first is the target) or of
/// `01__walking`.
fn actors(video: &str) -> Option<Vec<&str>> {
    let (actors, _) = video.split_once("__")?;
    let actors: Vec<&str> = actors.split('_').collect();
    let number = |text: &&str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    (actors.len() <= 2 && actors.iter().all(number)).then_some(actors)
}

/// By the last digit of the actors' numbers (28 actors): 8 and 9 are test, 7 is val. A forgery is
/// in test if one of its actors is, else in val if one is, so that nobody in test is in train.
fn split_of_actors(actors: &[&str]) -> Split {
    let last = |digits: &[u8]| actors.iter().any(|actor| digits.contains(&actor.as_bytes()[1]));
    if last(b"89") {
        Split::Test
    } else if last(b"7") {
        Split::Val
    } else {
        Split::Train
    }
}

/// The published split, by number and as pairs.
#[derive(Default)]
struct Splits {
    of: HashMap<String, Split>,
    pairs: Vec<([String; 2], Split)>,
    /// Whether there are lists.
    found: bool,
}

impl Splits {
    fn read(dir: &Path) -> Result<Self, ManifestError> {
        let mut splits = Self::default();
        let place = LISTS.map(|place| dir.join(place)).into_iter();
        let Some(folder) = place.into_iter().find(|folder| folder.join("train.json").is_file()) else {
            return if needs_lists(dir) { Err(no_list(dir.join("splits/train.json"))) } else { Ok(splits) };
        };
        splits.found = true;
        for split in Split::ALL {
            let path = folder.join(format!("{split}.json"));
            let Some(bytes) = lists::read(&path)? else { return Err(no_list(path)) };
            for pair in lists::pairs(&path, &bytes)? {
                for number in &pair {
                    let earlier = splits.of.insert(number.clone(), split);
                    if let Some(earlier) = earlier.filter(|&earlier| earlier != split) {
                        let reason = format!("{number} is in {earlier}.json too; download the lists again");
                        return Err(ManifestError::List { path, reason });
                    }
                }
                splits.pairs.push((pair, split));
            }
        }
        Ok(splits)
    }

    /// The videos in the lists: the originals, or the forgeries of each method.
    fn videos(&self, manipulated: bool) -> impl Iterator<Item = (String, Split)> {
        self.pairs.iter().flat_map(move |([a, b], split)| {
            let names =
                if manipulated { [format!("{a}_{b}"), format!("{b}_{a}")] } else { [a.clone(), b.clone()] };
            names.map(|name| (name, *split))
        })
    }
}

/// Whether there is more than DeepFakeDetection and its actors.
fn needs_lists(dir: &Path) -> bool {
    [ORIGINAL, MANIPULATED].iter().any(|side| {
        let methods = super::tree::folders(&dir.join(side));
        methods.iter().any(|method| !["actors", "DeepFakeDetection"].contains(&method.as_str()))
    })
}

fn no_list(path: PathBuf) -> ManifestError {
    let reason = "is missing, so the splits are not known; put train.json, val.json and test.json \
        there, from dataset/splits of github.com/ondyari/FaceForensics"
        .to_owned();
    ManifestError::List { path, reason }
}

impl Catalogue for Splits {
    fn place(&self, parts: &[&str]) -> Place {
        match *parts {
            [] | [ORIGINAL | MANIPULATED | "splits" | "dataset"] | ["dataset", "splits"] => Place::Parent,
            ["downloaded_videos"] => Place::Ignored("the videos that the originals were cut from".to_owned()),
            [ORIGINAL | MANIPULATED, _] => Place::Parent,
            [ORIGINAL | MANIPULATED, _, name @ ("masks" | "models" | "landmarks")] => {
                Place::Ignored(format!("{name}, no pictures of the data set"))
            }
            [ORIGINAL | MANIPULATED, _, compression] if COMPRESSIONS.contains(&compression) => {
                Place::VideoSet
            }
            [ORIGINAL | MANIPULATED, _, _] => {
                Place::Foreign(format!("not a compression ({})", COMPRESSIONS.join(", ")))
            }
            _ => Place::Foreign("no folder of FaceForensics++".to_owned()),
        }
    }

    fn clip(&self, video_set: &[&str], video: &str) -> Result<Clip, String> {
        let (label, people, split) = match numbers(video) {
            Some((target, source)) => {
                let split = self.of.get(target).copied();
                let split =
                    split.ok_or_else(|| format!("its number {target} is in no list of the splits"))?;
                let people: Vec<&str> = [Some(target), source].into_iter().flatten().collect();
                (people.len(), people, split)
            }
            None => {
                let actors = actors(video)
                    .ok_or("its name is neither of numbers (000_003) nor of actors (01_02__walking__A)")?;
                let split = split_of_actors(&actors);
                (actors.len(), actors, split)
            }
        };
        let label = match (video_set[0], label) {
            (ORIGINAL, 1) => Label::Real,
            (ORIGINAL, _) => return Err("named like a forgery, but among the originals".to_owned()),
            (_, 1) => return Err("named like an original, but among the forgeries".to_owned()),
            _ => Label::Fake,
        };
        let subset = video_set[1..].join("/");
        let group = format!("{subset}/{video}");
        Ok(Clip { label, subset, group, split, people: people.into_iter().map(str::to_owned).collect() })
    }

    fn is_list(&self, parts: &[&str]) -> bool {
        let name = parts.last().copied().unwrap_or_default();
        parts.len() <= 3 && self.found && ["train.json", "val.json", "test.json"].contains(&name)
            || parts == ["conversion_dict.json"]
    }
}

#[cfg(test)]
mod tests;
