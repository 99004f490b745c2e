//! Groups pictures of one video or person where no list names it: by their folder, or by the
//! beginning of their names. Where names prove neither videos nor single pictures, the user has
//! to choose the rule. The rules that were used are reported.

use super::manifest::ManifestError;
use super::media::Media;
use super::naming::{self, Frame};
use crate::sample::Label;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The rule by which pictures are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// The rule that the names prove.
    #[default]
    Auto,
    /// Pictures in one folder are a group.
    Folder,
    /// Pictures with the same name before the final number are a group.
    Stem,
    /// Every file is a group of its own.
    File,
}

impl std::str::FromStr for Grouping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "folder" => Ok(Self::Folder),
            "stem" => Ok(Self::Stem),
            "file" => Ok(Self::File),
            _ => Err(format!("group {text:?} is unknown; choose one of auto, folder, stem, file")),
        }
    }
}

/// The place of a picture in its data set.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The picture's class.
    pub label: Label,
    /// The folders above its class's that distinguish it from others, with slashes.
    pub above: String,
    /// The folders below its class's, with slashes.
    pub folders: String,
    /// The picture's file name.
    pub file: String,
}

impl Place {
    fn stem(&self) -> &str {
        self.file.rsplit_once('.').map_or(&*self.file, |(stem, _)| stem)
    }

    /// The folders below its class's that distinguish it from others: not `frames` in
    /// `clip3/frames`.
    pub fn distinguishing_folders(&self) -> String {
        let distinguishing =
            self.folders.split('/').filter(|name| !name.is_empty() && !naming::is_generic(name));
        distinguishing.collect::<Vec<_>>().join("/")
    }

    fn folder(&self) -> [&str; 2] {
        [&self.above, &self.folders]
    }

    /// The name of the innermost folder.
    fn innermost(&self) -> &str {
        self.folders.rsplit('/').next().unwrap_or_default()
    }

    /// Whether its name says that it is a frame but not of which video: `frame10`.
    fn is_frame_without_video(&self) -> bool {
        let stem = self.stem().to_ascii_lowercase();
        self.frame() == Frame::Number && (stem.contains("frame") || stem.contains("frm"))
    }

    /// What its name says about the frame that it is; in the folder `video_019`, `video_019_0001`
    /// is a bare number.
    fn frame(&self) -> Frame<'_> {
        match Frame::of(self.stem()) {
            Frame::Of(name) | Frame::Behind(name) if name == self.innermost() => Frame::Number,
            frame => frame,
        }
    }
}

/// The result of grouping.
#[derive(Debug, Default)]
pub(super) struct Grouped {
    /// The group of each picture.
    pub groups: Vec<String>,
    /// Whether the innermost folder of each is its video.
    pub in_video: Vec<bool>,
    /// The rules, in words.
    pub rules: Vec<String>,
}

impl Grouped {
    /// The subset of picture `at`: the folders above its class's and the first below it that is
    /// no video, or its class where there are none.
    pub fn subset(&self, at: usize, place: &Place) -> String {
        let folders = place.distinguishing_folders();
        let first = match folders.split_once('/') {
            Some((first, _)) => first,
            None if self.in_video[at] => "",
            None => &folders,
        };
        let named: Vec<&str> = [&*place.above, first].into_iter().filter(|name| !name.is_empty()).collect();
        if named.is_empty() { place.label.name().to_owned() } else { named.join("/") }
    }
}

