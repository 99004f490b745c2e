//! The journal of a running attack: appended and flushed after every picture, so
//! that a killed run loses only the pictures in hand. Its first line holds the
//! [`Settings`]; a torn last line is dropped when it is read again.

use super::GradientCount;
use super::dossier::{Dossier, DossierError};
use super::result::SampleResult;
use super::settings::Settings;
use crate::storage::{self, StorageError};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What the judge found on one picture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// Its line of samples.csv.
    pub result: SampleResult,
    /// What the report needs beyond that line.
    pub finding: Finding,
    /// The picture's file; the content by which it is known again.
    #[serde(default)]
    pub source: Source,
}

/// Which file was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The SHA-256 of the picture's file; empty where nothing is kept, and in journals of
    /// versions that knew pictures by their names.
    #[serde(default)]
    pub sha256: String,
}

/// What an earlier run left.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// What it was begun with; none where an earlier version wrote it, or nothing did.
    pub settings: Option<Settings>,
    /// The pictures that it finished, in the order that it did.
    pub entries: Vec<Entry>,
}

/// What goes into the gates and counts of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// It was classified rightly before, and so attacked.
    pub attacked: bool,
    /// A success in floats that 8-bit rounding undid.
    pub lost_to_rounding: bool,
    /// Logits that were no finite numbers.
    pub non_finite: u32,
    /// How far the proposal lay outside the ball before clipping, in 1/255.
    pub excess_255: f64,
    /// The attack's own count of queries differs from the ledger's.
    pub miscounted: bool,
    /// The answers to its search were all the same; none where that was not measured.
    #[serde(default)]
    pub never_differed: Option<bool>,
    /// Gradients the attack saw.
    pub gradients_evaluated: u64,
    /// Of these zero.
    pub gradients_zero: u64,
    /// Of these not finite.
    pub gradients_non_finite: u64,
}

impl Finding {
    /// The gradients in one.
    pub fn gradients(&self) -> GradientCount {
        GradientCount {
            evaluated: self.gradients_evaluated,
            zero: self.gradients_zero,
            non_finite: self.gradients_non_finite,
        }
    }
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// What an earlier run under `settings` left in `dossier`. Without `resume` the folder
    /// must hold no attack.
    ///
    /// # Errors
    /// An occupied folder, a journal of other settings or one that cannot be read.
    pub fn earlier(dossier: &Dossier, settings: &Settings, resume: bool) -> Result<Earlier, DossierError> {
        let path = dossier.journal_path();
        let folder = || dossier.folder().to_owned();
        let begun = path.exists();
        if !resume && (begun || dossier.report_path().exists()) {
            return Err(DossierError::Occupied(folder()));
        }
        if !begun {
            return Ok(Earlier::default());
        }
        let earlier = Self::read(dossier)?.ok_or_else(|| DossierError::OtherVersion(folder()))?;
        let begun = earlier.settings.as_ref().ok_or_else(|| DossierError::OtherVersion(folder()))?;
        match begun.difference(settings) {
            Some(difference) => Err(DossierError::OtherSettings { folder: folder(), difference }),
            None => Ok(earlier),
        }
    }

    /// The journal in `dossier`, whatever its settings; none where there is none, or one
    /// whose lines cannot be understood.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(dossier: &Dossier) -> Result<Option<Earlier>, DossierError> {
        let path = dossier.journal_path();
        if !path.exists() {
            return Ok(None);
        }
        Ok(read(&storage::read(&path)?))
    }

    /// A journal of `dossier` under `settings` that begins with `entries`.
    ///
    /// # Errors
    /// An unwritable file.
    pub fn begin(dossier: &Dossier, settings: &Settings, entries: &[Entry]) -> Result<Self, DossierError> {
        let path = dossier.journal_path();
        // Written whole first, so that nothing is ever appended to a torn line.
        let mut text = format!("{}\n", settings.line()).into_bytes();
        for entry in entries {
            text.extend(line(entry));
        }
        storage::write(&path, &text)?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|source| StorageError::Write { path: path.clone(), source })?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// Appends `entry` and flushes it to the disk.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn append(&self, entry: &Entry) -> Result<(), DossierError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(&line(entry)).and_then(|()| file.sync_data());
        Ok(written.map_err(|source| StorageError::Write { path: self.path.clone(), source })?)
    }
}

