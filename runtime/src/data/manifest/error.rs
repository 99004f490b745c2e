//! Why a data set cannot be read, written or used.

use crate::data::place::quoted;
use crate::sample::Label;
use crate::storage::StorageError;
use std::path::PathBuf;

/// Why a data set cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is nothing at the path.
    #[error("{}: no such file or folder; check the path given as --data", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A line of a CSV file is wrong.
    #[error("{}: line {line}: {reason}; correct that line", path.display())]
    Line {
        /// The CSV file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A CSV file has no usable header.
    #[error("{}: {reason}; its first line must name the columns {columns}", path.display())]
    Header {
        /// The CSV file.
        path: PathBuf,
        /// What is missing.
        reason: String,
        /// The columns it must have.
        columns: String,
    },
    /// A manifest or folder without a single picture.
    #[error("{}: holds no picture ({passed_over} entries passed over); expected {expected}", path.display())]
    Empty {
        /// The manifest or folder.
        path: PathBuf,
        /// How many entries were passed over.
        passed_over: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// Only reals or only fakes where both are needed.
    #[error("{what}: all {count} pictures are {label}; add {} pictures, without both classes nothing can be learnt or measured", label.other())]
    OneClass {
        /// Which pictures.
        what: String,
        /// How many.
        count: usize,
        /// The only label.
        label: Label,
    },
    /// No picture where some are needed.
    #[error("{what}: no pictures; add some or choose another split")]
    NoSamples {
        /// Which pictures.
        what: String,
    },
    /// The folder is in no layout that is known.
    #[error("{}: in no known layout; expected {expected}, or name one with --layout ({known}); of pictures of one class `dfrt data index` makes a manifest with --label real or --label fake", path.display())]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// What the layouts look like.
        expected: &'static str,
        /// The layouts' names.
        known: String,
    },
    /// A layout of that name does not exist.
    #[error("layout {name:?} is unknown; choose one of {known}")]
    UnknownLayout {
        /// The name asked for.
        name: String,
        /// The layouts' names.
        known: String,
    },
    /// A picture lies in the folder that the list beside it does not know.
    #[error("{}: does not list {file}, so its person or video is unknown; add a line for it, or remove the list", list.display())]
    Unlisted {
        /// The list, `split.csv`.
        list: PathBuf,
        /// The picture.
        file: String,
    },
    /// A list that comes with a data set is missing or wrong.
    #[error("{}: {reason}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// What is there can be read in several ways, or not in the one asked for.
    #[error("{}: {reason}", path.display())]
    Unclear {
        /// The folder or list.
        path: PathBuf,
        /// Why, and what to say.
        reason: String,
    },
    /// Pictures are asked for, and there are only videos.
    #[error("{}: holds {count} videos and no pictures; extract their faces with `dfrt data extract {} --out faces`, then use faces", path.display(), quoted(path))]
    OnlyVideos {
        /// The folder.
        path: PathBuf,
        /// How many videos of the data set it holds.
        count: usize,
    },
    /// A subset is asked for that is not there.
    #[error("no subset is called {name:?}; there are {known}")]
    NoSubset {
        /// The name asked for.
        name: String,
        /// The subsets' names.
        known: String,
    },
    /// A path that a CSV file cannot hold.
    #[error("{}: its name is not UTF-8 and cannot stand in a manifest; rename it", path.display())]
    Name {
        /// The picture.
        path: PathBuf,
    },
}
