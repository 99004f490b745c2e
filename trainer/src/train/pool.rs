//! Decoded pictures of a split: prepared on first use, and kept in memory if they fit.

pub mod allowance;
pub mod memory;

use allowance::Allowance;
use dfrt_runtime::data::pack::{Pack, Wanted};
use dfrt_runtime::data::picture::Prepared;
use dfrt_runtime::faces::face::{Landmarks, Window};
use dfrt_runtime::forgery::{FaceInPicture, SelfBlend, SelfBlendSettings};
use dfrt_runtime::random;
use dfrt_runtime::sample::{Label, Sample};
use image::RgbImage;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// The pictures of some samples, prepared at one side length.
#[derive(Debug)]
pub struct Pool {
    samples: Vec<Sample>,
    side: usize,
    kept: Vec<OnceLock<Option<RgbImage>>>,
    allowance: Arc<Allowance>,
    packed: Option<Arc<Pack>>,
    unreadable: Mutex<Vec<(usize, String)>>,
    faces: Vec<Face>,
    /// If set, self-blended images drawn from this seed replace the pictures labelled fake.
    blended: Option<u64>,
}

/// The face in a picture.
#[derive(Debug)]
struct Face {
    /// In pixels of the file.
    found: Landmarks,
    /// In pixels of the prepared picture; set when the picture has been read.
    prepared: OnceLock<Landmarks>,
}

impl Pool {
    /// A pool of `samples` with the [`Allowance`] of this process. Nothing is read yet.
    pub fn new(samples: Vec<Sample>, side: usize) -> Self {
        Self::with_allowance(samples, side, Allowance::of_this_process())
    }

    /// A pool of `samples` with the given allowance. Nothing is read yet.
    pub fn with_allowance(samples: Vec<Sample>, side: usize, allowance: Arc<Allowance>) -> Self {
        let kept = samples.iter().map(|_| OnceLock::new()).collect();
        Self {
            samples,
            side,
            kept,
            allowance,
            packed: None,
            unreadable: Mutex::default(),
            faces: Vec::new(),
            blended: None,
        }
    }

    /// Takes pictures from `pack`, if it has them. They are not kept in the pool, because the system
    /// caches the file.
    pub fn with_pack(mut self, pack: Option<Arc<Pack>>) -> Self {
        self.packed = pack;
        self
    }

