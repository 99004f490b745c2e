//! The options of a forgery set, and the errors of making one.

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
    /// The name at the command line and in folders.
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

/// The options of a forgery set.
#[derive(Clone, Debug)]
pub struct ForgerySetOptions {
    /// How fakes are made.
    pub method: Method,
    /// Fakes made from each photograph; fewer swaps where a split has fewer donors.
    pub per_photo: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Side of the square that is cut out around the face, in multiples of the face's longer
    /// side; `None` for the photograph's central square.
    pub crop: Option<f32>,
    /// The seed of all random choices.
    pub seed: u64,
    /// How people are divided into splits.
    pub split: SplitBy,
    /// How swapped faces are blended in.
    pub blend: Blend,
    /// The range of JPEG qualities, drawn from the same distribution for reals and fakes.
    pub quality: RangeInclusive<u8>,
}

/// How people are divided into splits.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitBy {
    /// By the data set's own splits; where it has none, by the usual shares.
    Kept,
    /// Shares of the people in train, val and test.
    Shares([f64; 3]),
    /// By a list of people.
    People(BTreeMap<String, Split>),
}

/// Why a forgery set cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ForgerySetError {
    /// The folder is not empty.
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
        /// The value given.
        value: String,
        /// What is allowed.
        wanted: String,
    },
    /// The photographs cannot be used.
    #[error(transparent)]
    Photographs(#[from] PhotographsError),
    /// There are too few people for the splits.
    #[error("{what}; add photographs of more people, or choose other shares with --split")]
    People {
        /// Which split has too few.
        what: String,
    },
    /// A person is in two splits.
    #[error("{person} is in {} and {}; give --split shares to put people apart", splits[0], splits[1])]
    TwoSplits {
        /// The person.
        person: String,
        /// The two splits.
        splits: [Split; 2],
    },
    /// The folder cannot be created.
    #[error("{}: cannot be made: {source}; free space or choose another --out", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A list cannot be used, or the set cannot be read back.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}
