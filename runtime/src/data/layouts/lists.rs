//! Parsers for the lists of published data sets: splits, labels and originals of videos. Lists
//! are untrusted: sizes are limited, and a name that leaves the folder is an error. No file that
//! a list names is opened here.

use crate::data::manifest::ManifestError;
use crate::data::table::{self, BOM};
use crate::sample::{Label, Split};
use crate::storage::StorageError;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;
use std::path::{Component, Path};

/// The largest list that is read, in bytes; the largest published one is 20 MB.
pub const LARGEST: u64 = 256 << 20;

/// The bytes of the list at `path`, or `None` where there is none.
///
/// # Errors
/// It cannot be read or has more than [`LARGEST`] bytes.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, ManifestError> {
    let failed = |source| StorageError::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error).into()),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        let limit = LARGEST >> 20;
        return Err(wrong(path, format!("has more than {limit} MiB and cannot be a list of this data set")));
    }
    Ok(Some(bytes))
}

/// `splits/{train,val,test}.json` of FaceForensics++: pairs of videos' numbers.
///
/// # Errors
/// It is no list of pairs of three digits.
pub fn pairs(path: &Path, bytes: &[u8]) -> Result<Vec<[String; 2]>, ManifestError> {
    let pairs: Vec<[String; 2]> = json(path, bytes, "a list of pairs like [[\"071\", \"054\"]]")?;
    let number = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    match pairs.iter().flatten().find(|text| !number(text)) {
        Some(text) => Err(wrong(path, format!("{text:?} is no number of a video (three digits)"))),
        None => Ok(pairs),
    }
}

/// A line of Celeb-DF's `List_of_testing_videos.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testing {
    /// Real is 1 in the list, fake is 0.
    pub label: Label,
    /// The folder (`Celeb-real`) as written in the list.
    pub folder: String,
    /// The video's name without extension.
    pub video: String,
}

/// Celeb-DF's `List_of_testing_videos.txt`: lines like `1 YouTube-real/00170.mp4`.
///
/// # Errors
/// A line has another form; the error names it.
pub fn testing(path: &Path, bytes: &[u8]) -> Result<Vec<Testing>, ManifestError> {
    let parse = |text: &str| {
        let (label, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let label = match label {
            "1" => Label::Real,
            "0" => Label::Fake,
            _ => return Err(format!("label {label:?} is neither 1 (real) nor 0 (fake)")),
        };
        let name = name.trim();
        let (folder, file) = inside(name)?.split_once('/').unwrap_or_default();
        if folder.is_empty() || stem(file).is_empty() || file.contains('/') {
            return Err(format!("{name:?} is not of the form Celeb-real/id0_0000.mp4"));
        }
        Ok(Testing { label, folder: folder.to_owned(), video: stem(file).to_owned() })
    };
    lines(path, bytes, parse)
}

/// DFFD's `scripts/data_lists/*.txt`: one file name a line.
///
/// # Errors
/// A line is no file name; the error names it.
pub fn names(path: &Path, bytes: &[u8]) -> Result<Vec<String>, ManifestError> {
    lines(path, bytes, |name| Ok(inside(name)?.rsplit('/').next().unwrap_or_default().to_owned()))
}

/// An entry of DFDC's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The video's name without extension.
    pub video: String,
    /// Real or fake.
    pub label: Label,
    /// The video that a fake was made from, without extension, where the list names it.
    pub original: Option<String>,
}

/// DFDC's `metadata.json`: for each video's file name `label` (`REAL`, `FAKE`) or `is_fake` (0,
/// 1), and for fakes `original`.
///
/// # Errors
/// It has another form, or a video has no label.
pub fn metadata(path: &Path, bytes: &[u8]) -> Result<Vec<Labelled>, ManifestError> {
    #[derive(Deserialize)]
    struct Facts {
        label: Option<String>,
        is_fake: Option<u8>,
        original: Option<String>,
    }
    let Named(videos) = json::<Named<Facts>>(path, bytes, "an object of videos with their labels")?;
    let labelled = videos.into_iter().map(|(name, facts)| {
        let refuse = |reason: String| wrong(path, format!("{name:?}: {reason}"));
        let label = match (facts.label, facts.is_fake) {
            (Some(label), _) => label.parse().map_err(&refuse)?,
            (None, Some(0)) => Label::Real,
            (None, Some(1)) => Label::Fake,
            (None, Some(other)) => return Err(refuse(format!("is_fake {other} is neither 0 nor 1"))),
            (None, None) => return Err(refuse("has neither a label nor is_fake".to_owned())),
        };
        let original = facts.original.filter(|original| !original.trim().is_empty());
        let original = original.map(|original| inside(&original).map(|name| stem(name).to_owned()));
        let original = original.transpose().map_err(&refuse)?;
        let video = stem(inside(&name).map_err(&refuse)?).to_owned();
        Ok(Labelled { video, label, original })
    });
    labelled.collect()
}

/// DFDC's `labels.csv`: columns `filename` and `label` (0 real, 1 fake).
///
/// # Errors
/// A column is missing, or a line has another label; the error names it.
pub fn labels(path: &Path, bytes: &[u8]) -> Result<Vec<Labelled>, ManifestError> {
    let mut labelled = Vec::new();
    table::each_row(path, bytes, &["filename", "label"], &[], |_, fields| {
        let label = match fields[1].trim() {
            "0" => Label::Real,
            "1" => Label::Fake,
            other => {
                return Err(format!("label {other:?} is neither 0 (real) nor 1 (fake)"));
            }
        };
        let video = stem(inside(fields[0].trim())?).to_owned();
        labelled.push(Labelled { video, label, original: None });
        Ok(())
    })?;
    Ok(labelled)
}

