//! Counts of a manifest.

use super::Manifest;
use crate::sample::{Label, Split};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

impl Manifest {
    /// How many pictures and groups each split, subset and label has.
    pub fn summary(&self) -> Summary {
        let mut groups: BTreeMap<_, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for sample in &self.samples {
            let part = (sample.split, sample.subset.clone(), sample.label);
            let count = groups.entry(part).or_default();
            count.0 += 1;
            count.1.insert(&sample.group);
        }
        let parts = groups.into_iter().map(|((split, subset, label), (pictures, groups))| Part {
            split,
            subset,
            label,
            pictures,
            groups: groups.len(),
        });
        Summary { parts: parts.collect(), skipped: self.skipped.len() }
    }
}

/// One line of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The split.
    pub split: Split,
    /// The subset.
    pub subset: String,
    /// The label.
    pub label: Label,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of groups (videos, persons).
    pub groups: usize,
}

/// Counts of a manifest; its `Display` is a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// By split, subset and label.
    pub parts: Vec<Part>,
    /// Entries skipped while reading.
    pub skipped: usize,
}

impl Summary {
    /// Pictures of one split and label.
    pub fn count(&self, split: Split, label: Label) -> usize {
        let of = self.parts.iter().filter(|part| part.split == split && part.label == label);
        of.map(|part| part.pictures).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parts.iter().map(|part| part.subset.chars().count());
        let width = names.max().unwrap_or(0).max("subset".len());
        writeln!(
            out,
            "{:5}  {:width$}  {:5}  {:>8}  {:>6}",
            "split", "subset", "label", "pictures", "groups"
        )?;
        for Part { split, subset, label, pictures, groups } in &self.parts {
            let (split, label) = (split.to_string(), label.to_string());
            writeln!(out, "{split:5}  {subset:width$}  {label:5}  {pictures:>8}  {groups:>6}")?;
        }
        if self.skipped > 0 {
            writeln!(out, "{} entries passed over", self.skipped)?;
        }
        Ok(())
    }
}
