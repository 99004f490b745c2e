//! Sets of videos: the videos themselves, in a folder `videos` or not, and pictures of them in
//! `frames/<video>/<number>.png`. The label, split and people of a video come from its data set's
//! layout.

use super::tree::{self, Entry, Step};
use super::{Media, foreign};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Sample, Split};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Folders with pictures of the videos, the preferred first: face crops, frames,
/// FaceForensics++'s full pictures. The first that exists is read.
const PICTURES: [&str; 3] = ["faces", "frames", "images"];
/// The folder with the videos, where they are not in the set's own folder.
const VIDEOS: &str = "videos";
/// Folders of the data set with neither pictures nor videos.
const OTHER_FOLDERS: [&str; 4] = ["masks", "landmarks", "models", "bounding_boxes"];

/// What is known of a video, and so of every picture of it.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    /// Real or fake.
    pub label: Label,
    /// The method or source.
    pub subset: String,
    /// The video's name, unique in the data set.
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

/// The kinds of folders in a data set of videos.
pub(super) enum Place {
    /// A folder above sets of videos.
    Parent,
    /// A set of videos.
    VideoSet,
    /// A folder of the data set with nothing to read, for this reason.
    Ignored(String),
    /// No folder of the data set, for this reason.
    Foreign(String),
}

/// What a layout of videos has to know about its data set.
pub(super) trait Catalogue {
    /// What the folder `parts` is, given as its names from the data set's folder down.
    fn place(&self, parts: &[&str]) -> Place;

    /// The video `video` (without extension) of the set `video_set`, or why it does not belong to
    /// the data set.
    fn clip(&self, video_set: &[&str], video: &str) -> Result<Clip, String>;

    /// Whether the file is a list that comes with the data set.
    fn is_list(&self, parts: &[&str]) -> bool;

    /// Whether the videos of a set are in its subfolders.
    fn nested(&self) -> bool {
        false
    }
}

/// A data set of videos, as found on the disk.
pub(super) struct Found {
    media: Media,
    samples: Vec<Sample>,
    skipped: Vec<String>,
    /// The sets of videos, by their path with slashes.
    pub video_sets: BTreeMap<String, VideoSet>,
}

/// A set of videos, as found on the disk.
#[derive(Default)]
pub(super) struct VideoSet {
    /// Videos with a file.
    files: HashSet<String>,
    /// Videos with pictures.
    pictured: HashSet<String>,
    /// Videos whose folder has no picture.
    empty: HashSet<String>,
}

impl VideoSet {
    /// Whether there is a file, a picture or a folder of the video.
    pub fn has(&self, video: &str) -> bool {
        [&self.files, &self.pictured, &self.empty].iter().any(|videos| videos.contains(video))
    }

    /// All videos.
    pub fn videos(&self) -> impl Iterator<Item = &String> {
        self.files.iter().chain(&self.pictured).chain(&self.empty)
    }
}

impl Found {
    /// Notes that `what` is in the list `list` but missing.
    pub fn missing(&mut self, what: &str, list: &str) {
        self.skipped.push(format!("{what}: in {list}, but missing"));
    }

