//! How fast training pictures are fed: the object of `dfrt bench loading --json`. No
//! GPU takes part, so that what is measured is what a GPU could be given at most.

use super::MB;
use crate::train::dataset::{DatasetError, TrainingPictures};
use crate::train::fakes::Fakes;
use crate::train::feed::{self, NothingReadable, Recipe};
use crate::train::pool::allowance::Allowance;
use crate::train::pool::memory;
use crate::train::settings::{BadSettings, Settings};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::pack::{Pack, PackError};
use dfrt_runtime::data::picture;
use dfrt_runtime::metrics::quantile::quantile;
use serde::Serialize;
use std::borrow::Cow;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Why nothing could be measured; each text ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadingError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// The cache of decoded pictures.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The pictures.
    #[error(transparent)]
    Pictures(#[from] NothingReadable),
}

/// How fast pictures are fed.
#[derive(Clone, Debug, Serialize)]
pub struct LoadingBench {
    /// Manifest or folder of pictures.
    pub data: PathBuf,
    /// Side of the network's input in pixels.
    pub res: usize,
    /// Pictures a batch.
    pub batch: usize,
    /// Passes over the pictures.
    pub epochs: usize,
    /// Training pictures, those made of others among them.
    pub n_train: usize,
    /// Where the fakes come from.
    pub fakes: Fakes,
    /// Of these such as cannot be read.
    pub unreadable: usize,
    /// Threads that make batches.
    pub threads: usize,
    /// Pictures a second in the first epoch: every picture is decoded.
    pub first_epoch_images_per_second: f64,
    /// Pictures a second in the median later epoch: what is kept is not decoded again;
    /// none with a single epoch.
    pub later_epochs_images_per_second: Option<f64>,
    /// How the pictures came into the cache's file, where one is asked for.
    pub pack: Option<Packing>,
    /// Pictures that are kept decoded.
    pub cached_images: usize,
    /// Their size in MB of 2^20 bytes.
    pub cached_mb: f64,
    /// What may be kept, in MB of 2^20 bytes.
    pub cache_limit_mb: f64,
    /// Largest resident memory of the process in MB of 10^6 bytes; none where the system
    /// does not say.
    pub peak_rss_mb: Option<f64>,
    /// The way of a picture in the first epoch, measured alone on one thread.
    pub stages: Stages,
}

/// A file of decoded pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Packing {
    /// Pictures in it.
    pub images: usize,
    /// Their size in MB of 2^20 bytes.
    pub mb: f64,
    /// Seconds until it could be used: decoding and writing, or looking whether it is current.
    pub seconds: f64,
    /// Whether it was there and current.
    pub was_current: bool,
}

/// The stages of a picture's way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stages {
    /// Pictures that were measured.
    pub images: usize,
    /// The file's bytes brought into memory.
    pub read: Stage,
    /// Bytes to pixels.
    pub decode: Stage,
    /// The central square, resized.
    pub resize: Stage,
    /// A self-blended image made of the picture; 0 where fakes come from files.
    pub blend: Stage,
    /// What is drawn for the picture, and changes of its colours; windows and mirror
    /// images cost nothing before the pixels are packed.
    pub augment: Stage,
    /// Pixels written into the batch.
    pub pack: Stage,
}

/// What a stage costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Milliseconds a picture, on one thread.
    pub ms: f64,
    /// Of the time of all stages.
    pub share: f64,
}

/// Pictures whose stages are timed at most, evenly spread over the split.
const STAGED: usize = 256;

