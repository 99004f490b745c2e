//! Which pictures are of one video or person, where no list says it: by the folder that
//! they lie in, or by how their names begin. Where names allow both a film and a set of
//! single pictures, the rule is asked for; whatever was decided is said.

use super::layouts::Media;
use super::manifest::ManifestError;
use super::naming::{self, Frame};
use super::sample::Label;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Numbered pictures in a folder, or behind a name, on average: up to so many they are taken
/// for frames of a film whatever the number of films.
const SHORT: usize = 100;
/// The same where a class has at least [`MANY`] such folders or names.
const LONG: usize = 1000;
/// A folder of some generator's pictures is one of few, a video's one of many.
const MANY: usize = 5;

/// The rule by which pictures are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// The one that the names speak for.
    #[default]
    Auto,
    /// The folder is the video or person.
    Folder,
    /// What stands before the number at the name's end is.
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
            _ => Err(format!("group {text:?} is none of auto, folder, stem, file")),
        }
    }
}

/// Where a picture lies in its data set.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its class.
    pub label: Label,
    /// The folders above its class's that tell it from others, with slashes.
    pub above: String,
    /// The folders below its class's, with slashes.
    pub folders: String,
    /// Its file's name.
    pub file: String,
}

impl Place {
    fn stem(&self) -> &str {
        self.file.rsplit_once('.').map_or(&*self.file, |(stem, _)| stem)
    }

    fn folder(&self) -> [&str; 2] {
        [&self.above, &self.folders]
    }

    /// The folder's own name.
    fn innermost(&self) -> &str {
        self.folders.rsplit('/').next().unwrap_or_default()
    }

    /// The frame that its name says it is; in `video_019` so is `video_019_0001`.
    fn frame(&self) -> Frame<'_> {
        match Frame::of(self.stem()) {
            Frame::Of(name) | Frame::Behind(name) if name == self.innermost() => Frame::Number,
            frame => frame,
        }
    }
}

/// What was decided.
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
    /// The subset of picture `at`: the folders above and the first below its class's that is
    /// no video, else its class.
    pub fn subset(&self, at: usize, place: &Place) -> String {
        let first = match place.folders.split_once('/') {
            Some((first, _)) => first,
            None if self.in_video[at] => "",
            None => &place.folders,
        };
        let named: Vec<&str> = [&*place.above, first].into_iter().filter(|name| !name.is_empty()).collect();
        if named.is_empty() { place.label.name().to_owned() } else { named.join("/") }
    }
}

/// Groups the pictures or videos of the data set `set` that lie at `places`; a video is one
/// thing, whatever its number.
///
/// # Errors
/// Names that allow for several rules, of which one must be chosen.
pub(super) fn group(
    set: &Path,
    places: &[Place],
    grouping: Grouping,
    media: Media,
) -> Result<Grouped, ManifestError> {
    let names = Names::of(places);
    let mut groups: Vec<String> = Vec::with_capacity(places.len());
    let mut counts = Counts::default();
    let (mut films, mut beginnings) = (HashSet::new(), HashSet::new());
    let probed = (grouping, media) == (Grouping::Auto, Media::Pictures);
    if probed {
        films = self::films(set, places)?;
        beginnings = self::beginnings(set, places, &films)?;
    }
    let mut in_video = Vec::with_capacity(places.len());
    for place in places {
        let folder = place.folder();
        let film = films.contains(&(place.label, folder));
        let by = match (grouping, place.frame()) {
            (Grouping::File, _) => By::Itself,
            (Grouping::Folder, _) if !place.folders.is_empty() => By::Folder,
            (Grouping::Folder, _) => By::Name,
            (Grouping::Stem, frame) => match (frame, naming::behind(place.stem())) {
                (Frame::Of(name), _) | (_, Some(name)) => By::Beginning(name),
                (Frame::Number, None) if !place.folders.is_empty() => By::Folder,
                _ => By::Name,
            },
            (Grouping::Auto, _) if film => By::Folder,
            (Grouping::Auto, Frame::Of(name)) if probed => By::Frame(name),
            (Grouping::Auto, Frame::Behind(name)) if beginnings.contains(&(place.label, folder)) => {
                By::Beginning(name)
            }
            (Grouping::Auto, _) => By::Name,
        };
        in_video.push(matches!(by, By::Folder));
        let group = match by {
            By::Folder => joined(&[&place.above, &place.folders]),
            By::Frame(name) | By::Beginning(name) => joined(&[&place.above, name]),
            By::Name => joined(&[&place.above, names.of_place(place)]),
            By::Itself => joined(&[&place.above, place.label.name(), &place.folders, names.of_place(place)]),
        };
        counts.add(&by, &group);
        groups.push(group);
    }
    Ok(Grouped { groups, in_video, rules: counts.rules() })
}

fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// What decides a picture's group.
enum By<'a> {
    Folder,
    Frame(&'a str),
    Beginning(&'a str),
    Name,
    Itself,
}

/// Names without their endings, where these tell nothing apart.
struct Names<'a> {
    twice: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(places: &'a [Place]) -> Self {
        let mut files: HashMap<(Label, [&str; 2], &str), &str> = HashMap::new();
        let mut twice = HashSet::new();
        for place in places {
            let known = files.insert((place.label, place.folder(), place.stem()), &place.file);
            if known.is_some_and(|file| file != place.file) {
                twice.insert(place.stem());
            }
        }
        Self { twice }
    }

    /// A name under two endings is two things.
    fn of_place<'b>(&self, place: &'b Place) -> &'b str {
        if self.twice.contains(place.stem()) { &place.file } else { place.stem() }
    }
}

type Folder<'a> = (Label, [&'a str; 2]);

/// The folders below a class's whose pictures are numbered like the frames of a film.
fn films<'a>(set: &Path, places: &'a [Place]) -> Result<HashSet<Folder<'a>>, ManifestError> {
    let mut folders: BTreeMap<Folder<'_>, Numbered<'_>> = BTreeMap::new();
    for place in places.iter().filter(|place| !place.folders.is_empty()) {
        let folder = folders.entry((place.label, place.folder())).or_default();
        folder.all += 1;
        folder.name = place.innermost();
        folder.numbered += usize::from(place.frame() == Frame::Number);
        folder.told |=
            place.stem().to_ascii_lowercase().contains("frame") || naming::is_video(place.innermost());
    }
    let mut films = HashSet::new();
    for label in [Label::Real, Label::Fake] {
        let numbered = folders.iter().filter(|((of, _), folder)| *of == label && folder.is_numbered());
        let (told, untold): (Vec<_>, Vec<_>) = numbered.partition(|(_, folder)| folder.told);
        films.extend(told.iter().map(|(key, _)| **key));
        let pictures: usize = untold.iter().map(|(_, folder)| folder.all).sum();
        if is_of_films(pictures, untold.len()) {
            films.extend(untold.iter().map(|(key, _)| **key));
        } else if let Some((_, folder)) = untold.first() {
            let what = format!("{label}: the {pictures} pictures in {:?}", folder.name);
            return Err(unclear(set, what, untold.len(), "folder", "folder"));
        }
    }
    Ok(films)
}

#[derive(Default)]
struct Numbered<'a> {
    name: &'a str,
    all: usize,
    numbered: usize,
    told: bool,
}

impl Numbered<'_> {
    fn is_numbered(&self) -> bool {
        self.all > 1 && 10 * self.numbered >= 9 * self.all
    }
}

/// Whether `films` folders or names with `pictures` in all are films, of which the pictures
/// are frames; else they may be anything.
fn is_of_films(pictures: usize, films: usize) -> bool {
    let most = if films >= MANY { LONG } else { SHORT };
    films > 0 && pictures <= most * films
}

fn unclear(set: &Path, what: String, films: usize, noun: &str, rule: &str) -> ManifestError {
    let others = match films {
        1 => String::new(),
        _ => format!(" and {} more like it", films - 1),
    };
    let reason = format!(
        "{what}{others} are numbered: frames of one video a {noun}, or single pictures? Say --group {rule} or \
        --group file to `dfrt data index {} --out manifest.csv`, and use that manifest",
        super::place::quoted(set)
    );
    ManifestError::Unclear { path: set.to_owned(), reason }
}

/// The folders in which several names stand before several numbers each: `x_10`, `x_11`,
/// `y_10`, `y_11`.
fn beginnings<'a>(
    set: &Path,
    places: &'a [Place],
    films: &HashSet<Folder<'_>>,
) -> Result<HashSet<Folder<'a>>, ManifestError> {
    let mut folders: BTreeMap<Folder<'_>, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for place in places {
        let folder = (place.label, place.folder());
        if films.contains(&folder) {
            continue;
        }
        let (all, named) = folders.entry(folder).or_default();
        *all += 1;
        if let Frame::Behind(name) = place.frame() {
            *named.entry(name).or_default() += 1;
        }
    }
    let mut found = HashSet::new();
    for (folder, (all, named)) in folders {
        let pictures: usize = named.values().sum();
        let several = named.len() > 1 && named.values().any(|&count| count > 1);
        if !several || 10 * pictures < 9 * all {
            continue;
        }
        if !is_of_films(pictures, named.len()) {
            let first = named.keys().next().expect("there are several");
            let what = format!("{}: its {pictures} pictures called {first:?}", folder.0);
            return Err(unclear(set, what, named.len(), "name", "stem"));
        }
        found.insert(folder);
    }
    Ok(found)
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
    fn add(&mut self, by: &By<'_>, group: &str) {
        let (pictures, groups) = match by {
            By::Folder => &mut self.folder,
            By::Frame(_) => &mut self.frame,
            By::Beginning(_) => &mut self.beginning,
            By::Name | By::Itself => &mut self.single,
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
#[path = "grouping_tests.rs"]
mod tests;
