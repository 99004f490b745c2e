//! Data sets as they lie on a disk, each layout read into a [`Manifest`], of their
//! pictures or of their videos. A layout looks at names and lists only; it never opens
//! a picture or a video. docs/datasets.md shows them all.

mod celeb_df;
mod classes;
mod clips;
mod dfdc;
mod dfdcp;
mod dffd;
mod faceforensics;
pub mod flat;
mod folder;
mod held_out;
pub mod lists;
mod tree;
#[cfg(test)]
mod trees;

use super::grouping::Grouping;
use super::manifest::{Manifest, ManifestError};
use crate::faces::video::{JOURNAL, MANIFEST};
use crate::sample::Split;
use std::ffi::OsStr;
use std::path::Path;

/// One way in which a data set lies on a disk.
pub trait Layout: Sync {
    /// What `--layout` calls it.
    fn name(&self) -> &'static str;

    /// Whether the folder `dir` looks like it.
    fn recognises(&self, dir: &Path) -> bool;

    /// Reads the folder `dir`: its pictures, or its videos. Groups or splits that nobody
    /// published are made as `choices` say. Entries that are none of the data set are listed
    /// in [`Manifest::skipped`].
    ///
    /// # Errors
    /// Where the folder holds none of them or contradicts its own lists.
    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError>;

    /// Whether it groups pictures by their names, so that the user may say how.
    fn groups_by_name(&self) -> bool {
        false
    }

    /// Whether its splits are drawn where no folder names one, so that the user may say one.
    fn draws_splits(&self) -> bool {
        false
    }
}

/// What is wanted of a data set, and how groups and splits are made that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Its pictures or its videos.
    pub media: Media,
    /// The rule by which pictures are grouped.
    pub grouping: Grouping,
    /// Names the draw of splits.
    pub seed: u64,
    /// The split of all pictures, where none is named.
    pub split: Option<Split>,
}

impl Choices {
    /// The `media`, by the rules that hold where nothing is said.
    pub fn of(media: Media) -> Self {
        Self { media, grouping: Grouping::Auto, seed: 0, split: None }
    }
}

/// What a data set consists of, or what of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures, frames of videos among them: what a detector sees.
    Pictures,
    /// Videos, from which faces are extracted.
    Videos,
}

impl Media {
    /// Endings of their files' names, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pictures => &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff"],
            Self::Videos => &[
                "mp4", "avi", "mov", "mkv", "webm", "m4v", "wmv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp",
                "flv", "ogv",
            ],
        }
    }

    /// Whether the file's name ends as theirs do, in any case.
    pub fn holds(self, path: &Path) -> bool {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        self.extensions().iter().any(|known| extension.eq_ignore_ascii_case(known))
    }

    /// One of them in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Pictures => "picture",
            Self::Videos => "video",
        }
    }
}

/// Why a file is none of the `media`.
fn foreign(media: Media) -> String {
    format!("not a {} ({})", media.noun(), media.extensions().join(", "))
}

/// Every layout there is; the first that recognises a folder reads it.
pub const LAYOUTS: [&dyn Layout; 7] = [
    &folder::Folder,
    &dffd::Dffd,
    &faceforensics::FaceForensics,
    &celeb_df::CelebDf,
    &dfdcp::Dfdcp,
    &dfdc::Dfdc,
    GUESSED,
];

/// The one that is recognised by words alone; a manifest in the folder goes before it.
const GUESSED: &dyn Layout = &classes::Classes;

/// What the layouts look like, for messages.
const EXPECTED: &str = "{train,val,test}/{real,fake}/ or real/ and fake/ with pictures below, or DFFD, FaceForensics++, Celeb-DF, \
DFDC or its preview as they are published";

/// The names of all layouts, for messages.
pub fn names() -> String {
    LAYOUTS.map(Layout::name).join(", ")
}

/// Reads the `media` of the folder `dir` in the layout called `layout`, or with `"auto"`
/// in the first that recognises it.
///
/// # Errors
/// Where the folder is missing, no layout has that name or recognises the folder, where
/// pictures are wanted and there are only videos, and as [`Layout::read`].
pub fn read(dir: &Path, layout: &str, media: Media) -> Result<Manifest, ManifestError> {
    read_as(dir, layout, &Choices::of(media))
}

/// The same, where what nobody published is made as `choices` say.
///
/// # Errors
/// As [`read`], and a grouping for a layout that has its own.
pub fn read_as(dir: &Path, layout: &str, choices: &Choices) -> Result<Manifest, ManifestError> {
    let media = choices.media;
    let named = LAYOUTS.into_iter().find(|known| known.name() == layout);
    if named.is_none() && layout != "auto" {
        return Err(ManifestError::UnknownLayout { name: layout.to_owned(), known: names() });
    }
    if !dir.is_dir() {
        return Err(ManifestError::Missing { path: dir.to_owned() });
    }
    let recognised = || LAYOUTS.into_iter().find(|layout| layout.recognises(dir));
    let layout = named.or_else(recognised).ok_or_else(|| ManifestError::Unrecognised {
        path: dir.to_owned(),
        expected: EXPECTED,
        known: names(),
    })?;
    if choices.grouping != Grouping::Auto && !layout.groups_by_name() {
        return Err(ManifestError::Unclear {
            path: dir.to_owned(),
            reason: format!("the layout {} has groups of its own; leave --group out", layout.name()),
        });
    }
    if choices.split.is_some() && !layout.draws_splits() {
        return Err(ManifestError::Unclear {
            path: dir.to_owned(),
            reason: format!("the layout {} has splits of its own; leave --split out", layout.name()),
        });
    }
    match layout.read(dir, choices) {
        Err(ManifestError::Empty { .. }) if media == Media::Pictures && count_videos(dir, layout) > 0 => {
            Err(ManifestError::OnlyVideos { path: dir.to_owned(), count: count_videos(dir, layout) })
        }
        read => read,
    }
}

fn count_videos(dir: &Path, layout: &dyn Layout) -> usize {
    layout.read(dir, &Choices::of(Media::Videos)).map_or(0, |videos| videos.samples.len())
}

impl Manifest {
    /// The data set at `path`: a manifest.csv, a folder in a known layout, or one that holds
    /// a manifest.csv, as extracted crops do; these may lie as their videos did, and are
    /// read by their manifest in any case.
    ///
    /// # Errors
    /// As [`Manifest::read`] and [`read`].
    pub fn of(path: &Path) -> Result<Self, ManifestError> {
        if path.is_dir() {
            let manifest = path.join(MANIFEST);
            if manifest.is_file() && path.join(JOURNAL).is_file() {
                return Self::read(&manifest);
            }
            let published = |layout: &&dyn Layout| layout.name() != GUESSED.name() && layout.recognises(path);
            if manifest.is_file() && !LAYOUTS.iter().any(published) {
                return Self::read(&manifest);
            }
            read(path, "auto", Media::Pictures)
        } else if path.exists() {
            Self::read(path)
        } else {
            Err(ManifestError::Missing { path: path.to_owned() })
        }
    }
}
