//! A generated set with a planted defect, for tests of the complete audit.

use super::{Audit, Check, Verdict, audit};
use crate::data::layouts::{self, Media};
use crate::data::manifest::Manifest;
use crate::forgery::synth;
use crate::sample::{Label, Sample, Split};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// 520 generated pictures of 128 px, of 78 people in train, 20 in val and 32 in test.
pub static DRAWN: LazyLock<(TempDir, Manifest)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("faces");
    synth::draw(&out, 520, 128, 0, &|_, _| {}).unwrap();
    let manifest = layouts::read(&out, "folder", Media::Pictures).unwrap();
    (folder, manifest)
});

/// The generated set, with changes, and a folder for new files.
pub struct Planted {
    pub folder: TempDir,
    pub manifest: Manifest,
}

impl Planted {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), manifest: DRAWN.1.clone() }
    }

    /// Writes a new file into the folder.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn add(&mut self, name: &str, bytes: &[u8], label: Label, split: Split) {
        let path = self.file(name, bytes);
        let sample = Sample::new(path, label, label.to_string(), "somebody", split);
        self.manifest.samples.push(sample.showing(["somebody"]));
    }

    /// Replaces the pictures of `label` with new files from `make`.
    pub fn remake(&mut self, label: Label, name: &str, make: impl Fn(&Path) -> Vec<u8>) {
        for place in 0..self.manifest.samples.len() {
            let sample = &self.manifest.samples[place];
            if sample.label == label {
                let path = self.file(&format!("{place}/{name}"), &make(&sample.path));
                self.manifest.samples[place].path = path;
            }
        }
    }

    /// Removes all pictures of one person from test except one real; returns its bytes.
    pub fn leave_one_real(&mut self) -> Vec<u8> {
        let real = |sample: &Sample| sample.split == Split::Test && sample.label == Label::Real;
        let kept = self.manifest.samples.iter().find(|sample| real(sample)).unwrap().clone();
        let other = |sample: &Sample| sample.path == kept.path || sample.group != kept.group;
        self.manifest.samples.retain(other);
        std::fs::read(&kept.path).unwrap()
    }

    pub fn audit(&self) -> Audit {
        audit("planted", &self.manifest, None, &|_| {})
    }

    /// Audits, and asserts the verdicts `expected` and ok for all other checks.
    #[track_caller]
    pub fn finds(&self, expected: &[(Check, Verdict)]) -> Audit {
        let found = self.audit();
        let verdicts = found.findings.iter().map(|finding| (finding.check, finding.verdict));
        let bad: BTreeSet<_> = verdicts.filter(|(_, verdict)| *verdict > Verdict::Ok).collect();
        let lines: Vec<String> = found
            .findings
            .iter()
            .map(|finding| format!("{} {}: {}", finding.verdict, finding.check, finding.what))
            .collect();
        assert_eq!(bad, expected.iter().copied().collect(), "{lines:#?}");
        assert_eq!(found.verdict, bad.iter().map(|(_, verdict)| *verdict).max().unwrap_or(Verdict::Ok));
        for finding in &found.findings {
            assert_eq!(finding.advice.is_some(), finding.verdict > Verdict::Ok, "{finding:?}");
            assert!(!finding.what.is_empty() && !finding.what.contains('\n'));
        }
        found
    }
}
