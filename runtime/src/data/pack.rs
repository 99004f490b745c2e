//! A file of decoded pictures that is mapped into memory: a large data set is decoded once for
//! all runs, and the system caches as much as fits. It stores the result of [`Prepared::load`],
//! nothing later.

use super::picture::Prepared;
use crate::sample::Sample;
use crate::storage::{self, StorageError};
use image::RgbImage;
use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The first and the last bytes of the file; the digit is the version.
const MAGIC: &[u8; 8] = b"dfrtpak1";
/// The end of the file: the index's offset, its length, [`MAGIC`].
const TRAILER: usize = 24;
/// Pictures decoded at a time: 38 MB at 224 px.
const CHUNK: usize = 256;

/// Why a pack cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is no pack; it is left unchanged.
    #[error("{}: not a file of decoded pictures ({reason}); remove it or choose another --cache", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The pictures that a pack has to contain, at one side.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The pictures.
    pub samples: &'a [Sample],
    /// Side in pixels, as [`Prepared::load`] takes it.
    pub side: usize,
}

/// One picture of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    path: String,
    side: u32,
    /// The state of the picture's file when it was decoded.
    state: State,
    /// The picture's own width and height in pixels.
    size: [u32; 2],
    /// The offset of its pixels (RGB, row by row); `None` where it cannot be read.
    offset: Option<u64>,
}

/// Size and time of a file, to detect changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    bytes: u64,
    modified_ns: u64,
}

impl State {
    /// Zeros where the file does not exist.
    fn of(path: &Path) -> Self {
        let known = |metadata: Metadata| {
            let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(Self { bytes: metadata.len(), modified_ns: modified.as_nanos() as u64 })
        };
        std::fs::metadata(path).ok().and_then(known).unwrap_or(Self { bytes: 0, modified_ns: 0 })
    }
}

/// An open file of decoded pictures.
#[derive(Debug)]
pub struct Pack {
    map: Mmap,
    entries: HashMap<(String, u32), Entry>,
}

impl Pack {
    /// Opens the pack at `path` if it has all pictures in `wanted` in their current state, else
    /// writes a new one in its place. `progress` is called with (pictures decoded, all), and not
    /// at all where nothing has to be decoded.
    ///
    /// # Errors
    /// The file is no pack, or cannot be written. A picture that cannot be read is no error: it
    /// has no pixels in the pack.
    pub fn of(
        path: &Path,
        wanted: &[Wanted<'_>],
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self, PackError> {
        if path.symlink_metadata().is_ok() {
            let pack = Self::open(path)?;
            if pack.is_current(wanted) {
                return Ok(pack);
            }
        }
        write(path, wanted, progress)?;
        Self::open(path)
    }

    fn open(path: &Path) -> Result<Self, PackError> {
        let failed = |source| StorageError::Read { path: path.to_owned(), source };
        let map = map(&File::open(path).map_err(failed)?).map_err(failed)?;
        let foreign = |reason: &str| PackError::Foreign { path: path.to_owned(), reason: reason.to_owned() };
        let trailer = map.len().checked_sub(TRAILER).filter(|start| *start >= MAGIC.len());
        let trailer = &map[trailer.ok_or_else(|| foreign("it is too short"))?..];
        if !map.starts_with(MAGIC) || !trailer.ends_with(MAGIC) {
            return Err(foreign("it does not begin and end as one"));
        }
        let number = |at: usize| {
            let bytes = trailer[at..at + 8].try_into().expect("eight bytes");
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let index = number(0).zip(number(8)).and_then(|(start, len)| map.get(start..start.checked_add(len)?));
        let index = index.ok_or_else(|| foreign("its index is outside the file"))?;
        let entries: Vec<Entry> = serde_json::from_slice(index)
            .map_err(|error| foreign(&format!("its index is damaged: {error}")))?;
        if entries.iter().any(|entry| entry.pixels(&map).is_none()) {
            return Err(foreign("a picture is outside the file"));
        }
        let entries = entries.into_iter().map(|entry| ((entry.path.clone(), entry.side), entry)).collect();
        Ok(Self { map, entries })
    }

    fn is_current(&self, wanted: &[Wanted<'_>]) -> bool {
        let current = |sample: &Sample, side| {
            self.entry(&sample.path, side).is_some_and(|entry| entry.state == State::of(&sample.path))
        };
        wanted.iter().all(|part| part.samples.par_iter().all(|sample| current(sample, part.side)))
    }

    fn entry(&self, path: &Path, side: usize) -> Option<&Entry> {
        self.entries.get(&(name(path), u32::try_from(side).ok()?))
    }

    /// The picture `path` at `side`; `None` where it cannot be read or is not in the pack.
    pub fn picture(&self, path: &Path, side: usize) -> Option<Prepared> {
        let entry = self.entry(path, side)?;
        let pixels = entry.pixels(&self.map)??;
        let [width, height] = entry.size;
        let picture = RgbImage::from_raw(entry.side, entry.side, pixels.to_vec())?;
        Some(Prepared { picture, width, height })
    }

    /// The number of pictures, and the bytes of their pixels.
    pub fn holding(&self) -> (usize, usize) {
        let held = self.entries.values().filter(|entry| entry.offset.is_some());
        held.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.bytes()))
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        3 * self.side as usize * self.side as usize
    }

    /// Its pixels in `map`: `Some(None)` where it has none, `None` where they are outside the
    /// file.
    fn pixels<'a>(&self, map: &'a [u8]) -> Option<Option<&'a [u8]>> {
        let Some(offset) = self.offset else { return Some(None) };
        let start = usize::try_from(offset).ok()?;
        let side = self.side as usize;
        let len = side.checked_mul(side)?.checked_mul(3)?;
        Some(Some(map.get(start..start.checked_add(len)?)?))
    }
}

