//! audit.json as a report reads it: what the audit of a data set ([`crate::audit`], which writes more)
//! found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the file in a study's folder.
pub const FILE: &str = "audit.json";

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audited {
    /// What was audited.
    pub data: AuditedData,
    /// The worst verdict: "ok", "note", "warning", "leak" or "error".
    pub verdict: String,
    /// One for each check.
    pub findings: Vec<AuditFinding>,
}

/// What was audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditedData {
    /// The hash of the manifest.
    pub sha256: String,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of pictures inspected.
    pub looked_at: usize,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFinding {
    /// The check.
    pub check: String,
    /// "ok", "note", "warning", "leak" or "error".
    pub verdict: String,
    /// What was found, in a sentence.
    pub what: String,
}

impl Audited {
    /// The findings with one of these verdicts.
    pub fn with<'a>(&'a self, verdicts: &'a [&str]) -> impl Iterator<Item = &'a AuditFinding> {
        self.findings.iter().filter(|finding| verdicts.contains(&finding.verdict.as_str()))
    }

    /// The findings by which figures are wrong: test pictures in the training, wrong labels or files.
    pub fn severe(&self) -> impl Iterator<Item = &AuditFinding> {
        self.with(&["leak", "error"])
    }
}
