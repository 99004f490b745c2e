//! A folder of pictures or videos that are all of one class: somebody's own photographs,
//! or what one generator made. It has no list and no splits; the user says what it is.

use super::tree::{self, Step};
use super::{Media, foreign};
use crate::data::manifest::{Label, Manifest, ManifestError, Sample, Split};
use std::path::Path;

/// What the files below a folder are.
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
    /// Every picture or video below `dir`. Each is a group of its own, called by its path
    /// without the ending: nothing tells who is in it.
    ///
    /// # Errors
    /// Where there is none.
    pub fn read(&self, dir: &Path, media: Media) -> Result<Manifest, ManifestError> {
        if !dir.is_dir() {
            return Err(ManifestError::Missing { path: dir.to_owned() });
        }
        let (mut samples, mut skipped) = (Vec::new(), Vec::new());
        tree::walk(dir, &mut skipped, |entry| {
            if entry.is_folder {
                return Ok(Step::On);
            }
            if !entry.is_file || !media.holds(entry.path) {
                return Ok(Step::Pass(foreign(media)));
            }
            let name = entry.parts.join("/");
            let group = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            samples.push(Sample::new(entry.path, self.label, &*self.subset, group, self.split));
            Ok(Step::On)
        })?;
        if samples.is_empty() {
            let expected = "pictures below it";
            return Err(ManifestError::Empty { path: dir.to_owned(), passed_over: skipped.len(), expected });
        }
        Ok(Manifest::new(samples, skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_is_of_one_class() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.jpg", "more/b.PNG", "more/notes.txt", ".hidden/c.png", "film.mp4"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"never opened").unwrap();
        }
        let flat = Flat { label: Label::Fake, split: Split::Test, subset: "diffusion".to_owned() };
        let pictures = flat.read(dir.path(), Media::Pictures).unwrap();
        let groups: Vec<_> = pictures.samples.iter().map(|sample| sample.group.as_str()).collect();
        assert_eq!(groups, ["a", "more/b"]);
        assert!(
            pictures.samples.iter().all(|sample| (sample.label, sample.split) == (Label::Fake, Split::Test))
        );
        assert!(pictures.samples.iter().all(|sample| sample.subset == "diffusion"));
        assert_eq!(pictures.skipped.len(), 2, "{:?}", pictures.skipped);
        assert_eq!(flat.read(dir.path(), Media::Videos).unwrap().samples.len(), 1);
        let empty = tempfile::tempdir().unwrap();
        assert!(
            flat.read(empty.path(), Media::Pictures).unwrap_err().to_string().contains("holds no picture")
        );
    }
}