/// Maps a file that is never written in place: a new pack is written next to it and renamed, so
/// that processes that have the old one open keep it.
#[allow(unsafe_code, reason = "mapping a file is unsafe, as another program might change it")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: dfrt changes no pack in place. If another program cuts the file short, the
    // process ends with a bus error; if it writes to it, pixels change. No reference into
    // the map is taken for anything but plain bytes.
    unsafe { Mmap::map(file) }
}

fn name(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.to_string_lossy().into_owned()
}

fn write(path: &Path, wanted: &[Wanted<'_>], progress: &dyn Fn(usize, usize)) -> Result<(), StorageError> {
    let mut known = HashSet::new();
    let all =
        wanted.iter().flat_map(|part| part.samples.iter().map(|sample| (sample.path.as_path(), part.side)));
    let todo: Vec<(&Path, usize)> = all.filter(|picture| known.insert(*picture)).collect();
    storage::write_with(path, |file| {
        file.write_all(MAGIC)?;
        let mut offset = MAGIC.len() as u64;
        let mut entries = Vec::with_capacity(todo.len());
        for chunk in todo.chunks(CHUNK) {
            let decoded: Vec<_> = chunk
                .par_iter()
                // The state is read first: a file that changes meanwhile is decoded again next
                // time.
                .map(|(path, side)| (State::of(path), Prepared::load(path, *side).ok()))
                .collect();
            for ((path, side), (state, picture)) in chunk.iter().zip(decoded) {
                let place = picture.as_ref().map(|_| offset);
                let size = picture.as_ref().map_or([0; 2], |packed| [packed.width, packed.height]);
                if let Some(Prepared { picture, .. }) = picture {
                    file.write_all(picture.as_raw())?;
                    offset += picture.as_raw().len() as u64;
                }
                entries.push(Entry { path: name(path), side: *side as u32, state, size, offset: place });
            }
            progress(entries.len(), todo.len());
        }
        let index = serde_json::to_vec(&entries).map_err(io::Error::other)?;
        file.write_all(&index)?;
        file.write_all(&offset.to_le_bytes())?;
        file.write_all(&(index.len() as u64).to_le_bytes())?;
        file.write_all(MAGIC)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::picture;
    use crate::sample::{Label, Split};
    use proptest::prelude::*;
    use std::cell::Cell;

    const SIDE: usize = 12;

    /// Five pictures of two sizes, and one file that is none.
    fn samples(folder: &Path) -> Vec<Sample> {
        let sample = |index: u8| {
            let path = folder.join(format!("{index}.png"));
            let ramp = RgbImage::from_fn(20, 16 + u32::from(index), |x, y| {
                image::Rgb([x as u8, y as u8, 40 * index])
            });
            let bytes = if index < 5 { picture::encode_png(&ramp) } else { b"dear diary".to_vec() };
            std::fs::write(&path, bytes).unwrap();
            Sample::new(path, Label::Real, "", "", Split::Train)
        };
        (0..6).map(sample).collect()
    }

    /// The pack, and how many pictures were decoded for it.
    fn pack(path: &Path, wanted: &[Wanted<'_>]) -> (Pack, usize) {
        let decoded = Cell::new(0);
        let pack = Pack::of(path, wanted, &|done, _| decoded.set(done)).unwrap();
        (pack, decoded.get())
    }

    #[test]
    fn pictures_are_those_of_their_files_and_are_decoded_once() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let file = folder.path().join("new/faces.pack");
        let wanted = [Wanted { samples: &samples, side: SIDE }, Wanted { samples: &samples[..2], side: 8 }];
        for round in 0..2 {
            let (pack, decoded) = pack(&file, &wanted);
            assert_eq!(decoded, if round == 0 { 8 } else { 0 });
            for part in &wanted {
                for sample in part.samples {
                    let expected = Prepared::load(&sample.path, part.side).ok();
                    assert_eq!(pack.picture(&sample.path, part.side), expected);
                }
            }
            assert_eq!(pack.picture(&samples[4].path, 8), None, "not asked for at that side");
            assert_eq!(pack.holding(), (7, 5 * 3 * SIDE * SIDE + 2 * 3 * 8 * 8));
        }
    }

    #[test]
    fn what_has_changed_is_decoded_again() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let file = folder.path().join("faces.pack");
        let wanted = [Wanted { samples: &samples[..4], side: SIDE }];
        let (old, _) = pack(&file, &wanted);
        let grey = picture::encode_png(&RgbImage::from_pixel(30, 30, image::Rgb([9; 3])));
        std::fs::write(&samples[1].path, grey).unwrap();
        std::fs::remove_file(&samples[2].path).unwrap();
        let (new, decoded) = pack(&file, &wanted);
        assert_eq!(decoded, 4);
        assert_eq!(new.picture(&samples[1].path, SIDE).unwrap().picture.get_pixel(0, 0).0, [9; 3]);
        assert_eq!(new.picture(&samples[2].path, SIDE), None);
        assert!(old.picture(&samples[2].path, SIDE).is_some(), "who has the old one open keeps it");
        assert_eq!(pack(&file, &wanted).1, 0);
        // More pictures are wanted than it holds.
        assert_eq!(pack(&file, &[Wanted { samples: &samples, side: SIDE }]).1, 6);
    }

    #[test]
    fn a_file_of_another_kind_stays() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let path = folder.path().join("thesis.tex");
        for text in ["", "mine", "dfrtpak1 and then a long text that is no index at all, dfrtpak1"] {
            std::fs::write(&path, text).unwrap();
            let error = Pack::of(&path, &[Wanted { samples: &samples, side: 8 }], &|_, _| ()).unwrap_err();
            assert!(error.to_string().contains("thesis.tex"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_pack_is_refused_or_read_and_never_panics(
            places in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
            byte: u8,
            cut in any::<prop::sample::Index>(),
            shorten: bool,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let samples = samples(folder.path());
            let path = folder.path().join("faces.pack");
            pack(&path, &[Wanted { samples: &samples, side: 4 }]);
            let mut bytes = std::fs::read(&path).unwrap();
            for place in places {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if shorten {
                bytes.truncate(cut.index(bytes.len()));
            }
            std::fs::write(&path, bytes).unwrap();
            if let Ok(pack) = Pack::open(&path) {
                for sample in &samples {
                    let picture = pack.picture(&sample.path, 4);
                    prop_assert!(picture.is_none_or(|packed| packed.picture.dimensions() == (4, 4)));
                }
            }
        }
    }
}
