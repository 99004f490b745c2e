//! DFFD: `<subset>/{train,validation,test}/*.png`, and lists of what belongs to each split. The
//! published download lacks some of the pictures in its lists, and the subsets from CelebA and
//! FaceForensics++ have to be made by the user.

use super::tree::{self, Entry, Step};
use super::{Choices, Layout, Media, foreign, lists};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Sample, Split};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const EXPECTED: &str =
    "<subset>/{train,validation,test}/ with pictures, the subsets called ffhq, faceapp, stargan, …";
/// The folder with the lists.
const LISTS: [&str; 3] = ["scripts/data_lists", "data_lists", "_lists"];
/// The names of the splits in folders and lists.
const SPLITS: [(&str, Split); 3] =
    [("train", Split::Train), ("validation", Split::Val), ("test", Split::Test)];
/// The subsets, and the prefix of their pictures' names where it is known.
const SUBSETS: [(&str, Label, &str); 13] = [
    ("ffhq", Label::Real, "R_FFHQ"),
    ("celeba_2w", Label::Real, ""),
    ("celeba", Label::Real, ""),
    ("youtube", Label::Real, ""),
    ("faceapp", Label::Fake, "F_FAP"),
    ("pggan_v1", Label::Fake, "F_PGN1"),
    ("pggan_v2", Label::Fake, "F_PGN2"),
    ("stargan", Label::Fake, "F_STGN"),
    ("stylegan_celeba", Label::Fake, "F_SyCA"),
    ("stylegan_ffhq", Label::Fake, "F_SyFQ"),
    ("Deepfakes", Label::Fake, ""),
    ("Face2Face", Label::Fake, ""),
    ("FaceSwap", Label::Fake, ""),
];

/// The subset is its folder. The group is the photograph: FaceApp and StarGAN make several fakes
/// of one (`F_STGN_0000-01`), and FaceApp's numbers are FFHQ's, so their pictures are grouped
/// together, with the photograph as the person in them. In the subsets from FaceForensics++ the
/// group is the video where the names begin with it.
pub(super) struct Dffd;

impl Layout for Dffd {
    fn name(&self) -> &'static str {
        "dffd"
    }

    fn recognises(&self, dir: &Path) -> bool {
        tree::folders(dir).iter().any(|name| {
            subset(name).is_some() && SPLITS.iter().any(|(split, _)| dir.join(name).join(split).is_dir())
        })
    }

    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let mut found = Found { media: choices.media, listed: Listed::read(dir)?, folders: BTreeMap::new() };
        let mut skipped = Vec::new();
        tree::walk(dir, &mut skipped, |entry| Ok(found.visit(entry)))?;
        let samples = found.choose(&mut skipped);
        if samples.is_empty() {
            return Err(ManifestError::Empty {
                path: dir.to_owned(),
                passed_over: skipped.len(),
                expected: EXPECTED,
            });
        }
        Ok(Manifest::new(samples, skipped))
    }
}

fn subset(name: &str) -> Option<Label> {
    SUBSETS.iter().find(|(known, ..)| *known == name).map(|&(_, label, _)| label)
}

/// The subset that a picture's name belongs to.
fn subset_of(picture: &str) -> Option<&'static str> {
    let begins = |prefix: &str| !prefix.is_empty() && picture.starts_with(prefix);
    SUBSETS.iter().find(|(.., prefix)| begins(prefix)).map(|&(name, ..)| name)
}

fn split(name: &str) -> Option<Split> {
    SPLITS.iter().find(|(known, _)| *known == name).map(|&(_, split)| split)
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "txt")
}

/// The group and the people of a picture.
fn group_and_people(subset: &str, stem: &str) -> (String, Vec<String>) {
    let photograph = stem.rsplit('_').next().unwrap_or_default();
    let photograph = photograph.split_once('-').map_or(photograph, |(number, _)| number);
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    match subset {
        "ffhq" | "faceapp" if digits(photograph, 5) => {
            let person = format!("FFHQ_{photograph}");
            (person.clone(), vec![person])
        }
        "stargan" => (stem.split_once('-').map_or(stem, |(source, _)| source).to_owned(), Vec::new()),
        "youtube" | "Deepfakes" | "Face2Face" | "FaceSwap" => {
            let count = if subset == "youtube" { 1 } else { 2 };
            let numbers: Vec<&str> = stem.split('_').take(count).collect();
            if numbers.len() == count && numbers.iter().all(|number| digits(number, 3)) {
                let people = numbers.iter().map(|&number| number.to_owned()).collect();
                (format!("{subset}/{}", numbers.join("_")), people)
            } else {
                (stem.to_owned(), Vec::new())
            }
        }
        _ => (stem.to_owned(), Vec::new()),
    }
}

/// The content of the lists: for each split, by a picture's name, its label and whether it was
/// found.
#[derive(Default)]
struct Listed {
    pictures: [HashMap<String, (Label, bool)>; 3],
    /// The folder with the lists.
    folder: &'static str,
}

