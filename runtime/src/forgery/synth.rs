//! The demo set: portraits of generated people, and fakes made from them, in the folder layout.
//! It is for demos and tests; it does not measure detectors of real faces.

pub mod portrait;

use crate::data::layouts::{self, Media};
use crate::data::manifest::{ManifestError, Summary};
use crate::data::picture;
use crate::forgery::synth::portrait::{Person, Portrait, Shot, photograph};
use crate::forgery::{self, FaceInPicture, ForgeError, SwapSettings};
use crate::random::stream;
use crate::sample::{Label, Split};
use crate::storage::{self, NewFolder, NewFolderError, StorageError};
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The fewest pictures that fill three splits with both classes.
pub const MIN_COUNT: usize = 12;
/// The allowed sides of pictures, in pixels.
pub const SIZES: std::ops::RangeInclusive<u32> = 32..=2048;

/// Photographs of each person; one fake is made from each.
const SHOTS: usize = 2;
/// The shares of people in train and val; the rest is test.
const SHARES: [f64; 2] = [0.6, 0.15];
/// JPEG qualities, the same for reals and fakes.
const QUALITIES: std::ops::RangeInclusive<u8> = 75..=96;

/// Why the demo set cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The folder is not empty.
    #[error("{}: is not empty; choose another --out or remove it first", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There are too few pictures for three splits.
    #[error("--count {count}: too few; at least {MIN_COUNT} pictures fill train, val and test")]
    Count {
        /// The value given.
        count: usize,
    },
    /// The side of pictures is out of range.
    #[error("--size {size}: choose a size from {} to {} pixels", SIZES.start(), SIZES.end())]
    Size {
        /// The value given.
        size: u32,
    },
    /// The folder cannot be created.
    #[error("{}: cannot be made: {source}; free space or choose another --out", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A picture cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A forgery failed.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The set cannot be read back.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Draws `count` pictures of `size` x `size` pixels into the folder `out`, half of them real:
