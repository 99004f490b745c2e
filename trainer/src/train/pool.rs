//! Decoded pictures of a split: prepared on first use, kept while they fit.

pub mod allowance;
pub mod memory;

use allowance::Allowance;
use dfrt_runtime::data::manifest::Sample;
use dfrt_runtime::data::pack::Pack;
use dfrt_runtime::data::picture::{self, PictureError};
use image::RgbImage;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock};

/// The pictures of some samples, prepared at one side.
#[derive(Debug)]
pub struct Pool {
    samples: Vec<Sample>,
    side: usize,
    kept: Vec<OnceLock<Option<RgbImage>>>,
    allowance: Arc<Allowance>,
    packed: Option<Arc<Pack>>,
    unreadable: Mutex<Vec<(usize, String)>>,
}

impl Pool {
    /// A pool over `samples` that shares this process's [`Allowance`]; nothing is read yet.
    pub fn new(samples: Vec<Sample>, side: usize) -> Self {
        Self::within(samples, side, Allowance::of_this_process())
    }

    /// The same with an allowance of the caller's.
    pub fn within(samples: Vec<Sample>, side: usize, allowance: Arc<Allowance>) -> Self {
        let kept = samples.iter().map(|_| OnceLock::new()).collect();
        Self { samples, side, kept, allowance, packed: None, unreadable: Mutex::default() }
    }

    /// The same with pictures taken from `pack` where it has them. The system keeps of a
    /// pack what fits into memory, so that nothing is kept twice.
    pub fn over(mut self, pack: Option<Arc<Pack>>) -> Self {
        self.packed = pack;
        self
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// As [`Pool::prepared`], a copy of the caller's own.
    pub fn picture(&self, place: usize) -> Option<RgbImage> {
        self.prepared(place).map(Cow::into_owned)
    }

    /// The prepared picture at `place`, lent where it is kept; none where it cannot be
    /// read, which is noted once in [`Pool::unreadable`].
    pub fn prepared(&self, place: usize) -> Option<Cow<'_, RgbImage>> {
        if let Some(kept) = self.kept[place].get() {
            return kept.as_ref().map(Cow::Borrowed);
        }
        let path = &self.samples[place].path;
        if let Some(picture) = self.packed.as_ref().and_then(|pack| pack.picture(path, self.side)) {
            return Some(Cow::Owned(picture));
        }
        match picture::load(path, self.side) {
            Ok(picture) => Some(self.keep(place, picture)),
            Err(error) => {
                self.note(place, &error);
                None
            }
        }
    }

    /// Keeps the picture if there is room for it.
    fn keep(&self, place: usize, picture: RgbImage) -> Cow<'_, RgbImage> {
        let bytes = picture.as_raw().len();
        if !self.allowance.take(bytes) {
            return Cow::Owned(picture);
        }
        if let Err(second) = self.kept[place].set(Some(picture)) {
            // Another thread was first with the same picture.
            self.allowance.give_back(bytes);
            return Cow::Owned(second.expect("a picture was to be kept"));
        }
        Cow::Borrowed(self.kept(place).expect("it was kept just now"))
    }

    fn kept(&self, place: usize) -> Option<&RgbImage> {
        self.kept[place].get()?.as_ref()
    }

    fn note(&self, place: usize, error: &PictureError) {
        let mut unreadable = self.unreadable.lock().expect("no holder panics");
        // Another thread may have been first with the same picture.
        if self.kept[place].set(None).is_ok() {
            unreadable.push((place, error.to_string()));
        }
    }

    /// Pictures that are kept, and their bytes.
    pub fn holding(&self) -> (usize, usize) {
        let kept = (0..self.samples.len()).filter_map(|place| self.kept(place));
        kept.fold((0, 0), |(count, bytes), picture| (count + 1, bytes + picture.as_raw().len()))
    }

    /// A line for each picture that could not be read, in the samples' order.
    pub fn unreadable(&self) -> Vec<String> {
        let mut lines = self.unreadable.lock().expect("no holder panics").clone();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.allowance.give_back(self.holding().1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::data::manifest::{Label, Split};
    use dfrt_runtime::data::pack::Wanted;
    use image::Rgb;
    use rayon::prelude::*;
    use std::path::Path;

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
    fn what_is_kept_is_lent_and_what_has_no_room_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let allowance = Arc::new(Allowance::new(3 * BYTES + BYTES / 2));
        let pool = Pool::within(samples(folder.path(), 5), SIDE, Arc::clone(&allowance));
        for round in 0..2 {
            for place in 0..5 {
                let picture = pool.prepared(place).unwrap();
                assert_eq!(*picture, RgbImage::from_pixel(8, 8, Rgb([place as u8; 3])));
                let lent = matches!(picture, Cow::Borrowed(_));
                assert_eq!(lent, place < 3, "{place} in round {round}");
            }
            assert!(pool.prepared(5).is_none());
            assert_eq!(pool.holding(), (3, 3 * BYTES));
            assert_eq!(allowance.taken(), 3 * BYTES, "what is not kept takes nothing");
        }
        assert_eq!(pool.unreadable().len(), 1);
        drop(pool);
        assert_eq!(allowance.taken(), 0);
    }

    #[test]
    fn what_is_packed_is_not_read_again_nor_kept() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path(), 3);
        let wanted = [Wanted { samples: &samples, side: SIDE }];
        let pack = Pack::of(&folder.path().join("faces.pack"), &wanted, &|_, _| ()).unwrap();
        samples[..3].iter().for_each(|sample| std::fs::remove_file(&sample.path).unwrap());
        let pool =
            Pool::within(samples, SIDE, Arc::new(Allowance::new(usize::MAX))).over(Some(Arc::new(pack)));
        for place in 0..3 {
            assert_eq!(pool.picture(place).unwrap(), RgbImage::from_pixel(8, 8, Rgb([place as u8; 3])));
        }
        assert!(pool.prepared(3).is_none() && pool.unreadable()[0].contains("3.png"));
        assert_eq!(pool.holding(), (0, 0));
    }

    #[test]
    fn threads_that_ask_for_one_picture_keep_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let allowance = Arc::new(Allowance::new(usize::MAX));
        let pool = Pool::within(samples(folder.path(), 2), SIDE, Arc::clone(&allowance));
        (0..96_usize).into_par_iter().for_each(|turn| {
            assert_eq!(pool.prepared(turn % 3).is_some(), turn % 3 < 2);
        });
        assert_eq!(allowance.taken(), 2 * BYTES);
        assert_eq!(pool.unreadable().len(), 1);
    }
}
