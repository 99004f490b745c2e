//! The layouts of data sets on a disk; each is read into a [`Manifest`] of pictures or of videos.
//! A layout looks at names and lists only; it never opens a picture or a video. See
//! docs/datasets.md.

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

/// A layout of a data set on a disk.
pub trait Layout: Sync {
    /// Its name for `--layout`.
    fn name(&self) -> &'static str;

    /// Whether the folder `dir` has this layout.
    fn recognises(&self, dir: &Path) -> bool;

    /// Reads the pictures or videos of the folder `dir`. Groups and splits that are not published
    /// are made as `choices` say. Entries that do not belong to the data set are listed in
    /// [`Manifest::skipped`].
    ///
    /// # Errors
    /// The folder holds none of them or contradicts its own lists.
    fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError>;

    /// Whether it groups pictures by name, so that `--group` can be given.
    fn groups_by_name(&self) -> bool {
        false
    }

    /// Whether splits are drawn where no folder names one, so that `--split` can be given.
    fn draws_splits(&self) -> bool {
        false
    }
}

/// What to read from a data set, and how to make groups and splits that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Pictures or videos.
    pub media: Media,
    /// The rule by which pictures are grouped.
    pub grouping: Grouping,
    /// The seed of drawn splits.
    pub seed: u64,
    /// The split of all pictures, for sets that name none.
    pub split: Option<Split>,
}

impl Choices {
    /// The defaults for `media`.
    pub fn of(media: Media) -> Self {
        Self { media, grouping: Grouping::Auto, seed: 0, split: None }
    }
}

/// Pictures or videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures, including frames of videos.
    Pictures,
    /// Videos, from which faces are extracted.
    Videos,
}

impl Media {
    /// The file extensions, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pictures => &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff"],
            Self::Videos => &[
                "mp4", "avi", "mov", "mkv", "webm", "m4v", "wmv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp",
                "flv", "ogv",
            ],
        }
    }

    /// Whether the file has one of these extensions, in any letter case.
    pub fn holds(self, path: &Path) -> bool {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        self.extensions().iter().any(|known| extension.eq_ignore_ascii_case(known))
    }

    /// "picture" or "video".
    pub fn noun(self) -> &'static str {
        match self {
            Self::Pictures => "picture",
            Self::Videos => "video",
        }
    }
}

/// Why a file is not of this `media`.
fn foreign(media: Media) -> String {
    format!("not a {} ({})", media.noun(), media.extensions().join(", "))
}

/// All layouts; the first that recognises a folder reads it.
pub const LAYOUTS: [&dyn Layout; 7] = [
    &folder::Folder,
    &dffd::Dffd,
    &faceforensics::FaceForensics,
    &celeb_df::CelebDf,
    &dfdcp::Dfdcp,
    &dfdc::Dfdc,
    GUESSED,
];

/// The layout that is recognised by names alone; a manifest in the folder has priority over it.
const GUESSED: &dyn Layout = &classes::Classes;

/// The layouts that are expected, for messages.
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
/// The folder is missing, no layout has that name or recognises the folder, pictures are wanted
/// and there are only videos, or those of [`Layout::read`].
pub fn read(dir: &Path, layout: &str, media: Media) -> Result<Manifest, ManifestError> {
    read_as(dir, layout, &Choices::of(media))
}

/// [`read`], with groups and splits that are not published made as `choices` say.
///
/// # Errors
/// Those of [`read`], and a grouping or split for a layout with its own.
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
        return Err(ManifestError::Ambiguous {
            path: dir.to_owned(),
            reason: format!("the layout {} has groups of its own; leave --group out", layout.name()),
        });
    }
    if choices.split.is_some() && !layout.draws_splits() {
        return Err(ManifestError::Ambiguous {
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
    /// The data set at `path`: a manifest.csv, a folder in a known layout, or a folder with a
    /// manifest.csv, such as extracted crops, which is always read by its manifest.
    ///
    /// # Errors
    /// Those of [`Manifest::read`] and [`read`].
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