/// `{train,val,test}/real/*.jpg`, `…/fake/{swap,self-blend}/*.jpg` and `split.csv`, with each
/// person in one split (60, 15 and 25 %). Every fake is made from a real picture of the set, with
/// a donor of the same split (where a split has only one person, all its fakes are self-blended).
/// Reals and fakes use the same encoder with qualities from the same distribution.
///
/// The same `seed` gives the same bytes on any number of threads. `progress` is called with
/// (pictures done, `count`) from many threads. The folder appears only when it is complete:
/// pictures are written next to it first.
///
/// # Errors
/// `out` is not empty or cannot be written, `count` is under [`MIN_COUNT`], or `size` is outside
/// [`SIZES`].
pub fn draw(
    out: &Path,
    count: usize,
    size: u32,
    seed: u64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Summary, SynthError> {
    if count < MIN_COUNT {
        return Err(SynthError::Count { count });
    }
    if !SIZES.contains(&size) {
        return Err(SynthError::Size { size });
    }
    let new_folder = NewFolder::at(out).map_err(|error| SynthError::of(error, out))?;
    Plan { count, size, seed }.draw_into(new_folder.path(), progress)?;
    new_folder.keep().map_err(|source| SynthError::Folder { path: out.to_owned(), source })?;
    Ok(layouts::read(out, "folder", Media::Pictures)?.summary())
}

impl SynthError {
    fn of(error: NewFolderError, path: &Path) -> Self {
        match error {
            NewFolderError::Occupied => Self::NotEmpty { path: path.to_owned() },
            NewFolderError::Io(source) => Self::Folder { path: path.to_owned(), source },
        }
    }
}

/// The options of the demo set.
#[derive(Clone, Copy)]
struct Plan {
    count: usize,
    size: u32,
    seed: u64,
}

/// One picture of the set.
struct Entry {
    split: Split,
    label: Label,
    /// The file, relative to the split's and label's folder.
    file: String,
    person: usize,
    shot: usize,
    /// The person whose face a swap uses.
    donor: Option<usize>,
}

impl Plan {
    fn draw_into(&self, folder: &Path, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), SynthError> {
        let entries: Vec<Entry> = (0..self.count).map(|index| self.entry(index)).collect();
        for entry in &entries {
            let path = folder.join(entry.below());
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent)
                .map_err(|source| SynthError::Folder { path: parent.to_owned(), source })?;
        }
        let done = AtomicUsize::new(0);
        entries.par_iter().try_for_each(|entry| -> Result<(), SynthError> {
            let drawn = self.picture(entry)?;
            let quality = self.stream("quality", entry).random_range(QUALITIES);
            let path = folder.join(entry.below());
            // The complete folder is renamed into place, so pictures are written directly.
            std::fs::write(&path, picture::encode_jpeg(&drawn, quality))
                .map_err(|source| StorageError::Write { path, source })?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, self.count);
            Ok(())
        })?;
        let mut list = "split,label,file,target,donor\n".to_owned();
        for entry in &entries {
            let Entry { split, label, file, person, donor, .. } = entry;
            let donor = donor.unwrap_or(*person);
            list += &format!("{split},{label},{file},{},{}\n", name(*person), name(donor));
        }
        Ok(storage::write(&folder.join("split.csv"), list.as_bytes())?)
    }

    fn persons(&self) -> usize {
        self.count / (2 * SHOTS)
    }

    /// The people of a split; at least one.
    fn persons_of(&self, split: Split) -> std::ops::Range<usize> {
        let all = self.persons();
        let share = |share: f64| ((share * all as f64).round() as usize).max(1);
        let train = share(SHARES[0]).min(all - 2);
        let val = share(SHARES[1]).min(all - train - 1);
        match split {
            Split::Train => 0..train,
            Split::Val => train..train + val,
            Split::Test => train + val..all,
        }
    }

    /// The picture number `index`: person by person, shot by shot, real before fake. The
    /// remaining pictures are further shots of the first person.
    fn entry(&self, index: usize) -> Entry {
        let over = index.checked_sub(2 * SHOTS * self.persons());
        let regular = (index / (2 * SHOTS), index / 2 % SHOTS);
        let (person, shot) = over.map_or(regular, |over| (0, SHOTS + over / 2));
        let split = Split::ALL.into_iter().find(|split| self.persons_of(*split).contains(&person));
        let split = split.expect("every person is in a split");
        let start = format!("{}_{shot}", name(person));
        let real = |label, file| Entry { split, label, file, person, shot, donor: None };
        if index.is_multiple_of(2) {
            return real(Label::Real, format!("{start}.jpg"));
        }
        match self.donor(split, person, shot) {
            Some(donor) if (person + shot).is_multiple_of(2) => Entry {
                donor: Some(donor),
                ..real(Label::Fake, format!("swap/{start}_from_{}.jpg", name(donor)))
            },
            _ => real(Label::Fake, format!("self-blend/{start}.jpg")),
        }
    }

    /// Another person of the split.
    fn donor(&self, split: Split, person: usize, shot: usize) -> Option<usize> {
        let persons = self.persons_of(split);
        if persons.len() < 2 {
            return None;
        }
        let parts = ["synth donor".into(), (person as u64).into(), (shot as u64).into()];
        let step = stream(self.seed, &parts).random_range(1..persons.len());
        Some(persons.start + (person - persons.start + step) % persons.len())
    }

    fn picture(&self, entry: &Entry) -> Result<RgbImage, SynthError> {
        let target = self.portrait(entry.person, entry.shot);
        if entry.label == Label::Real {
            return Ok(target.picture);
        }
        let face = FaceInPicture { picture: &target.picture, landmarks: &target.landmarks };
        let mut random = self.stream("forge", entry);
        let Some(donor) = entry.donor else {
            return Ok(forgery::careless_self_blend(face, &mut random)?);
        };
        let donor = self.portrait(donor, random.random_range(0..SHOTS));
        let donor = FaceInPicture { picture: &donor.picture, landmarks: &donor.landmarks };
        Ok(forgery::swap(face, donor, &SwapSettings::crude(&mut random))?)
    }

    fn portrait(&self, person: usize, shot: usize) -> Portrait {
        let (person, shot) = (person as u64, shot as u64);
        let who = Person::draw(&mut stream(self.seed, &["synth person".into(), person.into()]));
        let keyed = |name| stream(self.seed, &["synth".into(), name, person.into(), shot.into()]);
        let how = Shot::draw(&mut keyed("shot".into()));
        photograph(&who, &how, self.size, &mut keyed("noise".into()))
    }

    fn stream(&self, what: &str, entry: &Entry) -> ChaCha8Rng {
        let Entry { label, person, shot, .. } = entry;
        let label = label.to_string();
        let parts = [
            "synth".into(),
            what.into(),
            label.as_str().into(),
            (*person as u64).into(),
            (*shot as u64).into(),
        ];
        stream(self.seed, &parts)
    }
}

impl Entry {
    fn below(&self) -> PathBuf {
        PathBuf::from(self.split.to_string()).join(self.label.to_string()).join(&self.file)
    }
}

fn name(person: usize) -> String {
    format!("p{person:04}")
}

#[cfg(test)]
mod tests;