    /// The pictures that a pack must hold for this pool.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { samples: &self.samples, side: self.side }
    }

    /// A pool of `samples` with the landmarks of each. A picture whose landmarks enclose no face counts
    /// as unreadable.
    pub fn of_faces(
        samples: Vec<Sample>,
        landmarks: Vec<Landmarks>,
        side: usize,
        allowance: Arc<Allowance>,
    ) -> Self {
        let face = |found| Face { found, prepared: OnceLock::new() };
        let mut pool = Self::with_allowance(samples, side, allowance);
        pool.faces = landmarks.into_iter().map(face).collect();
        pool
    }

    /// A pool of `reals`, followed by a self-blended image of each, drawn once from `seed`. The reals
    /// are not changed.
    pub fn self_blended(
        reals: Vec<Sample>,
        landmarks: Vec<Landmarks>,
        side: usize,
        allowance: Arc<Allowance>,
        seed: u64,
    ) -> Self {
        let fake = |real: &Sample| Sample { label: Label::Fake, subset: "sbi".to_owned(), ..real.clone() };
        let fakes: Vec<Sample> = reals.iter().map(fake).collect();
        let landmarks = [landmarks.clone(), landmarks].concat();
        let mut pool = Self::of_faces([reals, fakes].concat(), landmarks, side, allowance);
        pool.blended = Some(seed);
        pool
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// A copy of the prepared picture at `place`; see [`Pool::prepared`].
    pub fn picture(&self, place: usize) -> Option<RgbImage> {
        self.prepared(place).map(Cow::into_owned)
    }

    /// The prepared picture at index `place`, borrowed if it is kept; none if it cannot be read, which
    /// is recorded once in [`Pool::unreadable`].
    pub fn prepared(&self, place: usize) -> Option<Cow<'_, RgbImage>> {
        if let Some(kept) = self.kept[place].get() {
            return kept.as_ref().map(Cow::Borrowed);
        }
        match self.load(place) {
            Ok(picture) => Some(self.keep(place, picture)),
            Err(line) => {
                self.note(place, line);
                None
            }
        }
    }

    /// The landmarks of the face in the prepared picture at `place`; none before the picture has been
    /// read, or if no landmarks are known.
    pub fn face(&self, place: usize) -> Option<&Landmarks> {
        self.faces.get(place)?.prepared.get()
    }

    fn load(&self, place: usize) -> Result<RgbImage, String> {
        let sample = &self.samples[place];
        let Prepared { picture, width, height } = self.packed_or_read(&sample.path)?;
        let Some(Face { found, prepared }) = self.faces.get(place) else { return Ok(picture) };
        let landmarks = found.framed(Window::central(width, height), self.side);
        let face = FaceInPicture { picture: &picture, landmarks: &landmarks };
        let checked = match self.blended {
            Some(seed) if sample.label == Label::Fake => {
                let mut draws = random::stream(seed, &["sbi validation".into(), (place as u64).into()]);
                SelfBlend::draw(&SelfBlendSettings::source_only(), &mut draws).fake(face).map(Some)
            }
            _ => face.check().map(|()| None),
        };
        let blended = checked.map_err(|error| format!("{}: {error}", sample.path.display()))?;
        // Another thread may have read the same picture already, with the same points.
        let _ = prepared.set(landmarks);
        Ok(blended.unwrap_or(picture))
    }

    fn packed_or_read(&self, path: &Path) -> Result<Prepared, String> {
        match self.packed.as_ref().and_then(|pack| pack.picture(path, self.side)) {
            Some(packed) => Ok(packed),
            None => Prepared::load(path, self.side).map_err(|error| error.to_string()),
        }
    }

    /// Keeps the picture if the allowance permits it.
    fn keep(&self, place: usize, picture: RgbImage) -> Cow<'_, RgbImage> {
        // The system caches packed pictures; fakes are made, not packed.
        if self.packed.is_some() && self.blended.is_none() {
            return Cow::Owned(picture);
        }
        let bytes = picture.as_raw().len();
        if !self.allowance.take(bytes) {
            return Cow::Owned(picture);
        }
        if let Err(second) = self.kept[place].set(Some(picture)) {
            // Another thread has kept the same picture already.
            self.allowance.give_back(bytes);
            return Cow::Owned(second.expect("a picture was to be kept"));
        }
        Cow::Borrowed(self.kept(place).expect("it was kept just now"))
    }

    fn kept(&self, place: usize) -> Option<&RgbImage> {
        self.kept[place].get()?.as_ref()
    }

    fn note(&self, place: usize, line: String) {
        let mut unreadable = self.unreadable.lock().expect("no holder panics");
        // Another thread may have recorded the same picture already.
        if self.kept[place].set(None).is_ok() {
            unreadable.push((place, line));
        }
    }

    /// Number of the pictures that are kept, and their size in bytes.
    pub fn kept_size(&self) -> (usize, usize) {
        let kept = (0..self.samples.len()).filter_map(|place| self.kept(place));
        kept.fold((0, 0), |(count, bytes), picture| (count + 1, bytes + picture.as_raw().len()))
    }

    /// A line for each picture that could not be read, in the order of the samples.
    pub fn unreadable(&self) -> Vec<String> {
        let mut lines = self.unreadable.lock().expect("no holder panics").clone();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.allowance.give_back(self.kept_size().1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::data::picture;
    use dfrt_runtime::faces::face::FaceBox;
    use dfrt_runtime::sample::Split;
    use image::Rgb;
    use rayon::prelude::*;

    const SIDE: usize = 8;
    const BYTES: usize = 3 * SIDE * SIDE;

    /// Flat pictures of the values 0 to `count` - 1, and one file that is no picture.
    fn samples(folder: &Path, count: u8) -> Vec<Sample> {
        let sample = |index: u8| {
            let path = folder.join(format!("{index}.png"));
            let flat = RgbImage::from_pixel(20, 16, Rgb([index; 3]));
            let bytes = if index < count { picture::encode_png(&flat) } else { b"dear diary".to_vec() };
            std::fs::write(&path, bytes).unwrap();
            let label = Label::Real;
            Sample::new(path, label, "", "", Split::Train)
        };
        (0..=count).map(sample).collect()
    }

    #[test]
    fn kept_pictures_are_borrowed_and_others_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let allowance = Arc::new(Allowance::new(3 * BYTES + BYTES / 2));
        let pool = Pool::with_allowance(samples(folder.path(), 5), SIDE, Arc::clone(&allowance));
        for round in 0..2 {
            for place in 0..5 {
                let picture = pool.prepared(place).unwrap();
                assert_eq!(*picture, RgbImage::from_pixel(8, 8, Rgb([place as u8; 3])));
                let lent = matches!(picture, Cow::Borrowed(_));
                assert_eq!(lent, place < 3, "{place} in round {round}");
            }
            assert!(pool.prepared(5).is_none());
            assert_eq!(pool.kept_size(), (3, 3 * BYTES));
            assert_eq!(allowance.taken(), 3 * BYTES, "what is not kept takes nothing");
        }
        assert_eq!(pool.unreadable().len(), 1);
        drop(pool);
        assert_eq!(allowance.taken(), 0);
    }

    #[test]
    fn packed_pictures_are_neither_read_again_nor_kept() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path(), 3);
        let wanted = [Wanted { samples: &samples, side: SIDE }];
        let pack = Pack::of(&folder.path().join("faces.pack"), &wanted, &|_, _| ()).unwrap();
        samples[..3].iter().for_each(|sample| std::fs::remove_file(&sample.path).unwrap());
        let pool = Pool::with_allowance(samples, SIDE, Arc::new(Allowance::new(usize::MAX)))
            .with_pack(Some(Arc::new(pack)));
        for place in 0..3 {
            assert_eq!(pool.picture(place).unwrap(), RgbImage::from_pixel(8, 8, Rgb([place as u8; 3])));
        }
        assert!(pool.prepared(3).is_none() && pool.unreadable()[0].contains("3.png"));
        assert_eq!(pool.kept_size(), (0, 0));
    }

    #[test]
    fn every_real_has_a_fake_of_its_own_whose_face_alone_differs() {
        let folder = tempfile::tempdir().unwrap();
        let checks = RgbImage::from_fn(60, 48, |x, y| {
            Rgb([(x * 4) as u8, (y * 5) as u8, ((x / 3 + y / 3) % 2) as u8 * 90])
        });
        let sample = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, picture::encode_png(&checks)).unwrap();
            Sample::new(path, Label::Real, "", "", Split::Val)
        };
        let reals = vec![sample("a.png"), sample("b.png"), sample("c.png")];
        let face = |right| FaceBox { left: 24.0, top: 16.0, right, bottom: 34.0 };
        let landmarks: Vec<Landmarks> =
            [36.0, 36.0, 24.5].map(|right| Landmarks::of_box(face(right))).to_vec();
        let made = |seed| {
            let allowance = Arc::new(Allowance::new(usize::MAX));
            Pool::self_blended(reals.clone(), landmarks.clone(), 48, allowance, seed)
        };
        let pool = made(0);
        let labels: Vec<Label> = pool.samples().iter().map(|sample| sample.label).collect();
        assert_eq!(labels, [[Label::Real; 3], [Label::Fake; 3]].concat());
        let real = pool.picture(0).unwrap();
        assert_eq!(real, picture::prepare(&checks, 48), "reals stay as they are");
        assert_eq!(pool.face(0).unwrap().bounds().left.round(), 18.0, "six pixels are cut off");
        let (first, second) = (pool.picture(3).unwrap(), pool.picture(4).unwrap());
        assert!(first != real && first != second);
        for (x, y, pixel) in first.enumerate_pixels() {
            let outside = !(8..40).contains(&x) || !(6..44).contains(&y);
            assert!(!outside || pixel == real.get_pixel(x, y), "{x} {y}");
        }
        assert_eq!(made(0).picture(3).unwrap(), first);
        assert_ne!(made(1).picture(3).unwrap(), first);
        assert!(pool.picture(2).is_none() && pool.picture(5).is_none());
        assert!(
            pool.unreadable()[0].contains("c.png: the landmarks enclose no area"),
            "{:?}",
            pool.unreadable()
        );
    }

    #[test]
    fn threads_that_ask_for_one_picture_keep_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let allowance = Arc::new(Allowance::new(usize::MAX));
        let pool = Pool::with_allowance(samples(folder.path(), 2), SIDE, Arc::clone(&allowance));
        (0..96_usize).into_par_iter().for_each(|turn| {
            assert_eq!(pool.prepared(turn % 3).is_some(), turn % 3 < 2);
        });
        assert_eq!(allowance.taken(), 2 * BYTES);
        assert_eq!(pool.unreadable().len(), 1);
    }
}
