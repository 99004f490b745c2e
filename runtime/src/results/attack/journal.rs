//! The journal of a running attack: appended and flushed after every picture, so
//! that a killed run loses only the pictures in hand. Its first line holds its format and
//! the [`Settings`]; a torn last line is dropped when it is read again. The fields of the
//! other lines are known by their places, so a journal of another format is not read.

use super::folder::{AttackFolder, AttackFolderError};
use super::settings::Settings;
use super::{GradientCount, SampleResult};
use crate::results::ResultError;
use crate::storage::{self, AppendLog};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the first line of a journal calls its format; whatever changes the fields of an
/// [`Entry`] or their order changes this.
const FORMAT: &str = "dfrt journal 2";

/// What the judge found on one picture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// Its line of samples.csv.
    pub result: SampleResult,
    /// What the report needs beyond that line.
    pub finding: Finding,
    /// The SHA-256 of the picture's file, by which it is known again; empty where nothing
    /// is kept.
    pub source_sha256: String,
}

/// What an earlier run left.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// What it was begun with.
    pub settings: Settings,
    /// The pictures that it finished, in the order that it did.
    pub entries: Vec<Entry>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    settings: Settings,
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
    /// The attack says that it evaluated its device less often than it computed gradients.
    pub miscounted: bool,
    /// The answers to its search were all the same; none where that was not measured.
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
pub struct Journal(AppendLog);

impl Journal {
    /// What an earlier run under `settings` left in `files`; none where there was none.
    /// Without `resume` the folder must hold no attack.
    ///
    /// # Errors
    /// An occupied folder, a journal of other settings, or what [`Journal::read`] refuses.
    pub fn earlier(
        files: &AttackFolder,
        settings: &Settings,
        resume: bool,
    ) -> Result<Option<Earlier>, AttackFolderError> {
        let folder = || files.path().to_owned();
        if !resume && (files.journal_path().exists() || files.report_path().exists()) {
            return Err(AttackFolderError::Occupied(folder()));
        }
        let earlier = Self::read(files)?;
        match earlier.as_ref().and_then(|earlier| earlier.settings.difference(settings)) {
            Some(difference) => Err(AttackFolderError::OtherSettings { folder: folder(), difference }),
            None => Ok(earlier),
        }
    }

    /// The journal in `files`, whatever its settings; none where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, is of another version or has a line that is no entry.
    pub fn read(files: &AttackFolder) -> Result<Option<Earlier>, AttackFolderError> {
        let path = files.journal_path();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = storage::read(&path).map_err(ResultError::from)?;
        let head = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        let (head, rest) = bytes.split_at(head);
        match serde_json::from_slice::<Head>(head) {
            Ok(Head { format, settings }) if format == FORMAT => {
                Ok(Some(Earlier { settings, entries: entries(rest, &path)? }))
            }
            _ => Err(AttackFolderError::OtherVersion(files.path().to_owned())),
        }
    }

    /// A journal of `files` under `settings` that begins with `entries`.
    ///
    /// # Errors
    /// An unwritable file.
    pub fn begin(
        files: &AttackFolder,
        settings: &Settings,
        entries: &[Entry],
    ) -> Result<Self, AttackFolderError> {
        let path = files.journal_path();
        let head = Head { format: FORMAT.to_owned(), settings: settings.clone() };
        let mut text = serde_json::to_vec(&head).expect("plain values");
        text.push(b'\n');
        for entry in entries {
            text.extend(line(entry));
        }
        Ok(Self(AppendLog::begin(&path, &text).map_err(ResultError::from)?))
    }

    /// Appends `entry` and flushes it to the disk.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn append(&self, entry: &Entry) -> Result<(), AttackFolderError> {
        Ok(self.0.append_synced(&line(entry)).map_err(ResultError::from)?)
    }
}

