//! Options for reading a list.

use crate::data::grouping::Grouping;
use crate::data::manifest::Reach;
use crate::sample::{Label, Split};
use std::path::PathBuf;

/// Options for reading a list.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// The folder that relative paths start from; the list's own folder if `None`.
    pub root: Option<PathBuf>,
    /// How far relative paths may go.
    pub reach: Reach,
    /// The name of the column of paths; found by usual names if `None`.
    pub path_column: Option<String>,
    /// The name of the column of labels; found by usual names if `None`.
    pub label_column: Option<String>,
    /// Labels that mean fake; all others mean real, unless `real` is given too.
    pub fake: Vec<String>,
    /// Labels that mean real; all others mean fake, unless `fake` is given too.
    pub real: Vec<String>,
    /// The class of all pictures, instead of a column.
    pub label: Option<Label>,
    /// The split of all pictures, instead of a column.
    pub split: Option<Split>,
    /// The subset of all pictures, instead of a column.
    pub subset: Option<String>,
    /// The rule by which pictures are grouped.
    pub grouping: Grouping,
    /// The seed of drawn splits.
    pub seed: u64,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            root: None,
            reach: Reach::Folder,
            path_column: None,
            label_column: None,
            fake: Vec::new(),
            real: Vec::new(),
            label: None,
            split: None,
            subset: None,
            grouping: Grouping::Auto,
            seed: 0,
        }
    }
}
