//! What about a data set would make a detector's figures wrong: files that cannot be read,
//! copies and people in two splits, classes that an encoder tells apart. It reads every
//! picture once and judges the set; it changes nothing, and it trains no detector.

pub mod association;
mod attributes;
mod balance;
mod copies;
mod exif;
mod files;
pub mod finding;
pub mod fingerprint;
pub mod header;
pub mod inspection;
pub mod jpeg;
mod looked;
pub mod metadata;
mod near;
pub mod neighbours;
mod people;
#[cfg(test)]
mod planted;
pub mod shortcuts;
pub mod statistics;

pub use finding::{Case, Check, Finding, Verdict};
pub use looked::Progress;

use crate::data::manifest::{self, Manifest, Part};
use crate::sample::{Sample, Split};
use looked::look;
use serde::Serialize;
use shortcuts::Shortcut;

/// audit.json: what was audited, the worst verdict, and a finding for every check.
///
/// - `data`: the set's path and hash (as in other results), its pictures, how many of them
///   were looked at, and how many of those could be read.
/// - `verdict`: the worst of all findings; `ok` < `note` < `warning` < `leak` < `error`.
/// - `findings`: one for each [`Check`], in its order (`faceapp` only where it applies):
///   `check`, `verdict`, `what` (a sentence), `advice` (absent where all is well),
///   `figures` (numbers by name) and `cases` (all of them: `paths` and a `note`).
///   People, classes, subsets and groups are those of the whole manifest, all others of the
///   pictures looked at.
/// - `attributes`: how well each attribute of the files and pixels alone tells real from
///   fake, see [`Shortcut`].
/// - `parts`: pictures and groups of every split, subset and label.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// What was audited.
    pub data: Data,
    /// The worst verdict.
    pub verdict: Verdict,
    /// One for each check.
    pub findings: Vec<Finding>,
    /// One for each attribute.
    pub attributes: Vec<Shortcut>,
    /// What the set consists of.
    pub parts: Vec<Part>,
}

/// What was audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Data {
    /// The manifest or folder, as it was named.
    pub path: String,
    /// [`Manifest::sha256`].
    pub sha256: String,
    /// Pictures in it.
    pub pictures: usize,
    /// Pictures looked at.
    pub looked_at: usize,
    /// Those of them that could be read.
    pub readable: usize,
}

impl Audit {
    /// The finding of `check`; none where it does not apply.
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// Findings that are leaks or errors.
    pub fn grave(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.verdict.is_grave())
    }
}

/// Audits `manifest`, which `path` names: at most `limit` pictures of each split, balanced
/// over the classes and the same ones each time, else all. `progress` is called
/// from many threads.
///
/// Each picture is read and decoded once, in parallel (those that look exactly like another
/// one twice); about 1.3 KiB of it is kept. What cannot be read is a finding. The result does not depend on the number of threads.
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
    let (mut looked, bad) = look(&chosen, progress);
    copies::hash(&mut looked, progress);
    let search = near::search(&looked);
    let attributes = shortcuts::measure(&looked);
    let mut findings = vec![
        files::unreadable(&bad, chosen.len()),
        files::passed_over(&manifest.skipped),
        files::extensions(&looked),
        files::colours(&looked),
    ];
    findings.extend(copies::check(&looked));
    findings.push(near::check(&looked, &search));
    findings.push(people::check(&manifest.samples));
    findings.extend(near::faceapp(&looked, &search));
    findings.extend(balance::check(manifest));
    findings.extend(shortcuts::check(&attributes));
    Audit {
        data: Data {
            path: path.to_owned(),
            sha256: manifest.sha256(),
            pictures: manifest.samples.len(),
            looked_at: chosen.len(),
            readable: looked.len(),
        },
        verdict: findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok),
        findings,
        attributes,
        parts: manifest.summary().parts,
    }
}

#[cfg(test)]
mod tests;
