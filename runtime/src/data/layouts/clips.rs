//! Sets of videos as people keep them: the videos themselves, in a folder `videos` or
//! not, and beside them pictures of them in `frames/<video>/<number>.png`. What a video
//! is (label, split, people) its data set's layout says.

use super::tree::{self, Entry, Step};
use super::{Media, foreign};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Sample, Split};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Folders with pictures of the videos, the better first: crops of faces before frames
/// before FaceForensics++'s own whole pictures. The first that is there is read.
const PICTURES: [&str; 3] = ["faces", "frames", "images"];
/// The folder with the videos, where they do not lie beside it.
const VIDEOS: &str = "videos";
/// Folders that belong to the data set and hold neither.
const BESIDE: [&str; 4] = ["masks", "landmarks", "models", "bounding_boxes"];

/// What is known of a video, and so of every picture of it.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    /// Real or fake.
    pub label: Label,
    /// The method or source.
    pub subset: String,
    /// The video, different from every other of the data set.
    pub group: String,
    /// Train, val or test.
    pub split: Split,
    /// Who is in it.
    pub people: Vec<String>,
}

impl Clip {
    fn sample(&self, path: &Path) -> Sample {
        let Self { label, subset, group, split, people } = self.clone();
        Sample { path: path.to_owned(), label, subset, group, split, people }
    }
}

/// What a folder of a data set is.
pub(super) enum Place {
    /// On the way to sets of videos.
    Way,
    /// A set of videos.
    Home,
    /// Of the data set, but holds nothing to be read, for this reason.
    Beside(String),
    /// None of the data set, for this reason.
    Foreign(String),
}

/// What a layout knows of its data set.
pub(super) trait Catalogue {
    /// What the folder is whose names from the data set's folder down are `parts`.
    fn place(&self, parts: &[&str]) -> Place;

    /// What the video called `video` (without its ending) in the set `home` is, or why it
    /// is none of the data set.
    fn clip(&self, home: &[&str], video: &str) -> Result<Clip, String>;

    /// Whether the file is a list that comes with the data set.
    fn is_list(&self, parts: &[&str]) -> bool;

    /// Whether the videos of a set lie in folders below it.
    fn nested(&self) -> bool {
        false
    }
}

/// What was found of a data set of videos.
pub(super) struct Found {
    media: Media,
    samples: Vec<Sample>,
    skipped: Vec<String>,
    /// By the set's names, joined by slashes, its videos.
    pub homes: BTreeMap<String, Home>,
}

/// What was found of a set of videos.
#[derive(Default)]
pub(super) struct Home {
    /// Videos of which there is a file.
    files: HashSet<String>,
    /// Videos of which there are pictures.
    pictured: HashSet<String>,
    /// Folders of pictures without a picture.
    empty: HashSet<String>,
}

impl Home {
    /// Whether there is anything of the video.
    pub fn has(&self, video: &str) -> bool {
        [&self.files, &self.pictured, &self.empty].iter().any(|videos| videos.contains(video))
    }

    /// Every video.
    pub fn videos(&self) -> impl Iterator<Item = &String> {
        self.files.iter().chain(&self.pictured).chain(&self.empty)
    }
}

impl Found {
    /// Notes that `what` is named by the list `list`, but is not there.
    pub fn missing(&mut self, what: &str, list: &str) {
        self.skipped.push(format!("{what}: in {list}, but missing"));
    }

    /// The data set `dir`.
    ///
    /// # Errors
    /// Where nothing was found.
    pub fn into_manifest(mut self, dir: &Path, expected: &'static str) -> Result<Manifest, ManifestError> {
        for (name, home) in &self.homes {
            let mut empty: Vec<_> = home.empty.iter().collect();
            empty.sort();
            let lines = empty.into_iter().map(|video| format!("{name}: no picture of the video {video}"));
            self.skipped.extend(lines);
            let without = home.files.difference(&home.pictured).count();
            if without > 0 && self.media == Media::Pictures {
                let of = home.files.len();
                self.skipped.push(format!("{name}: no pictures of {without} of {of} videos"));
            }
        }
        if self.samples.is_empty() {
            let passed_over = self.skipped.len();
            return Err(ManifestError::Empty { path: dir.to_owned(), passed_over, expected });
        }
        Ok(Manifest::new(self.samples, self.skipped))
    }
}

/// Reads the data set `dir` that `catalogue` knows.
///
/// # Errors
/// None of its own; what cannot be read is noted.
pub(super) fn read(dir: &Path, media: Media, catalogue: &dyn Catalogue) -> Result<Found, ManifestError> {
    let found = Found { media, samples: Vec::new(), skipped: Vec::new(), homes: BTreeMap::new() };
    let mut reader = Reader { media, catalogue, found, within: Vec::new(), clip: None };
    if let Place::Home = catalogue.place(&[]) {
        reader.enter(dir, &[]);
    }
    let mut skipped = Vec::new();
    tree::walk(dir, &mut skipped, |entry| Ok(reader.visit(entry)))?;
    reader.found.skipped.append(&mut skipped);
    Ok(reader.found)
}