impl Listed {
    fn read(dir: &Path) -> Result<Self, ManifestError> {
        let mut listed = Self::default();
        let folder = LISTS.into_iter().find(|folder| dir.join(folder).is_dir());
        listed.folder = folder.unwrap_or_default();
        for (name, split) in SPLITS {
            for label in [Label::Real, Label::Fake] {
                let path = dir.join(listed.folder).join(format!("{name}_{label}.txt"));
                let Some(bytes) = lists::read(&path)? else { continue };
                let pictures = &mut listed.pictures[split as usize];
                for picture in lists::names(&path, &bytes)? {
                    let earlier = pictures.insert(picture.clone(), (label, false));
                    if earlier.is_some_and(|(earlier, _)| earlier != label) {
                        let reason =
                            format!("{picture} is in {name}_{}.txt too; download them again", label.other());
                        return Err(ManifestError::List { path, reason });
                    }
                }
            }
        }
        Ok(listed)
    }
}

/// The pictures of a subset's split, before they are compared with the lists.
struct Folder {
    label: Label,
    split: Split,
    pictures: Vec<Sample>,
}

struct Found {
    media: Media,
    listed: Listed,
    /// By `subset/split`.
    folders: BTreeMap<String, Folder>,
}

impl Found {
    fn visit(&mut self, entry: &Entry<'_>) -> Step {
        match *entry.parts {
            ["scripts" | "data_lists" | "_lists"] | ["scripts", "data_lists"] if entry.is_folder => {
                Step::Continue
            }
            ["scripts", "data_lists", _] | ["data_lists" | "_lists", _] if is_text(entry.path) => {
                Step::Ignore
            }
            [name] if entry.is_folder => match subset(name) {
                Some(_) => Step::Continue,
                None => Step::Skip("no subset of DFFD".to_owned()),
            },
            [_, folder] if entry.is_folder => match split(folder) {
                Some(_) => Step::Continue,
                None if folder.strip_suffix("_mask").and_then(split).is_some() => {
                    Step::SkipAndCount("masks, no pictures of the data set".to_owned())
                }
                None => Step::Skip("not a train, validation or test folder".to_owned()),
            },
            _ if entry.is_folder => Step::Skip("a folder within a split".to_owned()),
            [name, folder, file] => match (subset(name), split(folder)) {
                (Some(label), Some(split)) if entry.is_file && self.media.holds(entry.path) => {
                    self.add(entry.path, (name, label), (folder, split), file);
                    Step::Continue
                }
                _ => Step::Skip(foreign(self.media)),
            },
            _ => Step::Skip("not in a subset's train, validation or test folder".to_owned()),
        }
    }

    fn add(&mut self, path: &Path, subset: (&str, Label), split: (&str, Split), file: &str) {
        let (subset, label) = subset;
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let (group, people) = group_and_people(subset, stem);
        let sample = Sample::new(path, label, subset, group, split.1).showing(people);
        let name = format!("{subset}/{}", split.0);
        let folder = self.folders.entry(name);
        folder.or_insert(Folder { label, split: split.1, pictures: Vec::new() }).pictures.push(sample);
    }

    /// The pictures of the data set: in folders that the lists cover, those listed, in others
    /// all. Pictures that are listed and missing, or not listed, go to `skipped`.
    fn choose(self, skipped: &mut Vec<String>) -> Vec<Sample> {
        let Self { mut listed, folders, .. } = self;
        let mut samples = Vec::new();
        for (name, folder) in folders {
            let list = &mut listed.pictures[folder.split as usize];
            let mut unlisted = Vec::new();
            let before = samples.len();
            for sample in folder.pictures {
                let file = sample.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                match list.get_mut(file) {
                    Some((label, _)) if *label != folder.label => {
                        skipped.push(format!("{name}/{file}: listed as {label}"));
                    }
                    Some((_, there)) => {
                        *there = true;
                        samples.push(sample);
                    }
                    None => unlisted.push(sample),
                }
            }
            if samples.len() == before {
                samples.append(&mut unlisted);
            }
            let lines = unlisted.iter().filter_map(|sample| sample.path.file_name()?.to_str());
            skipped.extend(lines.map(|file| format!("{name}/{file}: in no list of {}", listed.folder)));
        }
        listed.missing(skipped);
        samples
    }
}

impl Listed {
    /// Notes every picture that is listed and missing; for subsets without any picture, only how
    /// many.
    fn missing(&self, skipped: &mut Vec<String>) {
        for ((name, _), pictures) in SPLITS.iter().zip(&self.pictures) {
            let mut kinds: BTreeMap<(&str, Label), (Vec<&str>, bool)> = BTreeMap::new();
            for (picture, &(label, there)) in pictures {
                // Subsets that are not known here are distinguished by the prefix of their names.
                let beginning = picture.match_indices('_').nth(1).map_or(picture.len(), |(place, _)| place);
                let kind = subset_of(picture).unwrap_or(&picture[..beginning]);
                let (missing, any) = kinds.entry((kind, label)).or_default();
                *any |= there;
                if !there {
                    missing.push(picture);
                }
            }
            for ((kind, label), (missing, any)) in kinds {
                let list = format!("{}/{name}_{label}.txt", self.folder);
                if any || missing.len() == 1 {
                    let lines = missing
                        .iter()
                        .map(|picture| format!("{kind}/{name}/{picture}: in {list}, but missing"));
                    skipped.extend(lines);
                } else if !missing.is_empty() {
                    skipped.push(format!(
                        "{kind}/{name}: {} pictures in {list}, none of them here",
                        missing.len()
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
