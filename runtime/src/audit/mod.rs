//! Audits a data set for what would make a detector's metrics wrong: files that cannot be read,
//! copies and people in two splits, classes that an encoder separates. It reads every picture,
//! changes nothing, and trains no detector.

pub mod association;
mod attributes;
mod balance;
mod copies;
mod exif;
mod files;
pub mod finding;
pub mod fingerprint;
pub mod header;
mod inspected;
pub mod inspection;
pub mod jpeg;
pub mod metadata;
mod near;
pub mod neighbours;
mod people;
#[cfg(test)]
mod planted;
pub mod shortcuts;
pub mod statistics;

pub use finding::{Case, Check, Finding, Verdict};
pub use inspected::Progress;

use crate::data::manifest::{self, Manifest, Part};
use crate::sample::{Sample, Split};
use crate::storage::{self, StorageError};
use inspected::inspect_all;
use serde::Serialize;
use shortcuts::Shortcut;
use std::path::Path;

/// audit.json: what was audited, the worst verdict, and a finding for every check.
///
/// - `data`: the set's path and hash (as in other results), its number of pictures, how many of
///   them were inspected, and how many of those could be read.
/// - `verdict`: the worst of all findings; `ok` < `note` < `warning` < `leak` < `error`.
/// - `findings`: one for each [`Check`], in its order (`faceapp` only where it applies): `check`,
///   `verdict`, `what` (a sentence), `advice` (absent where there is nothing to do), `figures`
///   (numbers by name) and `cases` (all of them: `paths` and a `note`). People, classes, subsets
///   and groups are those of the whole manifest, all others of the inspected pictures.
/// - `attributes`: how well each attribute of files and pixels alone separates real from fake,
///   see [`Shortcut`].
/// - `parts`: pictures and groups of every split, subset and label.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// What was audited.
    pub data: Data,
    /// The worst verdict.
    pub verdict: Verdict,
    /// One finding for each check.
    pub findings: Vec<Finding>,
    /// One entry for each attribute.
    pub attributes: Vec<Shortcut>,
    /// Pictures and groups of every split, subset and label.
    pub parts: Vec<Part>,
}

/// What was audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Data {
    /// The manifest or folder, as the user named it.
    pub path: String,
    /// [`Manifest::sha256`].
    pub sha256: String,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of pictures inspected.
    pub looked_at: usize,
    /// Number of inspected pictures that could be read.
    pub readable: usize,
}

impl Audit {
    /// The finding of `check`; `None` where it does not apply.
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// Writes audit.json to `path`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// # Panics
    /// Never: the figures of an audit can be written as JSON.
    pub fn write(&self, path: &Path) -> Result<(), StorageError> {
        let text = serde_json::to_string_pretty(self).expect("an audit is plain values");
        storage::write(path, format!("{text}\n").as_bytes())
    }

    /// Findings that are leaks or errors.
    pub fn severe(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.verdict.is_severe())
    }
}

/// Audits `manifest`, which `path` names: all pictures, or at most `limit` of each split,
/// balanced over the classes and the same ones each time. `progress` is called from many threads.
///
/// Each picture is read and decoded once, in parallel (possible copies twice); about 1.3 KiB of
/// it is kept. A picture that cannot be read is a finding. The result does not depend on the
/// number of threads.
pub fn audit(
    path: &str,
    manifest: &Manifest,
    limit: Option<usize>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Audit {
    let chosen: Vec<Sample> = match limit {
        None => manifest.samples.clone(),
        Some(limit) => {
            let splits = Split::ALL.into_iter();
            splits.flat_map(|split| manifest::limit(&manifest.split(split), limit, 0)).collect()
        }
    };
    let (mut inspected, bad) = inspect_all(&chosen, progress);
    copies::hash(&mut inspected, progress);
    let search = near::search(&inspected);
    let attributes = shortcuts::measure(&inspected);
    let mut findings = vec![
        files::unreadable(&bad, chosen.len()),
        files::passed_over(&manifest.skipped),
        files::extensions(&inspected),
        files::colours(&inspected),
    ];
    findings.extend(copies::check(&inspected));
    findings.push(near::check(&inspected, &search));
    findings.push(people::check(&manifest.samples));
    findings.extend(near::faceapp(&inspected, &search));
    findings.extend(balance::check(manifest));
    findings.extend(shortcuts::check(&attributes));
    Audit {
        data: Data {
            path: path.to_owned(),
            sha256: manifest.sha256(),
            pictures: manifest.samples.len(),
            looked_at: chosen.len(),
            readable: inspected.len(),
        },
        verdict: findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok),
        findings,
        attributes,
        parts: manifest.summary().parts,
    }
}

#[cfg(test)]
mod tests;
