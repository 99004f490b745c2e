//! Walks the folder of a data set: visits every entry once, in the order of names, and notes what
//! cannot be read. The layouts decide what an entry means.

use crate::data::manifest::ManifestError;
use std::path::Path;
use walkdir::{DirEntry, WalkDir};

/// A file or a folder; a folder comes before its content.
pub(super) struct Entry<'a> {
    /// Its path.
    pub path: &'a Path,
    /// The names from the data set's folder down to it.
    pub parts: &'a [&'a str],
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it is a file, not a pipe or a device.
    pub is_file: bool,
}

/// What to do with an entry.
pub(super) enum Step {
    /// The file was handled; the folder is entered.
    Continue,
    /// It belongs to the data set but is not needed; a folder is not entered.
    Ignore,
    /// It is skipped for this reason; a folder with its content.
    Skip(String),
    /// The folder is skipped for this reason, and its files are counted.
    SkipAndCount(String),
}

/// Walks `dir` and calls `visit` for every entry. Links are followed, hidden entries left out.
/// Every skipped entry becomes a line of `skipped`, also loops, unreadable entries and names that
/// are not UTF-8.
///
/// # Errors
/// The errors of `visit`.
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
            None => Step::Skip("its name is not UTF-8".to_owned()),
            Some(name) => {
                let parts: Vec<&str> = folders.iter().map(String::as_str).chain([name]).collect();
                let (is_folder, is_file) = (kind.is_dir(), kind.is_file());
                visit(&Entry { path: entry.path(), parts: &parts, is_folder, is_file })?
            }
        };
        let below = || entry.path().strip_prefix(dir).unwrap_or(entry.path()).display();
        let line = match step {
            Step::Continue => {
                folders.extend(name.filter(|_| kind.is_dir()).map(str::to_owned));
                continue;
            }
            Step::Ignore => None,
            Step::Skip(reason) => Some(format!("{}: {reason}", below())),
            Step::SkipAndCount(reason) => {
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
    // Only links need another system call.
    let folders = entries.filter(|entry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        kind => kind.is_ok_and(|kind| kind.is_dir()),
    });
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