/// An entry of the DFDC preview's `dataset.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The folder at the top: `original_videos`, `method_A`, `method_B`.
    pub folder: String,
    /// The video's name without extension.
    pub video: String,
    /// Real or fake.
    pub label: Label,
    /// Train or test; the preview has no val.
    pub split: Split,
    /// The target and, for a fake, the donor, where they are named.
    pub people: Vec<String>,
}

/// The DFDC preview's `dataset.json`: for each video's path `label` (`real`, `fake`), `set`
/// (`train`, `test`), `target_id` and `swapped_id`.
///
/// # Errors
/// It has another form.
pub fn preview(path: &Path, bytes: &[u8]) -> Result<Vec<Preview>, ManifestError> {
    #[derive(Deserialize)]
    struct Facts {
        label: String,
        set: String,
        target_id: Option<Id>,
        swapped_id: Option<Id>,
    }
    let Named(videos) = json::<Named<Facts>>(path, bytes, "an object of videos with label and set")?;
    let preview = videos.into_iter().map(|(name, facts)| {
        let refuse = |reason: String| wrong(path, format!("{name:?}: {reason}"));
        let (folder, rest) = inside(&name).map_err(&refuse)?.split_once('/').unwrap_or_default();
        let video = stem(rest.rsplit('/').next().unwrap_or_default());
        if folder.is_empty() || video.is_empty() {
            return Err(refuse("is not of the form original_videos/1/1_A_001.mp4".to_owned()));
        }
        let ids = [facts.target_id, facts.swapped_id].into_iter().flatten();
        let mut people: Vec<String> = ids.map(|Id(id)| id).filter(|id| !id.trim().is_empty()).collect();
        people.dedup();
        Ok(Preview {
            folder: folder.to_owned(),
            video: video.to_owned(),
            label: facts.label.parse().map_err(&refuse)?,
            split: facts.set.parse().map_err(&refuse)?,
            people,
        })
    });
    preview.collect()
}

/// A line of `split.csv`: the person in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The picture's split.
    pub split: Split,
    /// Real or fake.
    pub label: Label,
    /// The file, relative to the folder of its split and label.
    pub file: String,
    /// The person or video that the picture was taken of.
    pub target: String,
    /// The person whose face was inserted, where the list names one.
    pub donor: Option<String>,
}

/// The `split.csv` of plain folders: columns `split`, `label`, `file`, `target` and perhaps
/// `donor`.
///
/// # Errors
/// A column is missing, or a line has another split or label, no target, or a picture that was
/// listed before; the error names the line.
pub fn targets(path: &Path, bytes: &[u8]) -> Result<Vec<Target>, ManifestError> {
    let (mut targets, mut seen) = (Vec::new(), HashSet::new());
    table::each_row(path, bytes, &["split", "label", "file", "target"], &["donor"], |_, fields| {
        let &[split, label, file, target, donor] = fields else {
            return Err("does not have the fields split,label,file,target".to_owned());
        };
        if target.trim().is_empty() {
            return Err("the field \"target\" is empty".to_owned());
        }
        let (split, label): (Split, Label) = (split.parse()?, label.parse()?);
        if !seen.insert((split, label, file.to_owned())) {
            return Err(format!("{split}/{label}/{file} is listed twice"));
        }
        let donor = (!donor.trim().is_empty()).then(|| donor.to_owned());
        let (file, target) = (file.to_owned(), target.to_owned());
        targets.push(Target { split, label, file, target, donor });
        Ok(())
    })?;
    Ok(targets)
}

/// A name in a list, without a leading `./`, if it stays in the data set's folder.
fn inside(name: &str) -> Result<&str, String> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain || name.contains(['\\', '\0']) {
        return Err(format!("the name {name:?} is empty or leaves the folder of the data set"));
    }
    Ok(name)
}

/// A file's name without extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn wrong(path: &Path, reason: impl fmt::Display) -> ManifestError {
    let reason = format!("{reason}; correct the list, or download it again");
    ManifestError::List { path: path.to_owned(), reason }
}

/// The non-empty lines of a text, each parsed by `parse`.
fn lines<T>(
    path: &Path,
    bytes: &[u8],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, ManifestError> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let mut parsed = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let text = std::str::from_utf8(text).map(str::trim).map_err(|_| "is not UTF-8".to_owned());
        let wrong = |reason| ManifestError::Line { path: path.to_owned(), line, reason };
        match text.map_err(wrong)? {
            "" => {}
            text => parsed.push(parse(text).map_err(wrong)?),
        }
    }
    Ok(parsed)
}

/// serde_json refuses what is nested more than 128 deep.
fn json<'a, T: Deserialize<'a>>(path: &Path, bytes: &'a [u8], form: &str) -> Result<T, ManifestError> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| wrong(path, format!("is not {form}: {error}")))
}

/// The members of a JSON object in order; a duplicate name is an error.
struct Named<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Named<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut seen = HashSet::new();
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("{name:?} is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Named(members))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A person's identifier, which some copies write as a number.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(u64),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Text(text) => text,
            Either::Number(number) => number.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests;
