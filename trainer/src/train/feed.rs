//! Makes batches in advance on other threads, so that the GPU does not wait.

use super::augment::Augmentation;
use super::fakes::Fakes;
use super::pool::Pool;
use dfrt_runtime::forgery::{FaceInPicture, SelfBlend, SelfBlendSettings};
use dfrt_runtime::random;
use dfrt_runtime::sample::Label;
use image::RgbImage;
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Finished batches that may wait.
const AHEAD: usize = 2;
/// Batches that are made at the same time, so that all threads stay busy when one batch is almost
/// complete.
const MAKERS: usize = 2;

/// A batch in the form of the training plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FedBatch {
    /// Pixels [N, H, W], red in the lowest byte.
    pub bytes: Vec<u32>,
    /// Labels \[N\].
    pub labels: Vec<Label>,
    /// Indices of the samples that the pictures belong to \[N\].
    pub places: Vec<usize>,
    /// Keys of the masks [N, 2].
    pub keys: Vec<u32>,
}

/// How batches are made.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The pictures.
    pub pool: &'a Pool,
    /// Labels for training, by index.
    pub labels: &'a [Label],
    /// The source of the fakes. With self-blended images the pool holds n reals, and index n + i is
    /// the fake made from real i.
    pub fakes: Fakes,
    /// The augmentation.
    pub augment: Augmentation,
    /// Side of the network's input.
    pub res: usize,
    /// The run's seed.
    pub seed: u64,
}

/// No training picture of a class can be read.
#[derive(Debug, thiserror::Error)]
#[error("none of the training pictures labelled {label} can be read; first: {first}")]
pub struct NothingReadable {
    label: Label,
    first: String,
}

impl Recipe<'_> {
    /// Makes the batch with the indices `places`. A picture that cannot be read is replaced by the next
    /// one of its class, so that batches keep their size and balance.
    ///
    /// # Errors
    /// No picture of a class can be read.
    pub fn make(&self, epoch: usize, places: &[usize]) -> Result<FedBatch, NothingReadable> {
        let area = self.res * self.res;
        let mut bytes = vec![0; area * places.len()];
        let made: Result<Vec<usize>, _> = (bytes.par_chunks_exact_mut(area))
            .zip(places)
            .map(|(pixels, &place)| {
                let (place, prepared) = self.readable(place)?;
                let sample = self.sample(place);
                let picture = self.picture_at(epoch, place, &prepared);
                self.augment.apply(&picture, self.res, self.seed, epoch, sample).pack_into(pixels);
                Ok(place)
            })
            .collect();
        let made = made?;
        let key = |&place: &usize| {
            let name = ["mask".into(), (epoch as u64).into(), (place as u64).into()];
            let bits = random::key(self.seed, &name);
            [bits as u32, (bits >> 32) as u32]
        };
        Ok(FedBatch {
            bytes,
            labels: made.iter().map(|&place| self.labels[place]).collect(),
            keys: made.iter().flat_map(key).collect(),
            places: made,
        })
    }

    /// The sample that the picture at index `place` is made from.
    fn sample(&self, place: usize) -> usize {
        place % self.pool.samples().len()
    }

    /// The picture at index `place`, given the `prepared` picture of its sample. A self-blended image
    /// and its real get the same draws, new ones in every epoch, so that both look the same outside
    /// the face.
    pub(crate) fn picture_at<'p>(
        &self,
        epoch: usize,
        place: usize,
        prepared: &'p RgbImage,
    ) -> Cow<'p, RgbImage> {
        if self.fakes == Fakes::Files {
            return Cow::Borrowed(prepared);
        }
        let sample = self.sample(place);
        let name = ["sbi".into(), (epoch as u64).into(), (sample as u64).into()];
        let blend = SelfBlend::draw(&SelfBlendSettings::default(), &mut random::stream(self.seed, &name));
        if place == sample {
            return blend.real(prepared);
        }
        let landmarks = self.pool.face(sample).expect("a picture that has been read has its face");
        let fake = blend.fake(FaceInPicture { picture: prepared, landmarks });
        Cow::Owned(fake.expect("the face was checked when the picture was read"))
    }

    /// The index `wanted` and its picture; if it cannot be read, those of the next readable sample of
    /// the same label.
    fn readable(&self, wanted: usize) -> Result<(usize, Cow<'_, RgbImage>), NothingReadable> {
        let label = self.labels[wanted];
        let (first, count) = (self.sample(wanted), self.pool.samples().len());
        let fits = |sample: &usize| self.fakes == Fakes::Sbi || self.labels[*sample] == label;
        for sample in (first..count).chain(0..first).filter(fits) {
            if let Some(picture) = self.pool.prepared(sample) {
                return Ok((wanted - first + sample, picture));
            }
        }
        let first = self.pool.unreadable().into_iter().next().unwrap_or_default();
        Err(NothingReadable { label, first })
    }
}

