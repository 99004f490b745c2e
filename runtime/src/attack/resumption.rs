//! What an attack that goes on may keep of an earlier run: a picture is known by the content
//! of its file, and what was saved of it must lie there as it was saved.

use super::trial::Subject;
use crate::results::attack::folder::{AttackFolder, AttackFolderError, Side};
use crate::results::attack::journal::Entry;
use crate::storage;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a run knows of its files, so that the stages and rounds of a suite look at each once.
#[derive(Debug, Default)]
pub struct Memory {
    /// The SHA-256 of the pictures' files; empty of those that cannot be read.
    contents: Mutex<HashMap<PathBuf, String>>,
    /// The folders and the numbers of the pictures that were found or made in them.
    intact: Mutex<HashSet<(PathBuf, u64)>>,
}

impl Memory {
    fn content(&self, path: &Path) -> String {
        let known = || self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(path).cloned();
        found.unwrap_or_else(|| {
            let content = storage::sha256_of_file(path).unwrap_or_default();
            known().insert(path.to_owned(), content.clone());
            content
        })
    }

    /// Whether the entry `id` in `folder` was found or made by this run.
    fn is_intact(&self, folder: &Path, id: u64) -> bool {
        let intact = self.intact.lock().unwrap_or_else(PoisonError::into_inner);
        intact.contains(&(folder.to_owned(), id))
    }

    /// From now on the entry `id` in `folder` is this run's.
    pub(super) fn keep(&self, folder: &Path, id: u64) {
        self.intact.lock().unwrap_or_else(PoisonError::into_inner).insert((folder.to_owned(), id));
    }
}

/// Of the `entries` of an earlier run those that are still true, and how many are not: the
/// entries of `subjects` whose pictures are the same to the byte and were saved as they lie
/// there, and those of other pictures. What `memory` knows is not looked at again.
///
/// # Errors
/// The pictures have other places than they had: a picture's place is the key of its draws
/// and the name of its files, so that nothing of the earlier run would fit.
pub(super) fn still_true(
    files: &AttackFolder,
    entries: Vec<Entry>,
    subjects: &[Subject],
    memory: &Memory,
) -> Result<(Vec<Entry>, usize), AttackFolderError> {
    let subjects: HashMap<u64, &Subject> = subjects.iter().map(|subject| (subject.id, subject)).collect();
    let unchecked = |entry: &&Entry| {
        let subject = subjects.get(&entry.result.id).copied();
        subject.filter(|subject| !memory.is_intact(files.path(), subject.id))
    };
    let changed: BTreeMap<u64, Changed<'_>> = entries
        .par_iter()
        .filter_map(|entry| {
            let subject = unchecked(&entry)?;
            let content = memory.content(&subject.sample.path);
            let same = !content.is_empty() && content == entry.source_sha256;
            (!same).then_some((subject.id, Changed { entry, subject, content }))
        })
        .collect();
    if let Some(difference) = other_places(&changed) {
        return Err(AttackFolderError::OtherPictures { folder: files.path().to_owned(), difference });
    }
    let holds = |entry: &Entry| match unchecked(&entry) {
        Some(subject) => {
            let known = !changed.contains_key(&subject.id);
            known && entry.result.label == subject.sample.label && is_saved(files, entry)
        }
        None => true,
    };
    let held: Vec<bool> = entries.par_iter().map(holds).collect();
    let all = entries.len();
    let kept = entries.into_iter().zip(held).filter(|(_, holds)| *holds).map(|(mut entry, _)| {
        if let Some(subject) = subjects.get(&entry.result.id) {
            memory.keep(files.path(), subject.id);
            // It may have been moved.
            entry.result.path = subject.shown();
        }
        entry
    });
    let kept: Vec<Entry> = kept.collect();
    let changed = all - kept.len();
    Ok((kept, changed))
}

/// A picture that is not what it was.
struct Changed<'a> {
    entry: &'a Entry,
    subject: &'a Subject,
    content: String,
}

/// How the places of the pictures have changed, by the first of the `changed` ones; none
/// where each was replaced under its name. Files that were numbered anew keep every name and
/// are known by where their content lies now.
fn other_places(changed: &BTreeMap<u64, Changed<'_>>) -> Option<String> {
    let lies: HashMap<&str, u64> = changed.iter().map(|(&id, one)| (one.content.as_str(), id)).collect();
    changed.iter().find_map(|(id, Changed { entry, subject, .. })| {
        let (was, is) = (&entry.result.path, subject.shown());
        match lies.get(entry.source_sha256.as_str()) {
            Some(place) => Some(format!("number {id}, {was}, is number {place} now")),
            None if *was != is => Some(format!("number {id} was {was} and is {is} now")),
            None => None,
        }
    })
}

