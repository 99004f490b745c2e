//! Data sets as they lie on a disk, each layout read into a [`Manifest`]. A layout
//! looks at names only; it never opens a picture.

mod folder;

use super::manifest::{Manifest, ManifestError};
use std::path::Path;

/// One way in which a data set lies on a disk.
pub trait Layout: Sync {
    /// What `--layout` calls it.
    fn name(&self) -> &'static str;

    /// Whether the folder `dir` looks like it.
    fn recognises(&self, dir: &Path) -> bool;

    /// Reads the folder `dir`. Entries that are no pictures of the data set are
    /// listed in [`Manifest::skipped`].
    ///
    /// # Errors
    /// Where the folder holds no picture or contradicts its own lists.
    fn read(&self, dir: &Path) -> Result<Manifest, ManifestError>;
}

/// Every layout there is; the first that recognises a folder reads it.
pub const LAYOUTS: [&dyn Layout; 1] = [&folder::Folder];

/// The names of all layouts, for messages.
pub fn names() -> String {
    LAYOUTS.map(Layout::name).join(", ")
}

/// Reads the folder `dir` in the layout called `layout`, or with `"auto"` in the
/// first that recognises it.
///
/// # Errors
/// Where the folder is missing, no layout has that name or recognises the folder,
/// and as [`Layout::read`].
pub fn read(dir: &Path, layout: &str) -> Result<Manifest, ManifestError> {
    if layout == "auto" {
        if !dir.is_dir() {
            return Err(ManifestError::Missing { path: dir.to_owned() });
        }
        let found = LAYOUTS.into_iter().find(|layout| layout.recognises(dir));
        return found.ok_or_else(|| unrecognised(dir))?.read(dir);
    }
    let named = LAYOUTS.into_iter().find(|known| known.name() == layout);
    let unknown = || ManifestError::UnknownLayout { name: layout.to_owned(), known: names() };
    let layout = named.ok_or_else(unknown)?;
    if !dir.is_dir() {
        return Err(ManifestError::Missing { path: dir.to_owned() });
    }
    layout.read(dir)
}

fn unrecognised(dir: &Path) -> ManifestError {
    ManifestError::Unrecognised { path: dir.to_owned(), expected: folder::EXPECTED, known: names() }
}

impl Manifest {
    /// The data set at `path`: a manifest.csv, or a folder in a known layout.
    ///
    /// # Errors
    /// As [`Manifest::read`] and [`read`].
    pub fn of(path: &Path) -> Result<Self, ManifestError> {
        if path.is_dir() {
            read(path, "auto")
        } else if path.exists() {
            Self::read(path)
        } else {
            Err(ManifestError::Missing { path: path.to_owned() })
        }
    }
}
