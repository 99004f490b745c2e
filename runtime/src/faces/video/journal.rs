//! The journal of an extraction: a line for each finished video, from which a later call resumes.

use crate::data::crops::JOURNAL;
use crate::differing::differing;
use crate::sample::{Label, Sample, Split};
use crate::storage::{self, AppendLog, StorageError};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// A video whose crops are all on the disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The video, relative to the data set's folder.
    pub video: String,
    pub label: Label,
    pub subset: String,
    pub group: String,
    pub split: Split,
    pub people: Vec<String>,
    /// The crops, relative to the folder of the journal.
    pub files: Vec<String>,
    /// Frames in which the face was not found and its place was interpolated.
    pub held: usize,
    /// Frames that do not show the face.
    pub without_face: usize,
    /// Frames that are damaged or missing.
    pub lost: usize,
    /// Whether the video names no colour matrix.
    pub untagged: bool,
    /// SHA-256 of the video's file, to detect that it was replaced.
    pub sha256: String,
}

/// The part of a line, in a journal of any version, that is needed to remove its crops.
#[derive(Deserialize)]
struct Crops {
    files: Vec<String>,
}

impl Entry {
    /// The samples of its crops; `folder` is the journal's.
    pub fn samples(&self, folder: &Path) -> Vec<Sample> {
        let sample = |file: &String| {
            let Self { label, subset, group, split, people, .. } = self;
            Sample::new(folder.join(file), *label, subset, group, *split).showing(people)
        };
        self.files.iter().map(sample).collect()
    }
}

/// Why an extraction cannot be resumed from a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It was begun with other settings.
    #[error("{}: was begun with other settings: {difference}; use the same settings, or start again with --force", path.display())]
    OtherSettings {
        /// The journal.
        path: PathBuf,
        /// Every setting that differs, with both values.
        difference: String,
    },
    /// A line is damaged.
    #[error("{}: line {line} cannot be understood: {reason}; start again with --force", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// An open journal.
pub(super) struct Journal(AppendLog);

impl Journal {
    /// Opens the journal in `folder` and reads its entries, or creates one with `settings` as its
    /// first line. An incomplete last line, left by a killed process, is dropped.
    ///
    /// # Errors
    /// The journal has other settings or is damaged, or the folder cannot be written.
    pub fn open(folder: &Path, settings: &str) -> Result<(Self, Vec<Entry>), JournalError> {
        let path = folder.join(JOURNAL);
        let mut entries = Vec::new();
        if path.exists() {
            let bytes = storage::read(&path)?;
            let complete = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
            let text = String::from_utf8_lossy(&bytes[..complete]);
            let mut lines = text.lines();
            let was = lines.next().unwrap_or(settings);
            if was != settings {
                let difference = difference(was, settings);
                return Err(JournalError::OtherSettings { path, difference });
            }
            for (index, line) in lines.enumerate() {
                let entry = serde_json::from_str(line).map_err(|error| JournalError::Damaged {
                    path: path.clone(),
                    line: index + 2,
                    reason: error.to_string(),
                })?;
                entries.push(entry);
            }
        }
        // Rewritten without the incomplete line, and with a first line where there was none.
        let mut text = format!("{settings}\n");
        for entry in &entries {
            text += &line(entry);
        }
        Ok((Self(AppendLog::begin(&path, text.as_bytes())?), entries))
    }

    /// Adds a finished video.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn add(&mut self, entry: &Entry) -> Result<(), JournalError> {
        Ok(self.0.append_synced(line(entry).as_bytes())?)
    }
}

/// Removes the crops that the journal in `folder` lists, the folders that are then empty, and the
/// journal.
///
/// # Errors
/// The journal cannot be read, or a file cannot be removed.
pub fn remove(folder: &Path) -> Result<(), JournalError> {
    let path = folder.join(JOURNAL);
    let text = String::from_utf8_lossy(&storage::read(&path)?).into_owned();
    // The crops of a damaged line cannot be distinguished from other files.
    let entries = text.lines().skip(1).filter_map(|line| serde_json::from_str::<Crops>(line).ok());
    for Crops { files } in entries {
        remove_crops(folder, &files)?;
    }
    Ok(remove_if_there(path)?)
}

