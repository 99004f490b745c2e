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
mod known;
pub mod lists;
mod tree;
#[cfg(test)]
mod trees;

pub use super::media::Media;
pub use known::{LAYOUTS, names, read, read_as};

use super::grouping::Grouping;
use super::manifest::{Manifest, ManifestError};
use crate::sample::Split;
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

/// Why a file is not of this `media`.
fn foreign(media: Media) -> String {
    format!("not a {} ({})", media.noun(), media.extensions().join(", "))
}