struct Reader<'a> {
    media: Media,
    catalogue: &'a dyn Catalogue,
    found: Found,
    /// The sets that the walk is in, the innermost last.
    within: Vec<Within>,
    /// The video whose pictures the walk is at, and whether there was one.
    clip: Option<(Clip, bool)>,
}

struct Within {
    /// The set's names.
    home: Vec<String>,
    /// The one of its folders whose pictures are read.
    chosen: Option<&'static str>,
}

impl Within {
    fn holds(&self, parts: &[&str]) -> bool {
        self.home.len() < parts.len() && self.home.iter().zip(parts).all(|(a, b)| a == b)
    }
}

impl Reader<'_> {
    /// The walk comes to the set of videos `parts`, which is the folder `path`.
    fn enter(&mut self, path: &Path, parts: &[&str]) {
        let home = parts.iter().map(|&part| part.to_owned()).collect();
        let chosen = PICTURES.into_iter().find(|name| path.join(name).is_dir());
        self.within.push(Within { home, chosen });
        self.found.homes.entry(parts.join("/")).or_default();
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Step {
        while self.within.last().is_some_and(|within| !within.holds(entry.parts)) {
            self.within.pop();
        }
        let Some(within) = self.within.last() else { return self.outside(entry) };
        let chosen = within.chosen;
        let (home, rest) = entry.parts.split_at(within.home.len());
        if entry.is_folder {
            return self.folder(home, rest, chosen, entry);
        }
        if self.catalogue.is_list(entry.parts) {
            return Step::Leave;
        }
        if rest.len() > 1 && Some(rest[0]) == chosen {
            return self.picture(home, rest, entry);
        }
        self.video(home, rest, entry)
    }

    fn outside(&mut self, entry: &Entry<'_>) -> Step {
        if !entry.is_folder {
            if self.catalogue.is_list(entry.parts) {
                return Step::Leave;
            }
            return Step::Pass("not in a folder of the data set".to_owned());
        }
        match self.catalogue.place(entry.parts) {
            Place::Way => Step::On,
            Place::Beside(reason) => Step::Count(reason),
            Place::Foreign(reason) => Step::Pass(reason),
            Place::Home => {
                self.enter(entry.path, entry.parts);
                Step::On
            }
        }
    }

    fn folder(
        &mut self,
        home: &[&str],
        rest: &[&str],
        chosen: Option<&'static str>,
        entry: &Entry<'_>,
    ) -> Step {
        match *rest {
            [name] if PICTURES.contains(&name) => match chosen {
                _ if self.media == Media::Videos => Step::Leave,
                Some(chosen) if chosen != name => Step::Count(format!("those of {chosen} are read")),
                _ => Step::On,
            },
            [name] if BESIDE.contains(&name) => Step::Count(format!("{name}, no pictures of the data set")),
            [VIDEOS] => Step::On,
            [folder, video] if Some(folder) == chosen => match self.catalogue.clip(home, video) {
                Ok(clip) => {
                    self.clip = Some((clip, false));
                    self.at(home).empty.insert(video.to_owned());
                    Step::On
                }
                Err(reason) => Step::Count(reason),
            },
            [folder, ..] if Some(folder) == chosen => Step::Pass("a folder within a video's pictures".into()),
            // A set within a set: parts of DFDC are unpacked into folders of their own name.
            _ if matches!(self.catalogue.place(entry.parts), Place::Home) => {
                self.enter(entry.path, entry.parts);
                Step::On
            }
            _ if self.catalogue.nested() => Step::On,
            _ => Step::Pass(format!("none of the folders {}, {VIDEOS}", PICTURES.join(", "))),
        }
    }

    fn picture(&mut self, home: &[&str], rest: &[&str], entry: &Entry<'_>) -> Step {
        let &[_, video, _] = rest else {
            return Step::Pass("not in a folder with its video's name".to_owned());
        };
        if !entry.is_file || !Media::Pictures.holds(entry.path) {
            return Step::Pass(foreign(Media::Pictures));
        }
        let Some((clip, counted)) = &mut self.clip else { return Step::Leave };
        let sample = clip.sample(entry.path);
        if !std::mem::replace(counted, true) {
            let home = self.at(home);
            home.empty.remove(video);
            home.pictured.insert(video.to_owned());
        }
        self.found.samples.push(sample);
        Step::On
    }

    fn video(&mut self, home: &[&str], rest: &[&str], entry: &Entry<'_>) -> Step {
        if !entry.is_file || !Media::Videos.holds(entry.path) {
            return Step::Pass(foreign(self.media));
        }
        let name = rest.last().copied().unwrap_or_default();
        let video = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        match self.catalogue.clip(home, video) {
            Err(reason) => return Step::Pass(reason),
            Ok(clip) if self.media == Media::Videos => self.found.samples.push(clip.sample(entry.path)),
            Ok(_) => {}
        }
        self.at(home).files.insert(video.to_owned());
        Step::On
    }

    fn at(&mut self, home: &[&str]) -> &mut Home {
        self.found.homes.entry(home.join("/")).or_default()
    }
}

#[cfg(test)]
mod tests;
