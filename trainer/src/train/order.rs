//! Which pictures a step takes. Decided by (seed, epoch) alone.

use super::balance::Balance;
use dfrt_runtime::data::manifest::{Label, Sample};
use dfrt_runtime::random;
use rand::seq::SliceRandom;

/// The samples of an epoch, as places in `samples`, in batches of `batch`; an
/// incomplete last batch is left out, and every epoch shuffles anew. Sets smaller
/// than a batch give one batch of their size ([`batch_size`]).
pub fn batches(
    samples: &[Sample],
    batch: usize,
    balance: Balance,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<usize>> {
    let mut stream = random::stream(seed, &["order".into(), (epoch as u64).into()]);
    let mut order: Vec<usize> = match balance {
        Balance::None | Balance::Loss => (0..samples.len()).collect(),
        Balance::Sampling => evened(samples, &mut stream),
    };
    order.shuffle(&mut stream);
    order.truncate(samples.len());
    order.chunks_exact(batch_size(samples.len(), batch)).map(<[usize]>::to_vec).collect()
}

/// The places of an epoch's pairs in batches of `batch`, which is even: of `reals` real
/// pictures, in an order shuffled anew, each beside the fake that is made of it, whose place
/// is `reals` further on.
pub fn pairs(reals: usize, batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut stream = random::stream(seed, &["order".into(), (epoch as u64).into()]);
    let mut order: Vec<usize> = (0..reals).collect();
    order.shuffle(&mut stream);
    let pair = |&place: &usize| [place, reals + place];
    let half = batch_size(2 * reals, batch) / 2;
    order.chunks_exact(half.max(1)).map(|reals| reals.iter().flat_map(pair).collect()).collect()
}

/// The batch that is used: `batch`, or the whole set where that is smaller.
pub fn batch_size(samples: usize, batch: usize) -> usize {
    batch.min(samples).max(1)
}

/// Steps of an epoch.
pub fn steps(samples: usize, batch: usize) -> usize {
    samples / batch_size(samples, batch)
}

/// As many of each class: the smaller is repeated, whole rounds first.
fn evened(samples: &[Sample], stream: &mut impl rand::Rng) -> Vec<usize> {
    let of = |label: Label| -> Vec<usize> {
        (0..samples.len()).filter(|&place| samples[place].label == label).collect()
    };
    let half = samples.len().div_ceil(2);
    let mut order = Vec::with_capacity(2 * half);
    for mut places in [of(Label::Real), of(Label::Fake)] {
        places.shuffle(stream);
        order.extend(places.iter().cycle().take(half));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::data::manifest::Split;

    fn samples(reals: usize, fakes: usize) -> Vec<Sample> {
        let sample = |index: usize| {
            let label = if index < reals { Label::Real } else { Label::Fake };
            Sample::new(format!("{index}.png"), label, "", "", Split::Train)
        };
        (0..reals + fakes).map(sample).collect()
    }

    #[test]
    fn every_picture_once_and_another_order_each_epoch() {
        let samples = samples(20, 12);
        let first = batches(&samples, 8, Balance::Loss, 0, 0);
        let mut seen = first.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..32).collect::<Vec<_>>());
        assert_eq!(first, batches(&samples, 8, Balance::Loss, 0, 0));
        assert_ne!(first, batches(&samples, 8, Balance::Loss, 0, 1));
        assert_ne!(first, batches(&samples, 8, Balance::Loss, 1, 0));
    }

    #[test]
    fn sampling_evens_the_classes_out() {
        let samples = samples(10, 30);
        let order = batches(&samples, 4, Balance::Sampling, 0, 0).concat();
        let reals = order.iter().filter(|&&place| place < 10).count();
        assert_eq!((reals, order.len()), (20, 40));
    }

    #[test]
    fn reals_and_the_fakes_made_of_them_are_in_one_batch() {
        let batches = pairs(21, 8, 0, 3);
        assert_eq!((batches.len(), steps(42, 8)), (5, 5));
        for batch in &batches {
            assert_eq!(batch.len(), 8);
            assert!(batch.chunks(2).all(|pair| pair[0] < 21 && pair[1] == 21 + pair[0]));
        }
        let mut seen = batches.concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 40);
        assert_ne!(batches, pairs(21, 8, 0, 4));
        assert_eq!(pairs(3, 32, 0, 0)[0].len(), 6);
    }

    #[test]
    fn a_small_set_is_one_batch() {
        assert_eq!(batches(&samples(2, 3), 32, Balance::Loss, 0, 0)[0].len(), 5);
        assert_eq!(steps(5, 32), 1);
        assert_eq!(steps(70, 32), 2);
    }
}
