//! Batches made ahead by a pool of decoding threads, so that the GPU does not wait.

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

/// Batches that are made and wait.
const AHEAD: usize = 2;
/// Batches that are being made: while the last pictures of one keep some of the pool's
/// threads busy, the others begin with the next.
const MAKERS: usize = 2;

/// A batch as the training plan takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FedBatch {
    /// Pixels [N, H, W], red in the lowest byte.
    pub bytes: Vec<u32>,
    /// Labels \[N\].
    pub labels: Vec<Label>,
    /// The samples that the pictures are of, as places \[N\].
    pub places: Vec<usize>,
    /// Keys of the masks [N, 2].
    pub keys: Vec<u32>,
}

/// What a batch is made from.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The pictures.
    pub pool: &'a Pool,
    /// Labels that are trained on, by place.
    pub labels: &'a [Label],
    /// Where the fakes come from; if not from files, the pool holds reals, and a place
    /// behind them stands for the fake that is made of one.
    pub fakes: Fakes,
    /// What is done to them.
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
    /// The batch of those places. A picture that cannot be read is replaced by the
    /// next one of its class, so that batches keep their size and balance.
    pub fn make(&self, epoch: usize, places: &[usize]) -> Result<FedBatch, NothingReadable> {
        let area = self.res * self.res;
        let mut bytes = vec![0; area * places.len()];
        let made: Result<Vec<usize>, _> = (bytes.par_chunks_exact_mut(area))
            .zip(places)
            .map(|(pixels, &place)| {
                let (place, prepared) = self.readable(place)?;
                let sample = self.sample(place);
                let shown = self.shown(epoch, place, &prepared);
                self.augment.apply(&shown, self.res, self.seed, epoch, sample).pack_into(pixels);
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

    /// Whose picture is seen at `place`.
    fn sample(&self, place: usize) -> usize {
        place % self.pool.samples().len()
    }

    /// What is seen at `place` of the `prepared` picture. A self-blended image and the real
    /// that it is made of are drawn together, anew in every epoch, so that what surrounds
    /// the face looks alike in both.
    pub(crate) fn shown<'p>(&self, epoch: usize, place: usize, prepared: &'p RgbImage) -> Cow<'p, RgbImage> {
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

    /// The wanted place, or the next whose picture can be read: of the same label, or made
    /// in the same way.
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

/// What becomes of a batch.
type Made = Result<FedBatch, NothingReadable>;

/// Makes `batches` in order on other threads, a few ahead of the reader.
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
                // A reader that has gone wants no more.
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

    /// Ten pictures, those of odd numbers fake; of these the last is no picture.
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
    fn batches_come_in_order_and_whatever_is_kept_they_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let labels = labels(&samples);
        let batches: Vec<Vec<usize>> = (0..11).map(|batch| vec![batch % 10, (3 * batch) % 10, 4]).collect();
        let fresh = Pool::within(samples.clone(), RES, Arc::new(Allowance::new(0)));
        let expected: Vec<FedBatch> =
            batches.iter().map(|places| recipe(&fresh, &labels).make(2, places).unwrap()).collect();
        for limit in [0, 5 * 3 * RES * RES, usize::MAX] {
            let pool = Pool::within(samples.clone(), RES, Arc::new(Allowance::new(limit)));
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
    fn what_cannot_be_read_is_replaced_by_the_next_of_its_class() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        let labels = labels(&samples);
        let pool = Pool::within(samples, RES, Arc::new(Allowance::new(usize::MAX)));
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
                // Mirrored or not, a frame of five pixels has no face in it.
                let inside = |place: usize| (5..RES - 5).contains(&place);
                assert!(a == b || inside(index % RES) && inside(index / RES), "{epoch}: {index}");
            }
            let plain = Recipe { fakes: Fakes::Files, ..recipe }.make(epoch, &[2]).unwrap();
            retouched += usize::from(plain.bytes != real);
            // In a batch with others, and from another order, the same.
            let again = recipe.make(epoch, &[12, 0, 2]).unwrap();
            assert!(again.bytes[..area] == *fake && again.bytes[2 * area..] == *real);
        }
        assert!(differing >= 6, "{differing} of 8 fakes show");
        assert!((1..8).contains(&retouched), "half of the reals are retouched: {retouched} of 8");
        let fake = |epoch| recipe.make(epoch, &[12]).unwrap().bytes;
        assert_ne!(fake(0), fake(1));
    }

    #[test]
    fn the_fake_of_what_cannot_be_read_is_one_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let pool = faces(folder.path());
        let labels = [[Label::Real; 10], [Label::Fake; 10]].concat();
        let recipe = Recipe { fakes: Fakes::Sbi, ..recipe(&pool, &labels) };
        assert_eq!(recipe.make(0, &[9, 19]).unwrap(), recipe.make(0, &[0, 10]).unwrap());
    }

    #[test]
    fn a_class_of_which_nothing_can_be_read_ends_the_feed() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(folder.path());
        (1..10).step_by(2).for_each(|index| std::fs::remove_file(&samples[index].path).unwrap());
        let labels = labels(&samples);
        let pool = Pool::within(samples, RES, Arc::new(Allowance::new(usize::MAX)));
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
        let pool = Pool::within(samples, RES, Arc::new(Allowance::new(usize::MAX)));
        // The scope ends only when all its threads have.
        std::thread::scope(|scope| {
            let feed = start(scope, recipe(&pool, &labels), 0, vec![vec![0, 1, 2]; 100]);
            assert!(feed.recv().unwrap().is_ok());
        });
    }
}
