//! What a crate's imports are checked for: those that run up, and those in a circle.

use crate::imports::Import;
use std::collections::{BTreeMap, BTreeSet};

/// The imports of a floor above one's own; `floors` stand in order, and the crate's root above
/// all of them.
pub fn upward<'a>(imports: &'a [Import], floors: &[&str]) -> Vec<&'a Import> {
    let height = |file: &str| {
        let top = file.split('/').next();
        floors.iter().position(|floor| Some(*floor) == top).unwrap_or(floors.len())
    };
    imports.iter().filter(|import| height(&import.to) > height(&import.from)).collect()
}

/// The largest sets of files that lead to each other, each with the imports in it.
pub fn circles(imports: &[Import]) -> Vec<Vec<&Import>> {
    let mut imported: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Import { from, to, .. } in imports {
        imported.entry(from).or_default().push(to);
    }
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, directly) in &imported {
        let (mut found, mut ahead) = (BTreeSet::new(), directly.clone());
        while let Some(next) = ahead.pop() {
            if found.insert(next) {
                ahead.extend(imported.get(next).into_iter().flatten());
            }
        }
        reach.insert(file, found);
    }
    let leads = |from: &str, to: &str| reach.get(from).is_some_and(|found| found.contains(to));
    let mut by_first: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in imports.iter().filter(|import| leads(&import.to, &import.from)) {
        let around = |file: &&&str| leads(&import.from, file) && leads(file, &import.from);
        let first = reach.keys().find(around).expect("a circle has a first file");
        by_first.entry(first).or_default().push(import);
    }
    by_first.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(arrows: &[(&str, &str)]) -> Vec<Import> {
        let import = |&(from, to): &(&str, &str)| Import {
            from: from.to_owned(),
            to: to.to_owned(),
            path: String::new(),
        };
        arrows.iter().map(import).collect()
    }

    #[test]
    fn an_import_of_a_floor_above_runs_up() {
        let found =
            imports(&[("low/a", "low/b"), ("high", "low/a"), ("low", "high/a"), ("high", ""), ("", "low")]);
        let up = upward(&found, &["low", "high"]);
        assert_eq!(up, [&found[2], &found[3]]);
    }

    #[test]
    fn files_that_lead_to_each_other_are_a_circle() {
        let found = imports(&[
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
            ("c", "d"),
            ("d", "e"),
            ("e", "d"),
            ("e", "f"),
            ("g", "a"),
        ]);
        let circles = circles(&found);
        assert_eq!(circles, [vec![&found[0], &found[1], &found[2]], vec![&found[4], &found[5]]]);
        assert!(super::circles(&imports(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
    }
}
