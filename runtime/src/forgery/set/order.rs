//! What set of forgeries is to be made, and why it cannot be.

use crate::data::manifest::ManifestError;
use crate::forgery::Blend;
use crate::forgery::photographs::PhotographsError;
use crate::sample::Split;
use crate::storage::StorageError;
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// How fakes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Self-blended images.
    Sbi,
    /// Face swaps.
    Swap,
}

impl Method {
    /// Its name at the command line and in folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sbi => "sbi",
            Self::Swap => "swap",
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = [Self::Sbi, Self::Swap].into_iter().find(|method| method.name() == name);
        known.ok_or_else(|| format!("method {name:?} is unknown; choose sbi or swap"))
    }
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// How fakes are made.
    pub method: Method,
    /// Fakes of each photograph; fewer swaps where a split has fewer donors.
    pub per_photo: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// The cut: the square of so many times the face's larger side around it; the
    /// photograph's central square where none.
    pub crop: Option<f32>,
    /// Of all draws.
    pub seed: u64,
    /// Who is in which split.
    pub split: SplitBy,
    /// How swaps are joined.
    pub blend: Blend,
    /// JPEG qualities, drawn alike for reals and fakes.
    pub quality: RangeInclusive<u8>,
}

/// Who is in which split.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitBy {
    /// As the data set says; where it says nothing, by the usual shares.
    Kept,
    /// Shares of the people in train, val and test.
    Shares([f64; 3]),
    /// As a list says.
    People(BTreeMap<String, Split>),
}

/// Why no set can be made.
#[derive(Debug, thiserror::Error)]
pub enum ForgedError {
    /// The folder holds something already.
    #[error("{}: is not empty; choose another --out or remove it first", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A setting that cannot be used.
    #[error("{name} {value}: {wanted}")]
    Setting {
        /// The option.
        name: &'static str,
        /// What was asked for.
        value: String,
        /// What is allowed.
        wanted: String,
    },
    /// The photographs.
    #[error(transparent)]
    Photographs(#[from] PhotographsError),
    /// Too few people for the splits.
    #[error("{what}; add photographs of more people, or choose other shares with --split")]
    People {
        /// Which split has too few.
        what: String,
    },
    /// One person in two splits.
    #[error("{person} is in {} and {}; give --split shares to put people apart", splits[0], splits[1])]
    TwoSplits {
        /// Who.
        person: String,
        /// Where.
        splits: [Split; 2],
    },
    /// The folder cannot be made.
    #[error("{}: cannot be made: {source}; free space or choose another --out", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A list, or what was made when it is read back.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}
