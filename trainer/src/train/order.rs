//! The order of the training pictures. It depends on (seed, epoch) only.

use super::balance::Balance;
use super::fakes::Fakes;
use super::settings::Settings;
use dfrt_runtime::data::selection;
use dfrt_runtime::random;
use dfrt_runtime::sample::{Label, Sample};
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// The order of a run over some samples.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The samples.
    pub samples: &'a [Sample],
    /// Pictures per step, as in the settings.
    pub batch: usize,
    /// How classes and subsets are balanced.
    pub balance: Balance,
    /// Pictures of each video in an epoch at most; none for all.
    pub frames_per_video: Option<usize>,
    /// Whether each sample is a pair: the real at index i, and the fake made from it at index n + i, n
    /// being the number of samples.
    pub paired: bool,
    /// The run's seed.
    pub seed: u64,
}

impl<'a> Order<'a> {
    /// The order of a run with `settings`.
    pub fn of(samples: &'a [Sample], settings: &Settings) -> Self {
        let Settings { batch, balance, frames_per_video, fakes, seed, .. } = *settings;
        Self { samples, batch, balance, frames_per_video, paired: fakes == Fakes::Sbi, seed }
    }

    /// The indices of an epoch in batches. Every epoch is shuffled again; an incomplete last batch is
    /// left out. Data sets smaller than a batch give one batch of their size. Pairs stay together and
    /// are not balanced.
    pub fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut stream = random::stream(self.seed, &["order".into(), (epoch as u64).into()]);
        let mut samples = self.epoch_samples(epoch);
        if self.paired {
            samples.shuffle(&mut stream);
            let pair = |&place: &usize| [place, self.samples.len() + place];
            let reals = samples.chunks_exact((self.fitted(2 * samples.len()) / 2).max(1));
            return reals.map(|reals| reals.iter().flat_map(pair).collect()).collect();
        }
        let count = samples.len();
        let mut order = match self.balance {
            Balance::None | Balance::Loss | Balance::SubsetLoss => samples,
            Balance::Sampling => self.balanced(&samples, false, &mut stream),
            Balance::SubsetSampling => self.balanced(&samples, true, &mut stream),
        };
        order.shuffle(&mut stream);
        order.truncate(count);
        order.chunks_exact(self.fitted(count)).map(<[usize]>::to_vec).collect()
    }

    /// The size of the batches: that of the settings, or of the epoch if that is smaller.
    pub fn batch_size(&self) -> usize {
        self.fitted(self.pictures())
    }

    fn fitted(&self, pictures: usize) -> usize {
        self.batch.min(pictures).max(1)
    }

    /// Steps of an epoch.
    pub fn steps(&self) -> usize {
        let pictures = self.pictures();
        pictures / self.fitted(pictures)
    }

    /// Pictures of an epoch, before the last batch is left out.
    fn pictures(&self) -> usize {
        self.epoch_samples(0).len() * if self.paired { 2 } else { 1 }
    }

    /// The samples of an epoch, before balancing; the number is the same in every epoch.
    fn epoch_samples(&self, epoch: usize) -> Vec<usize> {
        match self.frames_per_video {
            Some(n) => selection::frames_of_each_video(self.samples, n, self.seed, epoch),
            None => (0..self.samples.len()).collect(),
        }
    }

    /// Equal numbers of each class, and with `subsets` of each subset of a class. Smaller ones are
    /// repeated.
    fn balanced(&self, taken: &[usize], subsets: bool, stream: &mut impl rand::Rng) -> Vec<usize> {
        let half = taken.len().div_ceil(2);
        let mut order = Vec::with_capacity(2 * half);
        for label in [Label::Real, Label::Fake] {
            let mut parts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for &place in taken.iter().filter(|&&place| self.samples[place].label == label) {
                let subset = if subsets { self.samples[place].subset.as_str() } else { "" };
                parts.entry(subset).or_default().push(place);
            }
            let mut parts: Vec<Vec<usize>> = parts.into_values().collect();
            // The remainder of the division goes to different subsets in each epoch.
            parts.shuffle(stream);
            let (count, mut left) = (parts.len(), half);
            for (index, places) in parts.iter_mut().enumerate() {
                let share = left / (count - index);
                places.shuffle(stream);
                order.extend(places.iter().cycle().take(share));
                left -= share;
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::sample::Split;

    fn samples(reals: usize, fakes: usize) -> Vec<Sample> {
        let sample = |index: usize| {
            let label = if index < reals { Label::Real } else { Label::Fake };
            Sample::new(format!("{index}.png"), label, "", "", Split::Train)
        };
        (0..reals + fakes).map(sample).collect()
    }

    fn order(samples: &[Sample], batch: usize, balance: Balance) -> Order<'_> {
        Order { samples, batch, balance, frames_per_video: None, paired: false, seed: 0 }
    }

    #[test]
    fn every_picture_once_and_another_order_each_epoch() {
        let samples = samples(20, 12);
        let order = order(&samples, 8, Balance::Loss);
        let first = order.batches(0);
        let mut seen = first.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..32).collect::<Vec<_>>());
        assert_eq!(first, order.batches(0));
        assert_ne!(first, order.batches(1));
        assert_ne!(first, Order { seed: 1, ..order }.batches(0));
    }

    #[test]
    fn sampling_balances_the_classes() {
        let samples = samples(10, 30);
        let order = order(&samples, 4, Balance::Sampling).batches(0).concat();
        let reals = order.iter().filter(|&&place| place < 10).count();
        assert_eq!((reals, order.len()), (20, 40));
    }

    #[test]
    fn sampling_balances_the_subsets() {
        let mut samples = samples(10, 30);
        samples[10..13].iter_mut().for_each(|sample| sample.subset = "rare".to_owned());
        let order = order(&samples, 4, Balance::SubsetSampling);
        for epoch in 0..3 {
            let places = order.batches(epoch).concat();
            let within =
                |range: std::ops::Range<usize>| places.iter().filter(|place| range.contains(place)).count();
            assert_eq!([within(0..10), within(10..13), within(13..40)], [20, 10, 10]);
        }
    }

    #[test]
    fn a_video_gives_as_many_frames_each_epoch_and_others() {
        let mut samples = samples(24, 24);
        for (place, sample) in samples.iter_mut().enumerate() {
            sample.group = (place / 8).to_string();
        }
        let order = Order { frames_per_video: Some(2), ..order(&samples, 4, Balance::Loss) };
        assert_eq!((order.steps(), order.batch_size()), (3, 4));
        let epochs: Vec<Vec<usize>> = (0..12).map(|epoch| order.batches(epoch).concat()).collect();
        for epoch in &epochs {
            for video in 0..6 {
                assert_eq!(epoch.iter().filter(|&&place| place / 8 == video).count(), 2);
            }
        }
        let mut seen = epochs.concat();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 40, "in time most frames are seen, not {}", seen.len());
    }

    #[test]
    fn reals_and_the_fakes_made_of_them_are_in_one_batch() {
        let reals = samples(21, 0);
        let order = Order { paired: true, ..order(&reals, 8, Balance::Loss) };
        let batches = order.batches(3);
        assert_eq!((batches.len(), order.steps()), (5, 5));
        for batch in &batches {
            assert_eq!(batch.len(), 8);
            assert!(batch.chunks(2).all(|pair| pair[0] < 21 && pair[1] == 21 + pair[0]));
        }
        let mut seen = batches.concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 40);
        assert_ne!(batches, order.batches(4));
        let few = Order { samples: &reals[..3], batch: 32, ..order };
        assert_eq!((few.batches(0)[0].len(), few.batch_size()), (6, 6));
    }

    #[test]
    fn a_small_set_is_one_batch() {
        let (five, seventy) = (samples(2, 3), samples(30, 40));
        let small = order(&five, 32, Balance::Loss);
        assert_eq!(small.batches(0)[0].len(), 5);
        assert_eq!((small.steps(), small.batch_size()), (1, 5));
        assert_eq!(order(&seventy, 32, Balance::Loss).steps(), 2);
    }
}
