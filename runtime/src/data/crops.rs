//! The names of files in a folder of extracted crops.

/// The manifest of the crops.
pub const MANIFEST: &str = "manifest.csv";
/// The journal of their extraction.
pub const JOURNAL: &str = "extract.jsonl";
