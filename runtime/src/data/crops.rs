//! The files by which a folder of extracted crops is known.

/// The manifest of the crops.
pub const MANIFEST: &str = "manifest.csv";
/// The journal of their extraction.
pub const JOURNAL: &str = "extract.jsonl";