/// Groups the pictures or videos of the data set `set` by their `places`. Every video is a group
/// of its own, whatever its number.
///
/// # Errors
/// The names allow several rules, and the user has to choose one.
pub(super) fn group(
    set: &Path,
    places: &[Place],
    grouping: Grouping,
    media: Media,
) -> Result<Grouped, ManifestError> {
    let distinguishing: Vec<Place> = places
        .iter()
        .map(|place| Place { folders: place.distinguishing_folders(), ..place.clone() })
        .collect();
    let names = Names::of(&distinguishing);
    let mut groups: Vec<String> = Vec::with_capacity(places.len());
    let mut counts = Counts::default();
    let probed = (grouping, media) == (Grouping::Auto, Media::Pictures);
    let video_folders = if probed { video_folders(&distinguishing) } else { HashSet::new() };
    if probed {
        check_ambiguity(set, &distinguishing, &video_folders)?;
    }
    let mut in_video = Vec::with_capacity(places.len());
    for (whole, place) in places.iter().zip(&distinguishing) {
        let video = video_folders.contains(&(place.label, place.folder()));
        let by = match (grouping, place.frame()) {
            (Grouping::File, _) => GroupedBy::Itself,
            (Grouping::Folder, _) if !place.folders.is_empty() => GroupedBy::Folder,
            (Grouping::Folder, _) => GroupedBy::Name,
            (Grouping::Stem, frame) => match (frame, naming::behind(place.stem())) {
                (Frame::Of(name), _) | (_, Some(name)) => GroupedBy::Beginning(name),
                (Frame::Number, None) if !place.folders.is_empty() => GroupedBy::Folder,
                _ => naming::beginning(place.stem()).map_or(GroupedBy::Name, GroupedBy::Beginning),
            },
            (Grouping::Auto, Frame::Of(name)) if probed => GroupedBy::Frame(name),
            (Grouping::Auto, _) if video => GroupedBy::Folder,
            (Grouping::Auto, Frame::Behind(_)) if probed => {
                naming::numbered(place.stem()).map_or(GroupedBy::Name, GroupedBy::Beginning)
            }
            (Grouping::Auto, _) => GroupedBy::Name,
        };
        in_video.push(matches!(by, GroupedBy::Folder));
        let group = match by {
            GroupedBy::Folder => joined(&[&place.above, &place.folders]),
            GroupedBy::Frame(name) | GroupedBy::Beginning(name) => joined(&[&place.above, name]),
            GroupedBy::Name => joined(&[&place.above, names.of_place(place)]),
            GroupedBy::Itself => {
                joined(&[&place.above, place.label.name(), &whole.folders, names.of_place(place)])
            }
        };
        counts.add(&by, &group);
        groups.push(group);
    }
    Ok(Grouped { groups, in_video, rules: counts.rules() })
}

fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The rule that decides a picture's group.
enum GroupedBy<'a> {
    Folder,
    Frame(&'a str),
    Beginning(&'a str),
    Name,
    Itself,
}

/// Names without extensions, where these are not needed to distinguish files.
struct Names<'a> {
    repeated: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(places: &'a [Place]) -> Self {
        let mut files: HashMap<(Label, [&str; 2], &str), &str> = HashMap::new();
        let mut repeated = HashSet::new();
        for place in places {
            let known = files.insert((place.label, place.folder(), place.stem()), &place.file);
            if known.is_some_and(|file| file != place.file) {
                repeated.insert(place.stem());
            }
        }
        Self { repeated }
    }

    /// The name with its extension where two files differ in that alone.
    fn of_place<'b>(&self, place: &'b Place) -> &'b str {
        if self.repeated.contains(place.stem()) { &place.file } else { place.stem() }
    }
}

type Folder<'a> = (Label, [&'a str; 2]);

/// The folders below a class's that are proved to be videos: named like one, or like a part of
/// one (`000` next to `000_003`), or with frames of no other video.
fn video_folders(places: &[Place]) -> HashSet<Folder<'_>> {
    let innermost = || places.iter().map(Place::innermost).filter(|name| !name.is_empty());
    let pairs: HashSet<&str> = innermost().filter(|name| naming::is_video(name)).collect();
    let parts: HashSet<&str> = pairs.iter().flat_map(|name| name.split(['_', '-'])).collect();
    let is_film = |place: &&Place| {
        let name = place.innermost();
        !name.is_empty() && (pairs.contains(name) || parts.contains(name) || place.is_frame_without_video())
    };
    places.iter().filter(is_film).map(|place| (place.label, place.folder())).collect()
}

