//! What a folder of results holds: one attack, a suite of attacks, or attacks at several
//! radii; never two of these.

use super::folder::{AttackFolder, STAGES};
use super::sweep;
use std::fmt;
use std::path::{Path, PathBuf};

/// A kind of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// An attack, or the beginning of one.
    Attack,
    /// A suite, with a folder for each of its attacks.
    Suite,
    /// An attack or a suite at several radii, with a folder for each.
    Sweep,
}

/// A folder holds more than one result.
#[derive(Debug, thiserror::Error)]
#[error("{}: holds two results, {first} and {second}; keep one of them, or make the attack again with another --out", folder.display())]
pub struct Mixed {
    folder: PathBuf,
    first: Contents,
    second: Contents,
}

impl Contents {
    /// The one kind of result that `folder` holds; none where there is none.
    ///
    /// # Errors
    /// Results were mixed.
    pub fn alone(folder: &Path) -> Result<Option<Self>, Mixed> {
        match Self::of(folder)[..] {
            [first, second, ..] => Err(Mixed { folder: folder.to_owned(), first, second }),
            [one] => Ok(Some(one)),
            [] => Ok(None),
        }
    }

    /// What `folder` holds; several where results were mixed, none where there is none.
    pub fn of(folder: &Path) -> Vec<Self> {
        let files = AttackFolder::new(folder);
        let begun = files.journal_path().exists();
        let suite = folder.join(STAGES).is_dir();
        let found = [
            (Self::Attack, begun || files.report_path().exists() && !suite),
            (Self::Suite, suite),
            (Self::Sweep, folder.join(sweep::FILE).exists() || !sweep::radii_in(folder).is_empty()),
        ];
        found.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Attack => "an attack at one radius (journal.csv, attack.json)",
            Self::Suite => "a suite (stages/)",
            Self::Sweep => "attacks at several radii (sweep.json, eps-*/)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage;

    #[test]
    fn each_kind_is_known_by_its_files_and_two_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let of = |files: &[&str]| {
            let folder = tempfile::tempdir_in(root.path()).unwrap();
            files.iter().for_each(|file| storage::write(&folder.path().join(file), b"").unwrap());
            Contents::of(folder.path())
        };
        assert_eq!(of(&["notes.txt"]), []);
        assert_eq!(of(&["journal.csv"]), [Contents::Attack]);
        assert_eq!(of(&["attack.json", "samples.csv"]), [Contents::Attack]);
        assert_eq!(of(&["attack.json", "stages/square/attack.json"]), [Contents::Suite]);
        assert_eq!(of(&["eps-2/stages/square/journal.csv"]), [Contents::Sweep]);
        assert_eq!(of(&["sweep.json", "eps-2/attack.json"]), [Contents::Sweep]);
        assert_eq!(of(&["eps-2/attack.json", "attack.json"]), [Contents::Attack, Contents::Sweep]);
        assert_eq!(of(&["journal.csv", "stages/square/journal.csv"]), [Contents::Attack, Contents::Suite]);
        assert_eq!(Contents::of(&root.path().join("absent")), []);
        assert_eq!(Contents::alone(&root.path().join("absent")).unwrap(), None);
        storage::write(&root.path().join("journal.csv"), b"").unwrap();
        assert_eq!(Contents::alone(root.path()).unwrap(), Some(Contents::Attack));
        storage::write(&root.path().join("eps-2/attack.json"), b"").unwrap();
        let mixed = Contents::alone(root.path()).unwrap_err().to_string();
        assert!(mixed.contains("at one radius") && mixed.contains("several radii"), "{mixed}");
    }
}
