//! What an attack that goes on may keep of an earlier run: a picture is known by the content
//! of its file, and what was saved of it must lie there as it was saved.

use super::dossier::{Dossier, DossierError, Side};
use super::journal::{Earlier, Entry};
use super::judge::Subject;
use crate::storage;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Of what an earlier run found, that which is still true: the entries of `subjects` whose
/// pictures are the same to the byte and were saved as they lie there, and those of other
/// pictures; and how many are not.
pub(super) fn still_true(
    dossier: &Dossier,
    earlier: Earlier,
    subjects: &[Subject],
    data: &str,
) -> Result<(Vec<Entry>, usize), DossierError> {
    let subjects: HashMap<u64, &Subject> = subjects.iter().map(|subject| (subject.id, subject)).collect();
    let same_data = earlier.settings.get("data").as_str() == Some(data);
    let checked: Vec<(Entry, bool)> = earlier
        .entries
        .into_par_iter()
        .map(|mut entry| {
            let Some(subject) = subjects.get(&entry.result.id) else { return Ok((entry, true)) };
            let now = content(&subject.sample.path);
            let same = !now.is_empty() && now == entry.source_sha256;
            if !same && !same_data {
                return Err(DossierError::OtherPictures {
                    folder: dossier.folder().to_owned(),
                    id: subject.id,
                    was: entry.result.path,
                    is: shown(subject),
                });
            }
            let holds = same && entry.result.label == subject.sample.label && is_saved(dossier, &entry);
            // It may have been moved.
            entry.result.path = shown(subject);
            Ok((entry, holds))
        })
        .collect::<Result<_, _>>()?;
    let all = checked.len();
    let kept: Vec<Entry> = checked.into_iter().filter(|(_, holds)| *holds).map(|(entry, _)| entry).collect();
    let changed = all - kept.len();
    Ok((kept, changed))
}

/// Whether an entry's pictures lie there as they were saved.
fn is_saved(dossier: &Dossier, entry: &Entry) -> bool {
    let Entry { result, finding, .. } = entry;
    let saved = |side, sha256: &str| {
        let path = dossier.picture_path(side, result.id);
        storage::sha256_of_file(&path).is_ok_and(|found| found == sha256)
    };
    !finding.attacked
        || saved(Side::Clean, &result.clean_sha256) && saved(Side::Adversarial, &result.adv_sha256)
}

/// The hash of a picture's file; empty where it cannot be read.
pub(super) fn content(path: &Path) -> String {
    storage::sha256_of_file(path).unwrap_or_default()
}

/// A subject's path, as results name it.
pub(super) fn shown(subject: &Subject) -> String {
    subject.sample.path.to_string_lossy().into_owned()
}
