//! Makes a data set of forgeries from real photographs, in the folder layout.

mod options;
mod plan;
mod subject;

pub use options::{ForgerySetError, ForgerySetOptions, Method, SplitBy};

use super::photographs::{Photographs, PhotographsError};
use crate::data::layouts::{self, Media};
use crate::data::manifest::Summary;
use crate::data::picture;
use crate::faces::landmarks;
use crate::forgery::{self, ForgeError, SelfBlend, SelfBlendSettings, SwapSettings};
use crate::random::stream;
use crate::sample::Label;
use crate::storage::{self, NewFolder, NewFolderError, StorageError};
use image::RgbImage;
use plan::Entry;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use subject::Subject;

/// The allowed sides of pictures, in pixels.
pub const SIZES: RangeInclusive<u32> = 32..=2048;
/// The most fakes made from one photograph.
pub const MAX_PER_PHOTO: usize = 100;
/// The content of a forgery set's folder, which may be replaced.
pub const PARTS: [&str; 6] = ["train", "val", "test", "split.csv", "manifest.csv", landmarks::LANDMARKS];

/// A forgery set that was made.
#[derive(Clone, Debug)]
pub struct ForgerySet {
    /// Counts of its pictures.
    pub summary: Summary,
    /// A line for each photograph or fake that was left out.
    pub passed_over: Vec<String>,
}

