//! A folder of pictures or videos that are all of one class, such as own photographs or the
//! output of one generator. It has no lists and no splits; the user gives label, split and
//! subset.

use super::tree::{self, Step};
use super::{Choices, foreign};
use crate::data::grouping::{self, Grouping, Place};
use crate::data::manifest::{Manifest, ManifestError};
use crate::sample::{Label, Sample, Split};
use std::path::Path;

/// The label, split and subset of all files below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// Their class.
    pub label: Label,
    /// Their split.
    pub split: Split,
    /// Their subset.
    pub subset: String,
}

impl Flat {
    /// Every picture or video below `dir`, grouped by its name.
    ///
    /// # Errors
    /// There is none, or the names allow several groupings.
    pub fn read(&self, dir: &Path, choices: &Choices) -> Result<Manifest, ManifestError> {
        let media = choices.media;
        if !dir.is_dir() {
            return Err(ManifestError::Missing { path: dir.to_owned() });
        }
        let (mut samples, mut places, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        tree::walk(dir, &mut skipped, |entry| {
            if entry.is_folder {
                return Ok(Step::Continue);
            }
            if !entry.is_file || !media.holds(entry.path) {
                return Ok(Step::Skip(foreign(media)));
            }
            let (&file, folders) = entry.parts.split_last().expect("an entry has a name");
            let (above, folders) = (String::new(), folders.join("/"));
            places.push(Place { label: self.label, above, folders, file: file.to_owned() });
            samples.push(Sample::new(entry.path, self.label, &*self.subset, "", self.split));
            Ok(Step::Continue)
        })?;
        if samples.is_empty() {
            let expected = "pictures below it";
            return Err(ManifestError::Empty { path: dir.to_owned(), passed_over: skipped.len(), expected });
        }
        let grouped = grouping::group(dir, &places, choices.grouping, choices.media)?;
        for (at, (sample, place)) in samples.iter_mut().zip(&places).enumerate() {
            let group = &grouped.groups[at];
            // With one class, equal names in two folders are unrelated.
            let folders = place.distinguishing_folders();
            let apart = !folders.is_empty() && !grouped.in_video[at] && choices.grouping != Grouping::File;
            sample.group = if apart { format!("{folders}/{group}") } else { group.clone() };
        }
        Ok(Manifest { rules: grouped.rules, ..Manifest::new(samples, skipped) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::layouts::Media;

    #[test]
    fn everything_below_is_of_one_class() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.jpg", "more/b.PNG", "more/notes.txt", ".hidden/c.png", "film.mp4"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"never opened").unwrap();
        }
        let flat = Flat { label: Label::Fake, split: Split::Test, subset: "diffusion".to_owned() };
        let pictures = flat.read(dir.path(), &Choices::of(Media::Pictures)).unwrap();
        let groups: Vec<_> = pictures.samples.iter().map(|sample| sample.group.as_str()).collect();
        assert_eq!(groups, ["a", "more/b"]);
        assert!(
            pictures.samples.iter().all(|sample| (sample.label, sample.split) == (Label::Fake, Split::Test))
        );
        assert!(pictures.samples.iter().all(|sample| sample.subset == "diffusion"));
        assert_eq!(pictures.skipped.len(), 2, "{:?}", pictures.skipped);
        assert_eq!(flat.read(dir.path(), &Choices::of(Media::Videos)).unwrap().samples.len(), 1);
        let empty = tempfile::tempdir().unwrap();
        assert!(
            flat.read(empty.path(), &Choices::of(Media::Pictures))
                .unwrap_err()
                .to_string()
                .contains("holds no picture")
        );
    }
}
