//! What folder names say about the files below them: class, split, and what else distinguishes
//! them. It is decided over the complete set: a folder that contains both classes
//! (`deepfake_dataset/real`, `deepfake_dataset/fake`) names no class, whatever it is called.

use super::naming::{self, SplitNames};
use crate::sample::{Label, Split};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The folders of a set.
pub(super) struct Folders {
    /// The folders that contain both classes, from the set's folder down.
    around: HashSet<String>,
    splits: SplitNames,
}

/// Label, split and remaining folders of a file, from its folders' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FolderMeaning {
    pub label: Option<Label>,
    pub split: Option<Split>,
    /// Whether the split is named by the class's own folder.
    pub split_of_class: bool,
    /// The folders above the class's, without what names the split; with slashes.
    pub above: String,
    /// The folders below the class's, or all folders where none names a class.
    pub below: String,
}

/// Folders that contradict each other: the index of the innermost one, from 0, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub at: usize,
    pub reason: &'static str,
}

fn parts(folders: &str) -> Vec<&str> {
    folders.split('/').filter(|part| !part.is_empty()).collect()
}

impl Folders {
    /// From `all` folders of a set; each is the path to a file, with slashes.
    ///
    /// # Errors
    /// A name can mean two splits.
    pub fn of<'a>(all: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let distinct: BTreeSet<&str> = all.collect();
        let splits = SplitNames::of(distinct.iter().flat_map(|folders| folders.split('/')))?;
        // For the path of each folder named after a class: its class, and the classes below it.
        let mut named: BTreeMap<String, (Label, BTreeSet<Label>)> = BTreeMap::new();
        for folders in distinct {
            let parts = parts(folders);
            let classes: Vec<(usize, Label)> =
                parts.iter().enumerate().filter_map(|(at, part)| Some((at, naming::class(part)?))).collect();
            for (place, &(at, label)) in classes.iter().enumerate() {
                let (_, below) = named.entry(parts[..=at].join("/")).or_insert((label, BTreeSet::new()));
                below.extend(classes[place + 1..].iter().map(|(_, label)| *label));
            }
        }
        let parent = |path: &str| path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
        let is_around = |path: &str, label: Label| {
            // `fake` next to `real` is a class, whatever is in it.
            let siblings = named.iter().filter(|(other, _)| parent(other) == parent(path));
            !siblings.into_iter().any(|(_, (other, below))| *other != label && below.len() < 2)
        };
        let around =
            named.iter().filter(|(path, (label, below))| below.len() == 2 && is_around(path, *label));
        Ok(Self { around: around.map(|(path, _)| path.clone()).collect(), splits })
    }

    /// What the `folders` of a file, with slashes, mean.
    ///
    /// # Errors
    /// They name two classes or two splits.
    pub fn meaning(&self, folders: &str) -> Result<FolderMeaning, Contradiction> {
        let parts = parts(folders);
        let class = |at: &usize| {
            naming::class(parts[*at]).filter(|_| !self.around.contains(&parts[..=*at].join("/")))
        };
        let classes: Vec<(usize, Label)> =
            (0..parts.len()).filter_map(|at| Some((at, class(&at)?))).collect();
        let first = classes.first().copied();
        if let Some((at, _)) = classes.iter().find(|(_, label)| Some(*label) != first.map(|(_, label)| label))
        {
            return Err(Contradiction { at: *at, reason: "a folder of one class within one of the other" });
        }
        let (above, below) = match first {
            Some((at, _)) => (&parts[..at], &parts[at + 1..]),
            None => (&[][..], &parts[..]),
        };
        let mut splits: Vec<(usize, Split)> = Vec::new();
        let mut left = Vec::new();
        for (at, part) in above.iter().enumerate() {
            match self.splits.plain(part).map(|split| (split, String::new())).or_else(|| naming::split(part))
            {
                Some((split, rest)) => {
                    splits.push((at, split));
                    left.push(rest);
                }
                None => left.push((*part).to_owned()),
            }
        }
        let named_above = !splits.is_empty();
        let own = first.and_then(|(at, _)| Some((at, naming::split(parts[at])?.0)));
        splits.extend(own);
        // A split is named directly below the class, or anywhere where there is no class.
        let looked_at = if first.is_some() { 1 } else { below.len() };
        let offset = parts.len() - below.len();
        let plain = |(at, part): (usize, &&str)| Some((at + offset, self.splits.plain(part)?));
        let plain: Vec<(usize, Split)> = below.iter().enumerate().take(looked_at).filter_map(plain).collect();
        splits.extend(&plain);
        if let Some((at, _)) = splits.iter().find(|(_, split)| *split != splits[0].1) {
            return Err(Contradiction { at: *at, reason: "in folders of two splits" });
        }
        left.retain(|part| !part.is_empty());
        let is_plain = |at: usize| plain.iter().any(|(place, _)| *place == at + offset);
        let below: Vec<&str> =
            below.iter().enumerate().filter(|(at, _)| !is_plain(*at)).map(|(_, part)| *part).collect();
        Ok(FolderMeaning {
            label: first.map(|(_, label)| label),
            split: splits.first().map(|(_, split)| *split),
            split_of_class: !named_above && plain.is_empty() && own.is_some(),
            above: left.join("/"),
            below: below.join("/"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(all: &[&str], folders: &str) -> Result<(Option<Label>, Option<Split>), Contradiction> {
        Folders::of(all.iter().copied())
            .unwrap()
            .meaning(folders)
            .map(|meaning| (meaning.label, meaning.split))
    }

    #[test]
    fn a_folder_that_contains_both_classes_names_none() {
        let wrapped = ["deepfake_dataset/real", "deepfake_dataset/fake/swap", "deepfake_dataset"];
        assert_eq!(meaning(&wrapped, wrapped[0]), Ok((Some(Label::Real), None)));
        assert_eq!(meaning(&wrapped, wrapped[1]), Ok((Some(Label::Fake), None)));
        assert_eq!(meaning(&wrapped, wrapped[2]), Ok((None, None)));
        // Both classes in a class that stands beside the other one contradict it.
        let siblings = ["fake/deepfakes", "fake/original", "real"];
        assert_eq!(meaning(&siblings, siblings[0]), Ok((Some(Label::Fake), None)));
        assert_eq!(meaning(&siblings, siblings[1]).unwrap_err().at, 1);
        assert_eq!(meaning(&["fake_faces/real"], "fake_faces/real").unwrap_err().at, 1);
    }

    #[test]
    fn splits_are_named_above_in_or_just_below_the_class() {
        let all = ["training/real", "dev/0_fake", "real/testing/a", "val_fake", "progan_val/real"];
        let expected = [Split::Train, Split::Val, Split::Test, Split::Val, Split::Val];
        for (folders, split) in all.iter().zip(expected) {
            assert_eq!(meaning(&all, folders).unwrap().1, Some(split), "{folders}");
        }
        assert_eq!(meaning(&["dev/real", "eval/real"], "eval/real").unwrap().1, Some(Split::Test));
        assert_eq!(meaning(&["x"], "train/real/test").unwrap_err().reason, "in folders of two splits");
        assert_eq!(meaning(&["x"], "clips/test/7"), Ok((None, Some(Split::Test))));
        assert!(
            Folders::of(["eval/real", "train/real"].into_iter()).is_err_and(|reason| reason.contains("eval"))
        );
        assert_eq!(meaning(&["eval/real", "test/real"], "eval/real").unwrap().1, Some(Split::Val));
    }
}