/// A batch, or why it could not be made.
type Made = Result<FedBatch, NothingReadable>;

/// Makes `batches` on other threads and sends them in order; a few are made in advance.
pub fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    recipe: Recipe<'scope>,
    epoch: usize,
    batches: Vec<Vec<usize>>,
) -> Receiver<Made> {
    let (sender, receiver) = sync_channel(AHEAD);
    let batches = Arc::new(batches);
    let makers: [Receiver<Made>; MAKERS] = std::array::from_fn(|first| {
        let (sender, receiver) = sync_channel(0);
        let batches = Arc::clone(&batches);
        scope.spawn(move || {
            for places in batches.iter().skip(first).step_by(MAKERS) {
                // The receiver is gone.
                if sender.send(recipe.make(epoch, places)).is_err() {
                    return;
                }
            }
        });
        receiver
    });
    scope.spawn(move || {
        for maker in (0..batches.len()).map(|batch| &makers[batch % MAKERS]) {
            let Ok(made) = maker.recv() else { return };
            if sender.send(made).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::pool::allowance::Allowance;
    use dfrt_runtime::data::picture;
    use dfrt_runtime::faces::face::{FaceBox, Landmarks};
    use dfrt_runtime::sample::{Sample, Split};
    use std::path::Path;

    const RES: usize = 32;

    /// Ten pictures; those with odd numbers are fakes, and the last one is not a picture.
    fn samples(folder: &Path) -> Vec<Sample> {
        let sample = |index: u8| {
            let path = folder.join(format!("{index}.png"));
            let ramp = RgbImage::from_fn(40, 36, |x, y| image::Rgb([x as u8, y as u8, 20 * index]));
            let bytes = if index < 9 { picture::encode_png(&ramp) } else { b"dear diary".to_vec() };
            std::fs::write(&path, bytes).unwrap();
            let label = if index.is_multiple_of(2) { Label::Real } else { Label::Fake };
            Sample::new(path, label, "", "", Split::Train)
        };
        (0..10).map(sample).collect()
    }

    fn labels(samples: &[Sample]) -> Vec<Label> {
        samples.iter().map(|sample| sample.label).collect()
    }

    fn recipe<'a>(pool: &'a Pool, labels: &'a [Label]) -> Recipe<'a> {
        Recipe { pool, labels, fakes: Fakes::Files, augment: Augmentation::default(), res: RES, seed: 7 }
    }

    #[test]
    fn batches_are_in_order_and_do_not_depend_on_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let labels = labels(&samples);
        let batches: Vec<Vec<usize>> = (0..11).map(|batch| vec![batch % 10, (3 * batch) % 10, 4]).collect();
        let fresh = Pool::with_allowance(samples.clone(), RES, Arc::new(Allowance::new(0)));
        let expected: Vec<FedBatch> =
            batches.iter().map(|places| recipe(&fresh, &labels).make(2, places).unwrap()).collect();
        for limit in [0, 5 * 3 * RES * RES, usize::MAX] {
            let pool = Pool::with_allowance(samples.clone(), RES, Arc::new(Allowance::new(limit)));
            for round in 0..2 {
                let fed: Vec<FedBatch> = std::thread::scope(|scope| {
                    let feed = start(scope, recipe(&pool, &labels), 2, batches.clone());
                    feed.into_iter().map(Result::unwrap).collect()
                });
                assert!(fed == expected, "limit {limit}, round {round}");
            }
        }
    }

    #[test]
    fn an_unreadable_picture_is_replaced_by_the_next_of_its_class() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let labels = labels(&samples);
        let pool = Pool::with_allowance(samples, RES, Arc::new(Allowance::new(usize::MAX)));
        let recipe = recipe(&pool, &labels);
        let (replaced, first) = (recipe.make(0, &[9]).unwrap(), recipe.make(0, &[1]).unwrap());
        assert_eq!(replaced, first);
        assert_eq!(replaced.labels, [Label::Fake]);
    }

    fn faces(folder: &Path) -> Pool {
        let mut reals = samples(folder);
        reals.iter_mut().for_each(|sample| sample.label = Label::Real);
        let face = FaceBox { left: 12.0, top: 9.0, right: 27.0, bottom: 28.0 };
        let landmarks = vec![Landmarks::of_box(face); reals.len()];
        Pool::of_faces(reals, landmarks, RES, Arc::new(Allowance::new(usize::MAX)))
    }

    #[test]
    fn a_real_and_the_fake_made_of_it_differ_in_the_face_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pool = faces(folder.path());
        let labels = [[Label::Real; 10], [Label::Fake; 10]].concat();
        let recipe = Recipe { fakes: Fakes::Sbi, ..recipe(&pool, &labels) };
        let area = RES * RES;
        let (mut differing, mut retouched) = (0, 0);
        for epoch in 0..8 {
            let batch = recipe.make(epoch, &[2, 12]).unwrap();
            assert_eq!(batch.labels, [Label::Real, Label::Fake]);
            let (real, fake) = batch.bytes.split_at(area);
            differing += usize::from(real != fake);
            for (index, (a, b)) in real.iter().zip(fake).enumerate() {
                // The border of five pixels has no face, flipped or not.
                let inside = |place: usize| (5..RES - 5).contains(&place);
                assert!(a == b || inside(index % RES) && inside(index / RES), "{epoch}: {index}");
            }
            let plain = Recipe { fakes: Fakes::Files, ..recipe }.make(epoch, &[2]).unwrap();
            retouched += usize::from(plain.bytes != real);
            // The same in a larger batch in another order.
            let again = recipe.make(epoch, &[12, 0, 2]).unwrap();
            assert!(again.bytes[..area] == *fake && again.bytes[2 * area..] == *real);
        }
        assert!(differing >= 6, "{differing} of 8 fakes show");
        assert!((1..8).contains(&retouched), "half of the reals are retouched: {retouched} of 8");
        let fake = |epoch| recipe.make(epoch, &[12]).unwrap().bytes;
        assert_ne!(fake(0), fake(1));
    }

    #[test]
    fn the_fake_of_an_unreadable_real_is_made_from_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let pool = faces(folder.path());
        let labels = [[Label::Real; 10], [Label::Fake; 10]].concat();
        let recipe = Recipe { fakes: Fakes::Sbi, ..recipe(&pool, &labels) };
        assert_eq!(recipe.make(0, &[9, 19]).unwrap(), recipe.make(0, &[0, 10]).unwrap());
    }

    #[test]
    fn a_class_without_readable_pictures_ends_the_feed() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        (1..10).step_by(2).for_each(|index| std::fs::remove_file(&samples[index].path).unwrap());
        let labels = labels(&samples);
        let pool = Pool::with_allowance(samples, RES, Arc::new(Allowance::new(usize::MAX)));
        let made: Vec<_> = std::thread::scope(|scope| {
            start(scope, recipe(&pool, &labels), 0, vec![vec![0, 2], vec![0, 1], vec![4]])
                .into_iter()
                .collect()
        });
        assert!(made[0].is_ok());
        let error = made[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("labelled fake") && error.contains("1.png"), "{error}");
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_makers() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let labels = labels(&samples);
        let pool = Pool::with_allowance(samples, RES, Arc::new(Allowance::new(usize::MAX)));
        // The scope ends only when all its threads have.
        std::thread::scope(|scope| {
            let feed = start(scope, recipe(&pool, &labels), 0, vec![vec![0, 1, 2]; 100]);
            assert!(feed.recv().unwrap().is_ok());
        });
    }
}