/// Removes the crops `files` and the folders that are then empty.
///
/// # Errors
/// A file cannot be removed.
pub(super) fn remove_crops(folder: &Path, files: &[String]) -> Result<(), StorageError> {
    for file in files {
        let below = Path::new(file);
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            continue;
        }
        remove_if_there(folder.join(below))?;
        // Removing a folder fails while it is not empty.
        let parents = below.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        parents.take_while(|parent| fs::remove_dir(folder.join(parent)).is_ok()).for_each(drop);
    }
    Ok(())
}

fn remove_if_there(path: PathBuf) -> Result<(), StorageError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StorageError::Write { path, source }),
        _ => Ok(()),
    }
}

/// The settings in which two first lines differ.
fn difference(was: &str, settings: &str) -> String {
    let parsed = |text: &str| serde_json::from_str(text).ok();
    let named = parsed(was).zip(parsed(settings)).and_then(|(was, now)| differing(&was, &now));
    named.unwrap_or_else(|| format!("they were {was}"))
}

fn line(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("plain values") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(video: &str) -> Entry {
        Entry {
            video: video.to_owned(),
            label: Label::Fake,
            subset: "Deepfakes".to_owned(),
            group: "Deepfakes/000_003".to_owned(),
            split: Split::Test,
            people: vec!["000".to_owned(), "003".to_owned()],
            files: vec!["a/1.png".to_owned()],
            held: 0,
            without_face: 2,
            lost: 1,
            untagged: true,
            sha256: "ab".repeat(32),
        }
    }

    #[test]
    fn finished_videos_come_back_and_an_incomplete_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, before) = Journal::open(folder.path(), "{\"size\":64}").unwrap();
        assert!(before.is_empty());
        for name in ["a.mp4", "b.mp4"] {
            journal.add(&entry(name)).unwrap();
        }
        let path = folder.path().join(JOURNAL);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.truncate(text.len() - 20);
        std::fs::write(&path, text).unwrap();
        let (mut journal, before) = Journal::open(folder.path(), "{\"size\":64}").unwrap();
        assert_eq!(before, [entry("a.mp4")]);
        journal.add(&entry("c.mp4")).unwrap();
        let again = Journal::open(folder.path(), "{\"size\":64}").unwrap().1;
        assert_eq!(again, [entry("a.mp4"), entry("c.mp4")]);
    }

    #[test]
    fn only_what_is_listed_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (mut journal, _) = Journal::open(folder.path(), "{}").unwrap();
        let files = ["a/b/1.png", "a/2.png", "a/gone.png", "../outside.png"].map(str::to_owned).to_vec();
        journal.add(&Entry { files, ..entry("x.mp4") }).unwrap();
        for name in ["a/b/1.png", "a/2.png", "a/mine.txt"] {
            storage::write(&at(name), b"").unwrap();
        }
        let outside = folder.path().parent().unwrap().join("outside.png");
        let exists = outside.exists();
        remove(folder.path()).unwrap();
        assert!(at("a/mine.txt").exists() && !at("a/b").exists() && !at("a/2.png").exists());
        assert!(!at(JOURNAL).exists() && outside.exists() == exists);
    }

    #[test]
    fn other_settings_and_damage_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let says = |settings: &str| match Journal::open(folder.path(), settings) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(says("{\"size\":64}"), "");
        assert!(says("{\"size\":96}").contains("other settings: size was 64 and is 96;"));
        std::fs::write(folder.path().join(JOURNAL), "{\"size\":64}\n{\"video\":3}\n").unwrap();
        assert!(says("{\"size\":64}").contains("line 2 cannot be understood"));
    }
}