    /// The manifest of the data set `dir`.
    ///
    /// # Errors
    /// No picture or video was found.
    pub fn into_manifest(mut self, dir: &Path, expected: &'static str) -> Result<Manifest, ManifestError> {
        for (name, video_set) in &self.video_sets {
            let mut empty: Vec<_> = video_set.empty.iter().collect();
            empty.sort();
            let lines = empty.into_iter().map(|video| format!("{name}: no picture of the video {video}"));
            self.skipped.extend(lines);
            let without = video_set.files.difference(&video_set.pictured).count();
            if without > 0 && self.media == Media::Pictures {
                let of = video_set.files.len();
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
/// None; what cannot be read is noted in the result.
pub(super) fn read(dir: &Path, media: Media, catalogue: &dyn Catalogue) -> Result<Found, ManifestError> {
    let found = Found { media, samples: Vec::new(), skipped: Vec::new(), video_sets: BTreeMap::new() };
    let mut reader = Reader { media, catalogue, found, within: Vec::new(), clip: None };
    if let Place::VideoSet = catalogue.place(&[]) {
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
    /// The sets that contain the current entry, the innermost last.
    within: Vec<Within>,
    /// The current video, and whether a picture of it was found.
    clip: Option<(Clip, bool)>,
}

struct Within {
    /// The set's folder names.
    video_set: Vec<String>,
    /// The folder whose pictures are read.
    chosen: Option<&'static str>,
}

impl Within {
    fn holds(&self, parts: &[&str]) -> bool {
        self.video_set.len() < parts.len() && self.video_set.iter().zip(parts).all(|(a, b)| a == b)
    }
}

impl Reader<'_> {
    /// Enters the set of videos `parts`, the folder `path`.
    fn enter(&mut self, path: &Path, parts: &[&str]) {
        let video_set = parts.iter().map(|&part| part.to_owned()).collect();
        let chosen = PICTURES.into_iter().find(|name| path.join(name).is_dir());
        self.within.push(Within { video_set, chosen });
        self.found.video_sets.entry(parts.join("/")).or_default();
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Step {
        while self.within.last().is_some_and(|within| !within.holds(entry.parts)) {
            self.within.pop();
        }
        let Some(within) = self.within.last() else { return self.outside(entry) };
        let chosen = within.chosen;
        let (video_set, rest) = entry.parts.split_at(within.video_set.len());
        if entry.is_folder {
            return self.folder(video_set, rest, chosen, entry);
        }
        if self.catalogue.is_list(entry.parts) {
            return Step::Ignore;
        }
        if rest.len() > 1 && Some(rest[0]) == chosen {
            return self.picture(video_set, rest, entry);
        }
        self.video(video_set, rest, entry)
    }

    fn outside(&mut self, entry: &Entry<'_>) -> Step {
        if !entry.is_folder {
            if self.catalogue.is_list(entry.parts) {
                return Step::Ignore;
            }
            return Step::Skip("not in a folder of the data set".to_owned());
        }
        match self.catalogue.place(entry.parts) {
            Place::Parent => Step::Continue,
            Place::Ignored(reason) => Step::SkipAndCount(reason),
            Place::Foreign(reason) => Step::Skip(reason),
            Place::VideoSet => {
                self.enter(entry.path, entry.parts);
                Step::Continue
            }
        }
    }

    fn folder(
        &mut self,
        video_set: &[&str],
        rest: &[&str],
        chosen: Option<&'static str>,
        entry: &Entry<'_>,
    ) -> Step {
        match *rest {
            [name] if PICTURES.contains(&name) => match chosen {
                _ if self.media == Media::Videos => Step::Ignore,
                Some(chosen) if chosen != name => Step::SkipAndCount(format!("those of {chosen} are read")),
                _ => Step::Continue,
            },
            [name] if OTHER_FOLDERS.contains(&name) => {
                Step::SkipAndCount(format!("{name}, no pictures of the data set"))
            }
            [VIDEOS] => Step::Continue,
            [folder, video] if Some(folder) == chosen => match self.catalogue.clip(video_set, video) {
                Ok(clip) => {
                    self.clip = Some((clip, false));
                    self.at(video_set).empty.insert(video.to_owned());
                    Step::Continue
                }
                Err(reason) => Step::SkipAndCount(reason),
            },
            [folder, ..] if Some(folder) == chosen => Step::Skip("a folder within a video's pictures".into()),
            // A set within a set: parts of DFDC are unpacked into folders of the same name.
            _ if matches!(self.catalogue.place(entry.parts), Place::VideoSet) => {
                self.enter(entry.path, entry.parts);
                Step::Continue
            }
            _ if self.catalogue.nested() => Step::Continue,
            _ => Step::Skip(format!("none of the folders {}, {VIDEOS}", PICTURES.join(", "))),
        }
    }

    fn picture(&mut self, video_set: &[&str], rest: &[&str], entry: &Entry<'_>) -> Step {
        let &[_, video, _] = rest else {
            return Step::Skip("not in a folder with its video's name".to_owned());
        };
        if !entry.is_file || !Media::Pictures.holds(entry.path) {
            return Step::Skip(foreign(Media::Pictures));
        }
        let Some((clip, counted)) = &mut self.clip else { return Step::Ignore };
        let sample = clip.sample(entry.path);
        if !std::mem::replace(counted, true) {
            let video_set = self.at(video_set);
            video_set.empty.remove(video);
            video_set.pictured.insert(video.to_owned());
        }
        self.found.samples.push(sample);
        Step::Continue
    }

    fn video(&mut self, video_set: &[&str], rest: &[&str], entry: &Entry<'_>) -> Step {
        if !entry.is_file || !Media::Videos.holds(entry.path) {
            return Step::Skip(foreign(self.media));
        }
        let name = rest.last().copied().unwrap_or_default();
        let video = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        match self.catalogue.clip(video_set, video) {
            Err(reason) => return Step::Skip(reason),
            Ok(clip) if self.media == Media::Videos => self.found.samples.push(clip.sample(entry.path)),
            Ok(_) => {}
        }
        self.at(video_set).files.insert(video.to_owned());
        Step::Continue
    }

    fn at(&mut self, video_set: &[&str]) -> &mut VideoSet {
        self.found.video_sets.entry(video_set.join("/")).or_default()
    }
}

#[cfg(test)]
mod tests;
