//! The journal of a running attack: appended and flushed after every picture, so
//! that a killed run loses only the pictures in hand. Its first line names the
//! settings; a torn last line is dropped when it is read again.

use super::GradientCount;
use super::dossier::{Dossier, DossierError};
use super::result::SampleResult;
use crate::storage::{self, StorageError};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What the judge found on one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its line of samples.csv.
    pub result: SampleResult,
    /// What the report needs beyond that line.
    pub finding: Finding,
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
    /// The answers to its search, more than one, were all the same.
    #[serde(default)]
    pub never_differed: bool,
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
    /// Opens the journal of `dossier` under `settings` (a hash). With `resume`
    /// gives what an earlier run with these settings found; without it the
    /// folder must hold no attack.
    ///
    /// # Errors
    /// An occupied folder, a journal of other settings, an unwritable file.
    pub fn open(dossier: &Dossier, settings: &str, resume: bool) -> Result<(Self, Vec<Entry>), DossierError> {
        let path = dossier.journal_path();
        let occupied = path.exists() || dossier.report_path().exists();
        if occupied && !resume {
            return Err(DossierError::Occupied(dossier.folder().to_owned()));
        }
        let entries = match path.exists() {
            true => read(&storage::read(&path)?, settings)
                .ok_or_else(|| DossierError::OtherSettings(dossier.folder().to_owned()))?,
            false => Vec::new(),
        };
        // Written whole first, so that nothing is ever appended to a torn line.
        let mut text = format!("{settings}\n").into_bytes();
        for entry in &entries {
            text.extend(line(entry));
        }
        storage::write(&path, &text)?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|source| StorageError::Write { path: path.clone(), source })?;
        Ok((Self { path, file: Mutex::new(file) }, entries))
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
    table.serialize((&entry.result, &entry.finding)).expect("flat fields, written to memory");
    table.into_inner().expect("memory takes every byte")
}

/// The whole lines of a journal; `None` when its settings are others.
fn read(bytes: &[u8], settings: &str) -> Option<Vec<Entry>> {
    let end = bytes.iter().rposition(|&byte| byte == b'\n')? + 1;
    let rest = bytes[..end].strip_prefix(settings.as_bytes())?.strip_prefix(b"\n")?;
    let table = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(rest);
    let lines = table.into_deserialize::<(SampleResult, Finding)>();
    let entries = lines.map_while(Result::ok);
    Some(entries.map(|(result, finding)| Entry { result, finding }).collect())
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
        };
        let finding = Finding { attacked: true, excess_255: f64::INFINITY, ..Finding::default() };
        Entry { result, finding }
    }

    fn same(a: &Entry, b: &Entry) -> bool {
        line(a) == line(b)
    }

    #[test]
    fn what_was_appended_is_found_again_and_a_torn_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let dossier = Dossier::new(folder.path());
        let (journal, found) = Journal::open(&dossier, "settings", false).unwrap();
        assert!(found.is_empty());
        journal.append(&entry(3)).unwrap();
        journal.append(&entry(1)).unwrap();
        drop(journal);
        for torn in 1..line(&entry(1)).len() {
            let whole = std::fs::read(dossier.journal_path()).unwrap();
            std::fs::write(dossier.journal_path(), &whole[..whole.len() - torn]).unwrap();
            let (_, found) = Journal::open(&dossier, "settings", true).unwrap();
            assert_eq!(found.len(), 1, "{torn} bytes torn off");
            assert!(same(&found[0], &entry(3)));
            std::fs::write(dossier.journal_path(), &whole).unwrap();
        }
        let (_, found) = Journal::open(&dossier, "settings", true).unwrap();
        assert_eq!(found.len(), 2);
        assert!(same(&found[1], &entry(1)));
    }

    #[test]
    fn another_run_is_neither_overwritten_nor_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let dossier = Dossier::new(folder.path());
        drop(Journal::open(&dossier, "one", false).unwrap());
        let occupied = Journal::open(&dossier, "one", false).unwrap_err();
        assert!(matches!(occupied, DossierError::Occupied(_)));
        let other = Journal::open(&dossier, "two", true).unwrap_err();
        assert!(matches!(other, DossierError::OtherSettings(_)));
    }
}