/// Feeds the training pictures of `settings.data` for `settings.epochs` epochs, as
/// training does but to nobody. What is kept decoded stays within `allowance`.
///
/// # Errors
/// Settings out of range, a data set that cannot be read or has no training pictures
/// of both classes, a class without a readable picture.
pub fn measure(settings: &Settings, allowance: Arc<Allowance>) -> Result<LoadingBench, LoadingError> {
    settings.check()?;
    let manifest = Manifest::of(&settings.data).map_err(DatasetError::from)?;
    let mut train = TrainingPictures::of(settings, &manifest, Arc::clone(&allowance))?;
    let (pack, packing) = match &settings.cache {
        Some(file) => {
            let (decoded, start) = (Cell::new(false), Instant::now());
            let pack = Pack::of(file, &[train.pool.wanted()], &|_, _| decoded.set(true))?;
            let seconds = start.elapsed().as_secs_f64();
            let (images, bytes) = pack.holding();
            let packing = Packing { images, mb: bytes as f64 / MB, seconds, was_current: !decoded.get() };
            (Some(Arc::new(pack)), Some(packing))
        }
        None => (None, None),
    };
    train.pool = train.pool.over(pack);
    let recipe = Recipe {
        pool: &train.pool,
        labels: &train.labels,
        fakes: train.fakes,
        augment: settings.augment,
        res: settings.res,
        seed: settings.seed,
    };
    let mut rates = Vec::with_capacity(settings.epochs);
    for epoch in 0..settings.epochs {
        rates.push(feed(train.order(settings).batches(epoch), recipe, epoch)?);
    }
    let (cached_images, cached_bytes) = train.pool.holding();
    Ok(LoadingBench {
        data: settings.data.clone(),
        res: settings.res,
        batch: train.order(settings).batch_size(),
        epochs: settings.epochs,
        n_train: train.labels.len(),
        fakes: train.fakes,
        unreadable: train.pool.unreadable().len() + train.left_out.len(),
        threads: rayon::current_num_threads(),
        first_epoch_images_per_second: rates[0],
        later_epochs_images_per_second: median(&mut rates[1..]),
        pack: packing,
        cached_images,
        cached_mb: cached_bytes as f64 / MB,
        cache_limit_mb: allowance.limit() as f64 / MB,
        peak_rss_mb: memory::peak_rss_mb(),
        stages: stages(recipe),
    })
}

/// One epoch; its pictures a second.
fn feed(batches: Vec<Vec<usize>>, recipe: Recipe<'_>, epoch: usize) -> Result<f64, LoadingError> {
    let start = Instant::now();
    let images = std::thread::scope(|scope| {
        let mut images = 0;
        for batch in feed::start(scope, recipe, epoch, batches) {
            images += batch?.labels.len();
        }
        Ok::<_, NothingReadable>(images)
    })?;
    Ok(images as f64 / start.elapsed().as_secs_f64().max(1e-9))
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(values, 0.5))
}

/// Times every stage of some pictures on this thread. They have been read before, so
/// that the system has their files in memory where it has room for them.
fn stages(recipe: Recipe<'_>) -> Stages {
    let samples = recipe.pool.samples();
    let mut packed = vec![0; recipe.res * recipe.res];
    let (mut seconds, mut images) = ([0.0; 6], 0);
    for place in (0..samples.len()).step_by(samples.len().div_ceil(STAGED)) {
        if let Some(taken) = staged(recipe, place, &mut packed) {
            seconds.iter_mut().zip(taken).for_each(|(sum, taken)| *sum += taken);
            images += 1;
        }
    }
    let total = seconds.iter().sum::<f64>().max(1e-9);
    let stage = |seconds: f64| Stage { ms: 1e3 * seconds / images.max(1) as f64, share: seconds / total };
    let [read, decode, resize, blend, augment, pack] = seconds.map(stage);
    Stages { images, read, decode, resize, blend, augment, pack }
}

/// Seconds of each stage of one picture; none where it cannot be read.
fn staged(recipe: Recipe<'_>, place: usize, packed: &mut [u32]) -> Option<[f64; 6]> {
    let samples = recipe.pool.samples();
    let path = &samples[place].path;
    let side = recipe.augment.prepared_side(recipe.res);
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed().as_secs_f64();
    let bytes = std::fs::read(path).ok()?;
    let read = lap();
    let decoded = picture::decode(&bytes, path).ok()?;
    let decode = lap();
    let prepared = picture::prepare(&decoded, side);
    let resize = lap();
    let (shown, blend) = match recipe.fakes {
        Fakes::Files => (Cow::Borrowed(&prepared), 0.0),
        Fakes::Sbi => {
            // The feed has read the picture: its face is known, or it cannot be used.
            recipe.pool.face(place)?;
            (recipe.shown(0, samples.len() + place, &prepared), lap())
        }
    };
    let augmented = recipe.augment.apply(&shown, recipe.res, recipe.seed, 0, place);
    let augment = lap();
    augmented.pack_into(packed);
    std::hint::black_box(&packed);
    Some([read, decode, resize, blend, augment, lap()])
}