/// Fails where several pictures are numbered and nothing proves what the numbers count, so that
/// the user has to choose the rule: pictures in a folder that is not one of `video_folders`, with
/// a number after a name, or with a word for frames alone.
fn check_ambiguity(
    set: &Path,
    places: &[Place],
    video_folders: &HashSet<Folder<'_>>,
) -> Result<(), ManifestError> {
    let mut folders: Numbered<'_, Folder<'_>> = Numbered::default();
    let mut names: Numbered<'_, (&str, &str)> = Numbered::default();
    let mut bare: Numbered<'_, Label> = Numbered::default();
    for place in places.iter().filter(|place| !video_folders.contains(&(place.label, place.folder()))) {
        match place.frame() {
            Frame::Of(_) => {}
            Frame::Number if !place.folders.is_empty() => folders.add((place.label, place.folder()), place),
            Frame::Number if place.is_frame_without_video() => bare.add(place.label, place),
            Frame::Behind(_) if naming::numbered(place.stem()).is_some() => {}
            Frame::Number => {}
            Frame::Behind(_) | Frame::Other => {
                if let Some(name) = naming::beginning(place.stem()) {
                    names.add((&place.above, name), place);
                }
            }
        }
    }
    let choices = |rule: &str, unit: &str| {
        format!(
            "Is each {unit} one video or person (--group {rule}), or is each picture on its own (--group file)?"
        )
    };
    let question = if let Some((what, example)) = folders.several("folder") {
        format!("{what} have only numbers for names ({example}). {}", choices("folder", "folder"))
    } else if let Some((what, example)) = names.several("name") {
        format!("{what} have a number after a name ({example}). {}", choices("stem", "name"))
    } else if let Some((what, example)) = bare.several("class") {
        format!(
            "{what} are frames by their names, and no video is named ({example}). Put each video's into a folder of \
            its own, or treat each picture on its own (--group file)?"
        )
    } else {
        return Ok(());
    };
    let command = format!("`dfrt data index {} --out manifest.csv`", super::place::quoted(set));
    let reason = format!("{question} Pass the option to {command} and use that manifest");
    Err(ManifestError::Ambiguous { path: set.to_owned(), reason })
}

/// Numbered pictures, by what they may be frames of.
struct Numbered<'a, Of> {
    by: BTreeMap<Of, (&'a Place, BTreeSet<&'a str>)>,
}

impl<Of> Default for Numbered<'_, Of> {
    fn default() -> Self {
        Self { by: BTreeMap::new() }
    }
}

impl<'a, Of: Ord> Numbered<'a, Of> {
    fn add(&mut self, of: Of, place: &'a Place) {
        self.by.entry(of).or_insert_with(|| (place, BTreeSet::new())).1.insert(place.stem());
    }

    /// The number of pictures and the first one as an example, where several may be of one video;
    /// `None` where every picture is its own group under every rule.
    fn several(&self, unit: &str) -> Option<(String, String)> {
        let several = || self.by.values().filter(|(_, names)| names.len() > 1);
        let (first, _) = several().next()?;
        let (count, pictures) = (several().count(), several().map(|(_, names)| names.len()).sum::<usize>());
        let noun = match (count, unit) {
            (1, unit) => unit.to_owned(),
            (_, "class") => "classes".to_owned(),
            (_, unit) => format!("{unit}s"),
        };
        let example = joined(&[first.innermost(), &first.file]);
        Some((format!("{pictures} pictures of {count} {noun}"), format!("{}: {example}", first.label)))
    }
}

/// How many pictures and groups each rule made.
#[derive(Default)]
struct Counts {
    folder: (usize, BTreeSet<String>),
    frame: (usize, BTreeSet<String>),
    beginning: (usize, BTreeSet<String>),
    single: (usize, BTreeSet<String>),
}

impl Counts {
    fn add(&mut self, by: &GroupedBy<'_>, group: &str) {
        let (pictures, groups) = match by {
            GroupedBy::Folder => &mut self.folder,
            GroupedBy::Frame(_) => &mut self.frame,
            GroupedBy::Beginning(_) => &mut self.beginning,
            GroupedBy::Name | GroupedBy::Itself => &mut self.single,
        };
        *pictures += 1;
        if !groups.contains(group) {
            groups.insert(group.to_owned());
        }
    }

    fn rules(&self) -> Vec<String> {
        let rule = |(pictures, groups): &(usize, BTreeSet<String>), how: &str| {
            let noun =
                |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
            let (pictures, groups) = (noun(*pictures, "picture"), noun(groups.len(), "group"));
            (!groups.starts_with("0 ")).then(|| format!("{pictures} in {groups} by {how}"))
        };
        let rules = [
            rule(&self.folder, "the folder, as frames of one video or pictures of one person"),
            rule(&self.frame, "the name before \"frame\" and a number (x_frame10, x_frame11)"),
            rule(&self.beginning, "the name before the number (x_10, x_11)"),
            rule(&self.single, "the file's name"),
        ];
        rules.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests;