/// One line of CSV, ended by a newline.
fn line(entry: &Entry) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    table
        .serialize((&entry.result, &entry.finding, &entry.source_sha256))
        .expect("flat fields, written to memory");
    table.into_inner().expect("memory takes every byte")
}

/// The whole lines of `text`, what follows the first line of the journal at `path`.
fn entries(text: &[u8], path: &Path) -> Result<Vec<Entry>, AttackFolderError> {
    let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let table = csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..end]);
    let entries: Result<_, csv::Error> = table.into_deserialize().collect();
    entries.map_err(|error| ResultError::garbled(path, error).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Label;
    use serde_json::json;

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
        Entry { result, finding, source_sha256: "cd".to_owned() }
    }

    fn settings(seed: u64) -> Settings {
        serde_json::from_value(json!({ "params": { "seed": seed }, "data": "faces" })).unwrap()
    }

    fn same(a: &Entry, b: &Entry) -> bool {
        line(a) == line(b)
    }

    #[test]
    fn what_was_appended_is_found_again_and_a_torn_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let files = AttackFolder::new(folder.path());
        assert!(Journal::earlier(&files, &settings(0), false).unwrap().is_none());
        let journal = Journal::begin(&files, &settings(0), &[]).unwrap();
        journal.append(&entry(3)).unwrap();
        journal.append(&entry(1)).unwrap();
        drop(journal);
        let found = || Journal::earlier(&files, &settings(0), true).unwrap().unwrap().entries;
        for torn in 1..line(&entry(1)).len() {
            let whole = std::fs::read(files.journal_path()).unwrap();
            std::fs::write(files.journal_path(), &whole[..whole.len() - torn]).unwrap();
            let found = found();
            assert_eq!(found.len(), 1, "{torn} bytes torn off");
            assert!(same(&found[0], &entry(3)));
            std::fs::write(files.journal_path(), &whole).unwrap();
        }
        assert_eq!(found().len(), 2);
        assert!(same(&found()[1], &entry(1)));
    }

    #[test]
    fn another_run_is_neither_overwritten_nor_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let files = AttackFolder::new(folder.path());
        drop(Journal::begin(&files, &settings(0), &[]).unwrap());
        let occupied = Journal::earlier(&files, &settings(0), false).unwrap_err();
        assert!(matches!(occupied, AttackFolderError::Occupied(_)));
        let other = Journal::earlier(&files, &settings(1), true).unwrap_err().to_string();
        assert!(other.contains("seed was 0 and is 1"), "{other}");
    }

    #[test]
    fn a_journal_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = AttackFolder::new(folder.path());
        // The first one's head was a hash; the lines then had other fields, in other places.
        let first = "f2b6538b7084ce29\n0,fake,0.5,-0.25,true,17,4,0.25,0.5,a.png,ab,cd,square,true,false,0,0.0,false,0,0,0\n";
        let unnamed = "{\"params\":{\"seed\":0},\"data\":\"faces\"}\n";
        let later = "{\"format\":\"dfrt journal 3\",\"settings\":{\"params\":{\"seed\":0}}}\n";
        for text in [first, unnamed, later, ""] {
            std::fs::write(files.journal_path(), text).unwrap();
            let refused = Journal::earlier(&files, &settings(0), true).unwrap_err();
            assert!(matches!(refused, AttackFolderError::OtherVersion(_)), "{text:?}: {refused}");
        }
    }

    #[test]
    fn a_damaged_line_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let files = AttackFolder::new(folder.path());
        drop(Journal::begin(&files, &settings(0), &[entry(0), entry(1)]).unwrap());
        let text = std::fs::read_to_string(files.journal_path()).unwrap();
        std::fs::write(files.journal_path(), text.replacen(",17,", ",seventeen,", 1)).unwrap();
        let refused = Journal::earlier(&files, &settings(0), true).unwrap_err().to_string();
        assert!(refused.contains("journal.csv: cannot be understood"), "{refused}");
    }
}
