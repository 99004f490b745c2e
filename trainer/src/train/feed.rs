//! Batches made ahead by a pool of decoding threads, so that the GPU does not wait.

use super::augment::Augmentation;
use super::pool::Pool;
use crate::plan::resident::pack_bytes;
use dfrt_runtime::data::manifest::Label;
use dfrt_runtime::random;
use image::RgbImage;
use rayon::prelude::*;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Batches that are made ahead.
const AHEAD: usize = 3;

/// A batch as the training plan takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FedBatch {
    /// Pixels [N, H, W], red in the lowest byte.
    pub bytes: Vec<u32>,
    /// Labels \[N\].
    pub labels: Vec<Label>,
    /// Keys of the masks [N, 2].
    pub keys: Vec<u32>,
}

/// What a batch is made from.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The pictures.
    pub pool: &'a Pool,
    /// Labels that are trained on, by sample.
    pub labels: &'a [Label],
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
        let made: Result<Vec<(usize, RgbImage)>, _> = places
            .par_iter()
            .map(|&place| {
                let (place, prepared) = self.readable(place)?;
                Ok((place, self.augment.apply(&prepared, self.res, self.seed, epoch, place)))
            })
            .collect();
        let made = made?;
        let key = |place: usize| {
            let name = ["mask".into(), (epoch as u64).into(), (place as u64).into()];
            let bits = random::key(self.seed, &name);
            [bits as u32, (bits >> 32) as u32]
        };
        Ok(FedBatch {
            bytes: pack_bytes(made.iter().map(|(_, picture)| picture)),
            labels: made.iter().map(|&(place, _)| self.labels[place]).collect(),
            keys: made.iter().flat_map(|&(place, _)| key(place)).collect(),
        })
    }

    fn readable(&self, wanted: usize) -> Result<(usize, RgbImage), NothingReadable> {
        let label = self.labels[wanted];
        let candidates = (wanted..self.labels.len()).chain(0..wanted);
        for place in candidates.filter(|&place| self.labels[place] == label) {
            if let Some(picture) = self.pool.picture(place) {
                return Ok((place, picture));
            }
        }
        let first = self.pool.unreadable().into_iter().next().unwrap_or_default();
        Err(NothingReadable { label, first })
    }
}

/// Makes `batches` in order on another thread, a few ahead of the reader.
pub fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    recipe: Recipe<'scope>,
    epoch: usize,
    batches: Vec<Vec<usize>>,
) -> Receiver<Result<FedBatch, NothingReadable>> {
    let (sender, receiver) = sync_channel(AHEAD);
    scope.spawn(move || {
        for places in batches {
            // A reader that has gone wants no more.
            if sender.send(recipe.make(epoch, &places)).is_err() {
                return;
            }
        }
    });
    receiver
}
