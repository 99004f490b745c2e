//! Where the pictures of a list lie: whose separators its paths have, which folder they start
//! from, and what the folders say.

use super::{Asked, Row};
use crate::data::grouping::Place;
use crate::data::layouts::Media;
use crate::data::manifest::{ManifestError, Reach, Sample, Split};
use crate::data::{naming, place};
use std::path::{Path, PathBuf};

/// The pictures of a list on the disk.
pub(super) struct Paths {
    /// A row each; none where it is passed over.
    pub found: Vec<Option<PathBuf>>,
    /// A line for each that is passed over.
    pub skipped: Vec<String>,
}

impl Paths {
    /// Looks for the pictures called `texts` of the list at `path`.
    ///
    /// # Errors
    /// A path that leaves the folder though it may not, and where none is there.
    pub fn of(path: &Path, rows: &[Row], texts: &[&str], asked: &Asked) -> Result<Self, ManifestError> {
        let own = path.parent().unwrap_or(Path::new(""));
        let root = asked.root.as_deref().unwrap_or(own);
        let (mut found, mut skipped) = (Vec::with_capacity(texts.len()), Vec::new());
        let mut missing = 0;
        for (row, text) in rows.iter().zip(texts) {
            let whole = at(root, text, asked.reach).map_err(|reason| ManifestError::Line {
                path: path.to_owned(),
                line: row.line,
                reason,
            })?;
            let reason = if !whole.is_file() {
                missing += 1;
                Some("in the list, but missing".to_owned())
            } else if Media::Videos.holds(&whole) {
                Some("a video, no picture".to_owned())
            } else {
                None
            };
            skipped.extend(reason.iter().map(|reason| format!("{text}: {reason}")));
            found.push(reason.is_none().then_some(whole));
        }
        if missing == texts.len() {
            let first = at(root, texts[0], asked.reach).unwrap_or_default();
            let reason = format!(
                "none of its {missing} pictures is there, the first looked for as {}; name the folder that its paths \
                start from with --root",
                first.display()
            );
            return Err(ManifestError::Unclear { path: path.to_owned(), reason });
        }
        Ok(Self { found, skipped })
    }
}

/// The file that `text` names below `root`. A backslash parts folders where no file's name
/// holds it.
fn at(root: &Path, text: &str, reach: Reach) -> Result<PathBuf, String> {
    let mut relative = PathBuf::from(text);
    if text.contains('\\') && !root.join(&relative).is_file() {
        relative = PathBuf::from(text.replace('\\', "/"));
    }
    if reach == Reach::Folder && relative.is_relative() && place::climbs_out(&relative) {
        return Err(format!(
            "the path {text:?} climbs out of the list's folder; --climb allows that, if you trust the list"
        ));
    }
    Ok(root.join(relative))
}

/// The split that the folders of the relative path `text` name, where they name one.
pub(super) fn split(text: &str) -> Option<Split> {
    if Path::new(text).is_absolute() {
        // What stands above the data set is no word about it.
        return None;
    }
    let (folders, _) = text.rsplit_once(['/', '\\'])?;
    let mut named = folders.split(['/', '\\']).filter_map(|part| {
        // `training_real` says a class and a split.
        let beside_class = || naming::class(part).and_then(|_| naming::split(part)).map(|(split, _)| split);
        part.parse::<Split>().ok().or_else(beside_class)
    });
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}

/// Where each of `samples` lies below the folder that holds them all, its class's and its
/// split's folder left out.
pub(super) fn places(samples: &[Sample]) -> Vec<Place> {
    let here = place::working_folder();
    let common = place::common_folder(&here, samples.iter().map(|sample| sample.path.as_path()));
    let of = |sample: &Sample| {
        let whole = place::absolute(&here, &sample.path);
        let below = whole.strip_prefix(&common).unwrap_or(&whole);
        let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let file = parts.pop().unwrap_or_default();
        parts.retain(|part| part.parse::<Split>().is_err());
        let class = parts.iter().position(|part| naming::class(part) == Some(sample.label));
        let (above, folders) = match class {
            Some(at) => (parts[..at].join("/"), parts[at + 1..].join("/")),
            None => (String::new(), parts.join("/")),
        };
        Place { label: sample.label, above, folders, file }
    };
    samples.iter().map(of).collect()
}
