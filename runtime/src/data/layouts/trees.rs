//! Small trees of empty files for the layouts' tests.

use crate::data::layouts::{self, Media};
use crate::data::manifest::Manifest;
use crate::sample::Sample;
use std::path::Path;
use tempfile::TempDir;

/// A temporary folder with the empty files `files` in it.
pub fn tree<T: AsRef<str>>(files: impl IntoIterator<Item = T>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files.into_iter().for_each(|file| put(dir.path(), file.as_ref(), ""));
    dir
}

/// Writes `text` to the file `name` of `dir`.
pub fn put(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The pictures of `dir`, which must be recognised as `layout`.
#[track_caller]
pub fn pictures(dir: &TempDir, layout: &str) -> Manifest {
    both(dir, layout, Media::Pictures)
}

/// The videos of `dir`, which must be recognised as `layout`.
#[track_caller]
pub fn videos(dir: &TempDir, layout: &str) -> Manifest {
    both(dir, layout, Media::Videos)
}

#[track_caller]
fn both(dir: &TempDir, layout: &str, media: Media) -> Manifest {
    let found = layouts::read(dir.path(), "auto", media).unwrap();
    assert_eq!(found, layouts::read(dir.path(), layout, media).unwrap(), "auto is {layout}");
    found
}

/// The error of reading the pictures of `dir`, on one line.
#[track_caller]
pub fn error(dir: &TempDir) -> String {
    let error = layouts::read(dir.path(), "auto", Media::Pictures).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

/// `path: label subset group split people`, one line a sample, paths relative to `dir`.
pub fn lines(dir: &TempDir, manifest: &Manifest) -> Vec<String> {
    let line = |Sample { path, label, subset, group, split, people }: &Sample| {
        let path = path.strip_prefix(dir.path()).unwrap().display().to_string();
        format!("{path}: {label} {subset} {group} {split} {}", people.join("+"))
    };
    manifest.samples.iter().map(line).collect()
}
