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
    /// Nothing exists at the path.
    #[error("{}: no such file or folder; check the path given as --data", path.display())]
    Missing {
        /// The path given.
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
    /// A manifest or folder has no picture.
    #[error("{}: holds no picture ({passed_over} entries passed over); expected {expected}", path.display())]
    Empty {
        /// The manifest or folder.
        path: PathBuf,
        /// How many entries were skipped.
        passed_over: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// There are only reals or only fakes where both are needed.
    #[error("{what}: all {count} pictures are {label}; add {} pictures, without both classes nothing can be learnt or measured", label.other())]
    OneClass {
        /// Which pictures.
        what: String,
        /// How many.
        count: usize,
        /// The only label.
        label: Label,
    },
    /// There is no picture where some are needed.
    #[error("{what}: no pictures; add some or choose another split")]
    NoSamples {
        /// Which pictures.
        what: String,
    },
    /// No layout recognises the folder.
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
        /// The name given.
        name: String,
        /// The layouts' names.
        known: String,
    },
    /// A picture in the folder is not in its list.
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
    /// The folder or list can be read in several ways, or not with the options given.
    #[error("{}: {reason}", path.display())]
    Ambiguous {
        /// The folder or list.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Pictures are needed, and there are only videos.
    #[error("{}: holds {count} videos and no pictures; extract their faces with `dfrt data extract {} --out faces`, then use faces", path.display(), quoted(path))]
    OnlyVideos {
        /// The folder.
        path: PathBuf,
        /// How many videos of the data set it holds.
        count: usize,
    },
    /// No subset has the name given.
    #[error("no subset is called {name:?}; there are {known}")]
    NoSubset {
        /// The name given.
        name: String,
        /// The subsets' names.
        known: String,
    },
    /// A path is not UTF-8.
    #[error("{}: its name is not UTF-8, which a manifest cannot hold; rename it", path.display())]
    NotUtf8 {
        /// The picture.
        path: PathBuf,
    },
}
