//! What the user says about a list.

use crate::data::grouping::Grouping;
use crate::data::manifest::Reach;
use crate::sample::{Label, Split};
use std::path::PathBuf;

/// What the user says about a list.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The folder that its relative paths start from; its own where none is named.
    pub root: Option<PathBuf>,
    /// How far these may go.
    pub reach: Reach,
    /// The column of the paths.
    pub path_column: Option<String>,
    /// The column of the labels.
    pub label_column: Option<String>,
    /// Labels that mean fake; all others mean real, unless these are named, too.
    pub fake: Vec<String>,
    /// Labels that mean real; all others mean fake, unless these are named, too.
    pub real: Vec<String>,
    /// The class of all pictures.
    pub label: Option<Label>,
    /// The split of all pictures.
    pub split: Option<Split>,
    /// The subset of all pictures.
    pub subset: Option<String>,
    /// The rule by which pictures are grouped.
    pub grouping: Grouping,
    /// Names the draw of splits.
    pub seed: u64,
}

impl Default for Asked {
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
