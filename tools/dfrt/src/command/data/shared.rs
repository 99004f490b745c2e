//! What several commands of `dfrt data` share: the option `--layout`, and their JSON object.

use dfrt_runtime::data::layouts::{self, LAYOUTS};
use dfrt_runtime::data::manifest::Manifest;
use serde_json::json;
use std::path::Path;
use std::str::FromStr;

/// The name of a layout, or `auto` for the one that is recognised.
#[derive(Debug, PartialEq, Eq)]
pub struct LayoutName(String);

impl LayoutName {
    const AUTO: &str = "auto";

    /// The name, as the layouts are asked for by it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LayoutName {
    fn default() -> Self {
        Self(Self::AUTO.to_owned())
    }
}

impl FromStr for LayoutName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = name == Self::AUTO || LAYOUTS.iter().any(|layout| layout.name() == name);
        let wrong = || format!("choose {} or one of {}", Self::AUTO, layouts::names());
        if known { Ok(Self(name.to_owned())) } else { Err(wrong()) }
    }
}

/// The JSON object about a manifest that was written to `out`.
pub fn summary(out: &Path, manifest: &Manifest) -> serde_json::Value {
    json!({
        "manifest": out,
        "pictures": manifest.samples.len(),
        "parts": manifest.summary().parts,
        "skipped": manifest.skipped.len(),
        "skipped_files": manifest.skipped,
        "rules": manifest.rules,
        "sha256": manifest.sha256(),
    })
}
