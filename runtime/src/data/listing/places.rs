//! Finds the pictures of a list: the separator of its paths, the folder that they start from, and
//! what the folders mean.

use super::columns::Row;
use super::options::ListOptions;
use crate::data::folders::{Contradiction, FolderMeaning, Folders};
use crate::data::grouping::Place;
use crate::data::manifest::{ManifestError, Reach};
use crate::data::media::Media;
use crate::data::place;
use crate::sample::{Sample, Split};
use std::path::{Path, PathBuf};

/// The pictures of a list on the disk.
pub(super) struct Paths {
    /// One for each row; `None` where it is skipped.
    pub found: Vec<Option<PathBuf>>,
    /// A line for each skipped row.
    pub skipped: Vec<String>,
}

impl Paths {
    /// Finds the pictures `texts` of the list at `path`.
    ///
    /// # Errors
    /// A path leaves the folder though it must not, or no picture exists.
    pub fn of(
        path: &Path,
        rows: &[Row],
        texts: &[&str],
        options: &ListOptions,
    ) -> Result<Self, ManifestError> {
        let own = path.parent().unwrap_or(Path::new(""));
        let root = options.root.as_deref().unwrap_or(own);
        let (mut found, mut skipped) = (Vec::with_capacity(texts.len()), Vec::new());
        let mut missing = 0;
        for (row, text) in rows.iter().zip(texts) {
            let whole = at(root, text, options.reach).map_err(|reason| ManifestError::Line {
                path: path.to_owned(),
                line: row.line,
                reason,
            })?;
            let reason = if !whole.is_file() {
                missing += 1;
                Some("in the list, but missing".to_owned())
            } else if Media::Videos.holds(&whole) {
                Some("a video, not a picture".to_owned())
            } else {
                None
            };
            skipped.extend(reason.iter().map(|reason| format!("{text}: {reason}")));
            found.push(reason.is_none().then_some(whole));
        }
        if missing == texts.len() {
            let first = at(root, texts[0], options.reach).unwrap_or_default();
            let reason = format!(
                "none of its {missing} pictures is there, the first looked for as {}; name the folder that its paths \
                start from with --root",
                first.display()
            );
            return Err(ManifestError::Ambiguous { path: path.to_owned(), reason });
        }
        Ok(Self { found, skipped })
    }
}

/// The file that `text` names below `root`. A backslash separates folders unless a file's name
/// contains one.
fn at(root: &Path, text: &str, reach: Reach) -> Result<PathBuf, String> {
    let mut relative = PathBuf::from(text);
    if text.contains('\\') && !root.join(&relative).is_file() {
        relative = PathBuf::from(text.replace('\\', "/"));
    }
    if reach == Reach::Folder && relative.is_relative() && place::climbs_out(&relative) {
        return Err(format!(
            "the path {text:?} climbs out of the list's folder; pass --climb if you trust the list"
        ));
    }
    Ok(root.join(relative))
}

/// What the folders of the pictures mean, one for each row.
pub(super) struct FolderMeanings {
    pub meanings: Vec<Result<FolderMeaning, Contradiction>>,
    /// For absolute paths, a split in the name of a folder above all pictures: it may be
    /// unrelated to them.
    pub above: Option<Split>,
}

impl FolderMeanings {
    /// From the paths `texts`.
    ///
    /// # Errors
    /// A folder's name can mean two splits.
    pub fn of(texts: &[&str]) -> Result<Self, String> {
        let slashed = |text: &&str| text.replace('\\', "/");
        let folders =
            |text: String| text.rsplit_once('/').map(|(folders, _)| folders.to_owned()).unwrap_or_default();
        let mut all: Vec<String> = texts.iter().map(slashed).map(folders).collect();
        let absolute = texts.iter().all(|text| Path::new(text).is_absolute());
        let mut above = None;
        if absolute && let Some(first) = all.first() {
            let mut shared: Vec<String> = first.split('/').map(str::to_owned).collect();
            for folders in &all {
                let same = shared.iter().zip(folders.split('/')).take_while(|(a, b)| a == b).count();
                shared.truncate(same);
            }
            above = shared.iter().rev().find_map(|part| part.parse().ok());
            for folders in &mut all {
                *folders = folders.split('/').skip(shared.len()).collect::<Vec<_>>().join("/");
            }
        }
        let known = Folders::of(all.iter().map(String::as_str))?;
        Ok(Self { meanings: all.iter().map(|folders| known.meaning(folders)).collect(), above })
    }

    /// The rows at `places` alone.
    pub fn only(self, places: &[usize]) -> Self {
        Self { meanings: places.iter().map(|&at| self.meanings[at].clone()).collect(), above: self.above }
    }
}

/// The place of each of `samples` below their common folder, without the folders of its class and
/// split.
///
/// # Errors
/// A folder's name can mean two splits.
pub(super) fn places(samples: &[Sample]) -> Result<Vec<Place>, String> {
    let here = place::working_folder();
    let common = place::common_folder(&here, samples.iter().map(|sample| sample.path.as_path()));
    let below = |sample: &Sample| {
        let whole = place::absolute(&here, &sample.path);
        let below = whole.strip_prefix(&common).unwrap_or(&whole);
        let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let file = parts.pop().unwrap_or_default();
        (parts.join("/"), file)
    };
    let below: Vec<(String, String)> = samples.iter().map(below).collect();
    let known = Folders::of(below.iter().map(|(folders, _)| &**folders))?;
    let of = |(sample, (folders, file)): (&Sample, (String, String))| {
        let (above, folders) = match known.meaning(&folders) {
            Ok(meaning) if meaning.label.is_none() || meaning.label == Some(sample.label) => {
                (meaning.above, meaning.below)
            }
            _ => (String::new(), folders),
        };
        Place { label: sample.label, above, folders, file }
    };
    Ok(samples.iter().zip(below).map(of).collect())
}
