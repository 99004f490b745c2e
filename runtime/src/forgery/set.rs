//! A data set of forgeries made from real photographs, on a disk in the folder layout.
//! How a face is forged is `forge`'s matter, where faces are `photographs`'.

mod order;
mod plan;
mod subject;

pub use order::{ForgedError, Method, Order, SplitBy};

use super::photographs::{Photographs, PhotographsError};
use crate::data::layouts::{self, Media};
use crate::data::manifest::Summary;
use crate::data::picture;
use crate::faces::landmarks;
use crate::forgery::{self, ForgeError, SelfBlend, SelfBlendSettings, SwapSettings};
use crate::random::stream;
use crate::sample::Label;
use crate::storage::{self, NotWhole, StorageError, WholeFolder};
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

/// The sides that can be made, in pixels.
pub const SIZES: RangeInclusive<u32> = 32..=2048;
/// The most fakes of a photograph.
pub const MAX_PER_PHOTO: usize = 100;
/// What the pictures' folder holds, and so what may be replaced.
pub const PARTS: [&str; 6] = ["train", "val", "test", "split.csv", "manifest.csv", landmarks::LANDMARKS];

/// What was made.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The pictures, counted.
    pub summary: Summary,
    /// A line for each photograph or fake that was left out.
    pub passed_over: Vec<String>,
}

impl Order {
    /// Makes the set of the photographs at `photos` in the folder `out`:
    /// `{train,val,test}/real/*.jpg`, `…/fake/{sbi,swap}/*.jpg`, `split.csv` with target and
    /// donor of each, and `landmarks.json` with the faces of the reals. People are apart
    /// between the splits, and donors are of the target's split and, where they are known,
    /// of its gender and ethnicity. Reals and fakes are decoded, cut, resized and encoded
    /// alike, with qualities of one distribution.
    ///
    /// The same seed gives the same bytes on any number of threads. `progress` is called
    /// with (pictures done, all) from many threads. The folder appears when it is whole.
    ///
    /// # Errors
    /// Settings out of range; no usable photographs; too few people; a folder that is not
    /// empty or cannot be written. A photograph that cannot be read is passed over.
    pub fn make(
        &self,
        photos: &Path,
        out: &Path,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Forged, ForgedError> {
        self.check()?;
        let whole = WholeFolder::beside(out).map_err(|error| match error {
            NotWhole::Occupied => ForgedError::NotEmpty { path: out.to_owned() },
            NotWhole::Io(source) => ForgedError::Folder { path: out.to_owned(), source },
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
        self.fill(whole.path(), &subjects, &entries, progress, &mut passed_over)?;
        whole.keep().map_err(|source| ForgedError::Folder { path: out.to_owned(), source })?;
        let summary = layouts::read(out, "folder", Media::Pictures)?.summary();
        passed_over.sort();
        Ok(Forged { summary, passed_over })
    }

    /// Whether every setting can be used.
    ///
    /// # Errors
    /// [`ForgedError::Setting`] for the first that cannot.
    pub fn check(&self) -> Result<(), ForgedError> {
        let bad = |name, value, wanted| Err(ForgedError::Setting { name, value, wanted });
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
    ) -> Result<(), ForgedError> {
        let folders: BTreeSet<PathBuf> = entries
            .iter()
            .filter_map(|entry| Some(folder.join(entry.below()).parent()?.to_owned()))
            .collect();
        for path in folders {
            std::fs::create_dir_all(&path).map_err(|source| ForgedError::Folder { path, source })?;
        }
        let done = AtomicUsize::new(0);
        let made: Result<Vec<Option<String>>, ForgedError> = entries
            .par_iter()
            .map(|entry| {
                let path = folder.join(entry.below());
                let reason = match self.picture(subjects, entry) {
                    Ok(drawn) => {
                        let quality = self.stream("quality", entry).random_range(self.quality.clone());
                        // The whole folder is renamed into place, so a picture needs no such care.
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

    /// What the entry shows. Its photographs were read before, so a failure is one of
    /// forging, or of a file that has changed since.
    fn picture(&self, subjects: &[Subject], entry: &Entry) -> Result<RgbImage, String> {
        let target = &subjects[entry.target];
        let picture = target.cut(self.size).map_err(|error| error.to_string())?;
        if entry.label == Label::Real {
            return Ok(picture);
        }
        let said = |error: ForgeError| error.to_string();
        let Some(donor) = entry.donor else {
            let mut random = self.stream("sbi", entry);
            let blend = SelfBlend::draw(&SelfBlendSettings::source_only(), &mut random);
            return blend.fake(target.face_in(&picture)).map_err(said);
        };
        let donor = &subjects[donor];
        let other = donor.cut(self.size).map_err(|error| error.to_string())?;
        let settings = SwapSettings { blend: self.blend, ..SwapSettings::default() };
        forgery::swap(target.face_in(&picture), donor.face_in(&other), &settings).map_err(said)
    }

    fn stream(&self, what: &str, entry: &Entry) -> ChaCha8Rng {
        let below = entry.below_slashed();
        stream(self.seed, &["forged".into(), what.into(), below.as_str().into()])
    }
}

/// The landmarks.json of the reals. It has one outline; photographs whose landmarks come
/// from another source are listed.
fn faces(subjects: &[Subject], written: &[&Entry], passed_over: &mut Vec<String>) -> String {
    let outline = &subjects[0].face.outline;
    let mut faces = BTreeMap::new();
    for entry in written.iter().filter(|entry| entry.label == Label::Real) {
        let subject = &subjects[entry.target];
        if subject.face.outline == *outline {
            faces.insert(entry.below_slashed(), subject.face.points.clone());
        } else {
            let reason = "its landmarks are unlike the first photograph's and left out of landmarks.json";
            passed_over.push(format!("{}: {reason}", subject.photograph.path.display()));
        }
    }
    landmarks::listing(outline, faces)
}

#[cfg(test)]
mod tests;
