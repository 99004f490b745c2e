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

/// Why a file is none of the `media`.
fn foreign(media: Media) -> String {
    format!("not a {} ({})", media.noun(), media.extensions().join(", "))
}
