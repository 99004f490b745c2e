//! The list of layouts, and reading of a data set in the layout of its folder.

use super::{Choices, Layout, Media, celeb_df, classes, dfdc, dfdcp, dffd, faceforensics, folder};
use crate::data::crops::{JOURNAL, MANIFEST};
use crate::data::grouping::Grouping;
use crate::data::manifest::{Manifest, ManifestError};
use std::path::Path;

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