/// One line of CSV, ended by a newline.
fn line(entry: &Entry) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    table.serialize((&entry.result, &entry.finding, &entry.source)).expect("flat fields, written to memory");
    table.into_inner().expect("memory takes every byte")
}

/// The whole lines of a journal.
fn read(bytes: &[u8]) -> Option<Earlier> {
    let end = bytes.iter().rposition(|&byte| byte == b'\n')? + 1;
    let head = bytes.iter().position(|&byte| byte == b'\n')?;
    let settings = std::str::from_utf8(&bytes[..head]).ok().and_then(Settings::parse);
    let rest = &bytes[head + 1..end];
    let table = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(rest);
    let entries: Result<Vec<Entry>, csv::Error> = table.into_deserialize().collect();
    Some(Earlier { settings, entries: entries.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::manifest::Label;

    fn entry(id: u64) -> Entry {
        let result = SampleResult {
            id,
            label: Label::Fake,
            clean_logit: 0.1 + 0.2,
            adv_logit: f32::NAN,
            success: false,
            queries: 17,
            linf_255: 8,
            l2: 1.0 / 3.0,
            seconds: 0.5,
            path: "a \"quoted\", comma.png".to_owned(),
            clean_sha256: "ab".to_owned(),
            adv_sha256: String::new(),
            attack: "square".to_owned(),
            distance: (id == 3).then_some(0.1 + 0.2),
            queries_to_success: None,
        };
        let finding = Finding { attacked: true, excess_255: f64::INFINITY, ..Finding::default() };
        Entry { result, finding, source: Source { sha256: "cd".to_owned() } }
    }

    fn settings(seed: u64) -> Settings {
        Settings::parse(&format!("{{\"params\":{{\"seed\":{seed}}},\"data\":\"faces\"}}")).unwrap()
    }

    fn same(a: &Entry, b: &Entry) -> bool {
        line(a) == line(b)
    }

    #[test]
    fn what_was_appended_is_found_again_and_a_torn_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let dossier = Dossier::new(folder.path());
        assert!(Journal::earlier(&dossier, &settings(0), false).unwrap().entries.is_empty());
        let journal = Journal::begin(&dossier, &settings(0), &[]).unwrap();
        journal.append(&entry(3)).unwrap();
        journal.append(&entry(1)).unwrap();
        drop(journal);
        let found = || Journal::earlier(&dossier, &settings(0), true).unwrap().entries;
        for torn in 1..line(&entry(1)).len() {
            let whole = std::fs::read(dossier.journal_path()).unwrap();
            std::fs::write(dossier.journal_path(), &whole[..whole.len() - torn]).unwrap();
            let found = found();
            assert_eq!(found.len(), 1, "{torn} bytes torn off");
            assert!(same(&found[0], &entry(3)));
            std::fs::write(dossier.journal_path(), &whole).unwrap();
        }
        assert_eq!(found().len(), 2);
        assert!(same(&found()[1], &entry(1)));
    }

    #[test]
    fn another_run_is_neither_overwritten_nor_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let dossier = Dossier::new(folder.path());
        drop(Journal::begin(&dossier, &settings(0), &[]).unwrap());
        let occupied = Journal::earlier(&dossier, &settings(0), false).unwrap_err();
        assert!(matches!(occupied, DossierError::Occupied(_)));
        let other = Journal::earlier(&dossier, &settings(1), true).unwrap_err().to_string();
        assert!(other.contains("seed was 0 and is 1"), "{other}");
    }

    #[test]
    fn a_journal_of_an_earlier_version_is_read_and_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let dossier = Dossier::new(folder.path());
        // Its head was a hash, and its lines ended before the picture's.
        let mut text = line(&entry(3));
        text.truncate(text.len() - ",cd\n".len());
        let text = [b"0123abcd\n".to_vec(), text, b"\n".to_vec()].concat();
        std::fs::write(dossier.journal_path(), text).unwrap();
        let refused = Journal::earlier(&dossier, &settings(0), true).unwrap_err();
        assert!(matches!(refused, DossierError::OtherVersion(_)), "{refused}");
        let read = Journal::read(&dossier).unwrap().unwrap();
        assert_eq!((read.settings, read.entries.len()), (None, 1));
        assert_eq!(read.entries[0].source, Source::default());
    }
}