impl ForgerySetOptions {
    /// Makes the set from the photographs at `photos` in the folder `out`:
    /// `{train,val,test}/real/*.jpg`, `…/fake/{sbi,swap}/*.jpg`, `split.csv` with the target and
    /// donor of each picture, and `landmarks.json` with the faces of the reals. No person is in
    /// two splits, and donors are from the target's split and have its gender and ethnicity where
    /// these are known. Reals and fakes are decoded, cropped, resized and encoded in the same
    /// way, with qualities from one distribution.
    ///
    /// The same seed gives the same bytes on any number of threads. `progress` is called with
    /// (pictures done, all) from many threads. The folder appears only when it is complete.
    ///
    /// # Errors
    /// An option is out of range, no photograph can be used, there are too few people, or the
    /// folder is not empty or cannot be written. A photograph that cannot be read is skipped.
    pub fn make(
        &self,
        photos: &Path,
        out: &Path,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<ForgerySet, ForgerySetError> {
        self.check()?;
        let new_folder = NewFolder::at(out).map_err(|error| match error {
            NewFolderError::Occupied => ForgerySetError::NotEmpty { path: out.to_owned() },
            NewFolderError::Io(source) => ForgerySetError::Folder { path: out.to_owned(), source },
        })?;
        let Photographs { list, mut passed_over } = Photographs::read(photos)?;
        let before = passed_over.len();
        let subjects = subject::readable(list, self, &mut passed_over);
        if subjects.is_empty() {
            let first = passed_over.get(before).cloned();
            let path = photos.to_owned();
            return Err(PhotographsError::None { path, passed_over: passed_over.len(), first }.into());
        }
        let subjects = self.split.apply(subjects, self, &mut passed_over)?;
        let entries = plan::entries(&subjects, self);
        self.fill(new_folder.path(), &subjects, &entries, progress, &mut passed_over)?;
        new_folder.keep().map_err(|source| ForgerySetError::Folder { path: out.to_owned(), source })?;
        let summary = layouts::read(out, "folder", Media::Pictures)?.summary();
        passed_over.sort();
        Ok(ForgerySet { summary, passed_over })
    }

    /// Checks that every option is in range.
    ///
    /// # Errors
    /// [`ForgerySetError::Setting`] for the first that is not.
    pub fn check(&self) -> Result<(), ForgerySetError> {
        let bad = |name, value, wanted| Err(ForgerySetError::Setting { name, value, wanted });
        if !SIZES.contains(&self.size) {
            let wanted = format!("choose a size from {} to {} pixels", SIZES.start(), SIZES.end());
            return bad("--size", self.size.to_string(), wanted);
        }
        if !(1..=MAX_PER_PHOTO).contains(&self.per_photo) {
            return bad("--per-photo", self.per_photo.to_string(), format!("choose 1 to {MAX_PER_PHOTO}"));
        }
        let (low, high) = (*self.quality.start(), *self.quality.end());
        if low < 1 || high > 100 || low > high {
            return bad("--quality", format!("{low}-{high}"), "choose a range within 1-100".to_owned());
        }
        match self.crop {
            Some(crop) if !(1.0..=10.0).contains(&crop) => {
                bad("--crop", crop.to_string(), "choose 1 to 10 times the face".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn fill(
        &self,
        folder: &Path,
        subjects: &[Subject],
        entries: &[Entry],
        progress: &(dyn Fn(usize, usize) + Sync),
        passed_over: &mut Vec<String>,
    ) -> Result<(), ForgerySetError> {
        let folders: BTreeSet<PathBuf> = entries
            .iter()
            .filter_map(|entry| Some(folder.join(entry.below()).parent()?.to_owned()))
            .collect();
        for path in folders {
            std::fs::create_dir_all(&path).map_err(|source| ForgerySetError::Folder { path, source })?;
        }
        let done = AtomicUsize::new(0);
        let made: Result<Vec<Option<String>>, ForgerySetError> = entries
            .par_iter()
            .map(|entry| {
                let path = folder.join(entry.below());
                let reason = match self.picture(subjects, entry) {
                    Ok(drawn) => {
                        let quality = self.stream("quality", entry).random_range(self.quality.clone());
                        // The complete folder is renamed into place, so pictures are written
                        // directly.
                        std::fs::write(&path, picture::encode_jpeg(&drawn, quality))
                            .map_err(|source| StorageError::Write { path, source })?;
                        None
                    }
                    Err(reason) => Some(format!("{}: {reason}", entry.below().display())),
                };
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, entries.len());
                Ok(reason)
            })
            .collect();
        let made = made?;
        let written: Vec<&Entry> = entries
            .iter()
            .zip(&made)
            .filter(|(_, reason)| reason.is_none())
            .map(|(entry, _)| entry)
            .collect();
        passed_over.extend(made.iter().flatten().cloned());
        storage::write(&folder.join("split.csv"), &plan::split_csv(subjects, &written))?;
        let faces = faces(subjects, &written, passed_over);
        Ok(storage::write(&folder.join(landmarks::LANDMARKS), faces.as_bytes())?)
    }

    /// The picture of the entry. Its photographs were read before, so an error means that the
    /// forgery failed or a file has changed since.
    fn picture(&self, subjects: &[Subject], entry: &Entry) -> Result<RgbImage, String> {
        let target = &subjects[entry.target];
        let picture = target.cut(self.size).map_err(|error| error.to_string())?;
        if entry.label == Label::Real {
            return Ok(picture);
        }
        let message = |error: ForgeError| error.to_string();
        let Some(donor) = entry.donor else {
            let mut random = self.stream("sbi", entry);
            let blend = SelfBlend::draw(&SelfBlendSettings::source_only(), &mut random);
            return blend.fake(target.face_in(&picture)).map_err(message);
        };
        let donor = &subjects[donor];
        let other = donor.cut(self.size).map_err(|error| error.to_string())?;
        let settings = SwapSettings { blend: self.blend, ..SwapSettings::default() };
        forgery::swap(target.face_in(&picture), donor.face_in(&other), &settings).map_err(message)
    }

    fn stream(&self, what: &str, entry: &Entry) -> ChaCha8Rng {
        let below = entry.below_slashed();
        stream(self.seed, &["forged".into(), what.into(), below.as_str().into()])
    }
}

/// The landmarks.json of the reals. It has one outline; photographs whose landmarks come from
/// another source are left out and listed in `passed_over`.
fn faces(subjects: &[Subject], written: &[&Entry], passed_over: &mut Vec<String>) -> String {
    let outline = &subjects[0].face.outline;
    let mut faces = BTreeMap::new();
    for entry in written.iter().filter(|entry| entry.label == Label::Real) {
        let subject = &subjects[entry.target];
        if subject.face.outline == *outline {
            faces.insert(entry.below_slashed(), subject.face.points.clone());
        } else {
            let reason =
                "its landmarks differ in kind from the first photograph's, so landmarks.json leaves them out";
            passed_over.push(format!("{}: {reason}", subject.photograph.path.display()));
        }
    }
    landmarks::listing(outline, faces)
}

#[cfg(test)]
mod tests;
