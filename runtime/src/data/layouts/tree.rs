//! Walks the folder of a data set: every entry once, in the order of the names, and
//! notes what cannot be read. What an entry means is the layouts' own business.

use crate::data::manifest::ManifestError;
use std::path::Path;
use walkdir::{DirEntry, WalkDir};

/// A file, or a folder before what is below it.
pub(super) struct Entry<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// The names from the walked folder down to it.
    pub parts: &'a [&'a str],
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it is a file, not a pipe or a device.
    pub is_file: bool,
}

/// What is done about an entry.
pub(super) enum Step {
    /// A file is dealt with, a folder is entered.
    On,
    /// It belongs to the data set but is not wanted now; a folder is not entered.
    Leave,
    /// It is passed over for this reason; a folder with all below it.
    Pass(String),
    /// A folder is passed over for this reason, and its files are counted.
    Count(String),
}

/// Walks `dir`, links followed and hidden entries left out, and asks `visit` about every
/// entry. What is passed over becomes a line of `skipped`: loops, what cannot be read and
/// names that are not UTF-8 as well.
///
/// # Errors
/// Those of `visit`.
pub(super) fn walk(
    dir: &Path,
    skipped: &mut Vec<String>,
    mut visit: impl FnMut(&Entry<'_>) -> Result<Step, ManifestError>,
) -> Result<(), ManifestError> {
    let walk = WalkDir::new(dir).min_depth(1).follow_links(true).sort_by_file_name();
    let mut walk = walk.into_iter().filter_entry(visible);
    let mut folders: Vec<String> = Vec::new();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                skipped.push(fault(dir, &error));
                continue;
            }
        };
        let kind = entry.file_type();
        folders.truncate(entry.depth() - 1);
        let name = entry.file_name().to_str();
        let step = match name {
            None => Step::Pass("its name is not UTF-8".to_owned()),
            Some(name) => {
                let parts: Vec<&str> = folders.iter().map(String::as_str).chain([name]).collect();
                let (is_folder, is_file) = (kind.is_dir(), kind.is_file());
                visit(&Entry { path: entry.path(), parts: &parts, is_folder, is_file })?
            }
        };
        let below = || entry.path().strip_prefix(dir).unwrap_or(entry.path()).display();
        let line = match step {
            Step::On => {
                folders.extend(name.filter(|_| kind.is_dir()).map(str::to_owned));
                continue;
            }
            Step::Leave => None,
            Step::Pass(reason) => Some(format!("{}: {reason}", below())),
            Step::Count(reason) => {
                Some(format!("{}: {} files, {reason}", below(), files_below(entry.path())))
            }
        };
        skipped.extend(line);
        if kind.is_dir() {
            walk.skip_current_dir();
        }
    }
    Ok(())
}

fn visible(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn fault(dir: &Path, error: &walkdir::Error) -> String {
    let path = error.path().unwrap_or(dir);
    let below = path.strip_prefix(dir).unwrap_or(path).display();
    match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!("{below}: a link back to {}", ancestor.display()),
        (None, Some(cause)) => format!("{below}: cannot be read: {cause}"),
        (None, None) => format!("{below}: {error}"),
    }
}

fn files_below(folder: &Path) -> usize {
    let walk = WalkDir::new(folder).follow_links(true).into_iter().filter_entry(visible);
    walk.flatten().filter(|entry| entry.file_type().is_file()).count()
}

/// Names of the folders directly in `dir`, links to folders among them, in order.
pub(super) fn folders(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    // Only a link has to be asked about on the disk.
    let folders = entries.filter(|entry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        kind => kind.is_ok_and(|kind| kind.is_dir()),
    });
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