/// Whether an entry's pictures lie there as they were saved.
fn is_saved(files: &AttackFolder, entry: &Entry) -> bool {
    let Entry { result, finding, .. } = entry;
    let saved = |side, sha256: &str| {
        let path = files.picture_path(side, result.id);
        storage::sha256_of_file(&path).is_ok_and(|found| found == sha256)
    };
    !finding.attacked
        || saved(Side::Clean, &result.clean_sha256) && saved(Side::Adversarial, &result.adv_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::attack::SampleResult;
    use crate::results::attack::journal::Finding;
    use crate::sample::{Label, Sample, Split};

    /// Subjects with the files `names` in `folder`, in that order.
    fn subjects(folder: &Path, names: &[&str]) -> Vec<Subject> {
        let subject = |(id, name): (usize, &&str)| {
            let sample =
                Sample::new(folder.join(name), Label::Real, String::new(), (*name).to_owned(), Split::Test);
            Subject { id: id as u64, sample }
        };
        names.iter().enumerate().map(subject).collect()
    }

    /// What a run finds that the model decides wrongly, so that nothing is saved.
    fn entries(subjects: &[Subject]) -> Vec<Entry> {
        let entry = |subject: &Subject| Entry {
            result: SampleResult {
                id: subject.id,
                label: subject.sample.label,
                clean_logit: 1.0,
                adv_logit: 1.0,
                success: false,
                queries: 0,
                linf_255: 0,
                l2: 0.0,
                seconds: 0.0,
                path: subject.shown(),
                clean_sha256: String::new(),
                adv_sha256: String::new(),
                attack: String::new(),
                distance: None,
                queries_to_success: None,
            },
            finding: Finding::default(),
            source_sha256: storage::sha256_of_file(&subject.sample.path).unwrap(),
        };
        subjects.iter().map(entry).collect()
    }

    fn data(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), name).unwrap());
        folder
    }

    fn resumed(earlier: Vec<Entry>, now: &[Subject]) -> Result<(Vec<u64>, usize), String> {
        let files = AttackFolder::new(Path::new("attack"));
        let found = still_true(&files, earlier, now, &Memory::default());
        let (kept, changed) = found.map_err(|error| error.to_string())?;
        Ok((kept.iter().map(|entry| entry.result.id).collect(), changed))
    }

    #[test]
    fn a_shifted_data_set_is_refused() {
        let folder = data(&["a", "b", "c"]);
        let earlier = || entries(&subjects(folder.path(), &["a", "b", "c"]));
        std::fs::write(folder.path().join("0"), "0").unwrap();
        let refused = resumed(earlier(), &subjects(folder.path(), &["0", "a", "b", "c"])).unwrap_err();
        assert!(refused.contains("number 0, ") && refused.contains("a, is number 1 now"), "{refused}");
        // One is missing at the front.
        let refused = resumed(earlier(), &subjects(folder.path(), &["b", "c"])).unwrap_err();
        assert!(refused.contains("on other pictures: number 0 was "), "{refused}");
        // One more at the end has moved none.
        let now = subjects(folder.path(), &["a", "b", "c", "0"]);
        assert_eq!(resumed(earlier(), &now), Ok((vec![0, 1, 2], 0)));
    }

    #[test]
    fn a_data_set_that_was_numbered_anew_is_refused() {
        let folder = data(&["0", "1", "2"]);
        let now = subjects(folder.path(), &["0", "1", "2"]);
        let earlier = entries(&now);
        for (name, content) in [("0", "new"), ("1", "0"), ("2", "1")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let refused = resumed(earlier, &now).unwrap_err();
        assert!(refused.contains("0, is number 1 now"), "{refused}");
    }

    #[test]
    fn a_picture_that_was_replaced_under_its_name_alone_is_judged_anew() {
        let folder = data(&["a", "b", "c"]);
        let now = subjects(folder.path(), &["a", "b", "c"]);
        let earlier = entries(&now);
        // By another one of the set, which stays where it was.
        std::fs::write(folder.path().join("b"), "c").unwrap();
        assert_eq!(resumed(earlier.clone(), &now), Ok((vec![0, 2], 1)));
        std::fs::remove_file(folder.path().join("b")).unwrap();
        assert_eq!(resumed(earlier, &now), Ok((vec![0, 2], 1)));
    }

    #[test]
    fn a_moved_data_set_is_the_same_and_each_file_is_read_once() {
        let (folder, moved) = (data(&["a", "b"]), data(&["a", "b"]));
        let earlier = entries(&subjects(folder.path(), &["a", "b"]));
        let now = subjects(moved.path(), &["a", "b"]);
        let memory = Memory::default();
        let check = |folder: &str| {
            let files = AttackFolder::new(Path::new(folder));
            still_true(&files, earlier.clone(), &now, &memory).unwrap()
        };
        let (kept, changed) = check("stages/one");
        assert_eq!((kept.len(), changed), (2, 0));
        assert_eq!(kept[1].result.path, moved.path().join("b").to_string_lossy());
        // Of the second stage the files are not read again.
        drop(moved);
        assert_eq!(check("stages/two").1, 0);
    }
}
