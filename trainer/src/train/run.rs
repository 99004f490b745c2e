//! The training loop, which writes a RUN.

use super::balance::LossWeights;
use super::checkpoint::{Best, Checkpoint, CheckpointError, Progress};
use super::dataset::{self, DatasetError, TrainingPictures};
use super::feed::{self, FedBatch, NothingReadable, Recipe};
use super::fitting::{self, Memory};
use super::outcome;
use super::pool::Pool;
use super::pool::allowance::Allowance;
use super::schedule::Schedule;
use super::selection::{RobustValidation, Robustness};
use super::settings::{self, BadSettings, Settings};
use super::stepper::{Losses, Stepper};
use super::tensorboard::Unwritable;
use super::validation::{self, Validation};
use crate::evaluator::Evaluator;
use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use crate::model::files::weights_file;
use crate::model::graph::Graph;
use crate::model::import::{ImportError, Source};
use crate::model::weights::{Weights, WeightsError};
use crate::plan::resident::Resident;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::pack::{Pack, PackError};
use dfrt_runtime::random;
use dfrt_runtime::results::ResultError;
use dfrt_runtime::results::run::{Outcome, files};
use dfrt_runtime::results::training_log::{Entry, TrainingLog};
use dfrt_runtime::storage::{self, StorageError};
use rand::seq::SliceRandom;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Why training failed. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// The data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The pictures.
    #[error(transparent)]
    Pictures(#[from] NothingReadable),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The device is too small for the batch.
    #[error(
        "batch {requested} does not fit: {source}; --batch {batch} fits, and so does --micro-batch {batch}"
    )]
    DoesNotFit {
        /// What the device said.
        source: GpuError,
        /// The batch of the settings.
        requested: usize,
        /// A batch that would fit.
        batch: usize,
    },
    /// The cache of decoded pictures.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Weights that cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file of weights to start from.
    #[error(transparent)]
    Import(Box<ImportError>),
    /// A file of the RUN.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log that an earlier call left.
    #[error(transparent)]
    Log(#[from] ResultError),
    /// There is no checkpoint to resume.
    #[error("{}: no checkpoint to resume; start without --resume", path.display())]
    NothingToResume {
        /// The RUN.
        path: PathBuf,
    },
    /// What watches the run cannot write.
    #[error(transparent)]
    Watching(#[from] Unwritable),
    /// The loss is NaN or infinite.
    #[error("the loss is not a finite number at step {step}; lower --lr, or the radius of the method")]
    Diverged {
        /// The step, counted from 1.
        step: usize,
    },
}

impl From<ImportError> for TrainError {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}

/// Receives the progress of a run.
pub trait Observer {
    /// Pictures are decoded into the cache: `done` of `total`.
    fn packing(&mut self, _done: usize, _total: usize) {}
    /// The run starts; called once, before the first step.
    fn begin(&mut self, plan: &Overview);
    /// `done` steps are done; the last loss and the rate.
    fn steps(&mut self, done: usize, loss: f32, images_per_second: f64);
    /// An epoch is done.
    fn epoch(&mut self, entry: &Entry);
    /// A line of log.jsonl is written: of every step and every epoch, in their order.
    ///
    /// # Errors
    /// The observer writes it as well, and cannot; the run then ends.
    fn logged(&mut self, _entry: &Entry) -> Result<(), Unwritable> {
        Ok(())
    }
}

/// The size of a run.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Steps of the complete run.
    pub total_steps: usize,
    /// Steps that are done already, in a resumed run.
    pub done_steps: usize,
    /// The best epoch of those that are done already.
    pub best: Option<Best>,
    /// Pictures per step.
    pub batch: usize,
    /// Training pictures.
    pub n_train: usize,
    /// Validation pictures.
    pub n_val: usize,
    /// Device memory of the plans in MB.
    pub gpu_mb: f64,
    /// The rules that decided what the data set does not record (groups, splits), one line each.
    pub rules: Vec<String>,
}

/// What a run trains with, and where it writes.
struct Run<'a> {
    settings: &'a Settings,
    out: &'a Path,
    engine: Arc<Engine>,
    graph: Graph,
    train: TrainingPictures,
    val: Pool,
    weights: LossWeights,
    batch: usize,
    steps_an_epoch: usize,
    data_sha256: String,
    manifest_skipped: Vec<String>,
    manifest_rules: Vec<String>,
}

/// Trains with `settings` and writes the RUN to the folder `out`. With `resume` it continues from the
/// checkpoint there, and ends with the same bits as an uninterrupted run.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    settings: &Settings,
    out: &Path,
    engine: Arc<Engine>,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    settings.check()?;
    let run = Run::open(settings, out, engine, observer)?;
    let network = Resident::new(Arc::clone(&run.engine), run.graph.clone(), &run.initial_weights()?)?;
    let mut session = Session::plan(&run, &network).map_err(|error| run.with_fitting_batch(error))?;
    if resume {
        session.restore()?;
    } else {
        storage::write(&out.join(files::CONFIG), settings.to_toml().as_bytes())?;
    }
    session.run(observer)
}

impl<'a> Run<'a> {
    fn open(
        settings: &'a Settings,
        out: &'a Path,
        engine: Arc<Engine>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        let graph = settings.graph()?;
        let manifest = Manifest::of(&settings.data).map_err(DatasetError::from)?;
        let mut train = TrainingPictures::of(settings, &manifest, Allowance::of_this_process())?;
        let (val, left_out) = dataset::validation(settings, &manifest)?;
        let weights = train.weights(settings);
        if settings.shuffle_labels {
            train.labels.shuffle(&mut random::stream(settings.seed, &["shuffled-labels".into()]));
        }
        let pack = match &settings.cache {
            Some(file) => {
                let observer = RefCell::new(observer);
                let progress = |done, total| observer.borrow_mut().packing(done, total);
                Some(Arc::new(Pack::of(file, &[train.pool.wanted(), val.wanted()], &progress)?))
            }
            None => None,
        };
        train.pool = train.pool.with_pack(pack.clone());
        let order = train.order(settings);
        let (batch, steps_an_epoch) = (order.batch_size(), order.steps());
        let data_sha256 = manifest.sha256();
        Ok(Self {
            settings,
            out,
            engine,
            weights,
            batch,
            steps_an_epoch,
            manifest_rules: manifest.rules,
            manifest_skipped: [manifest.skipped, train.left_out.clone(), left_out].concat(),
            train,
            val: val.with_pack(pack),
            graph,
            data_sha256,
        })
    }

    fn initial_weights(&self) -> Result<Weights, TrainError> {
        match &self.settings.init {
            Some(path) => {
                let source = Source::open(path, &self.settings.checkpoint)?;
                Ok(source.weights(&self.graph, self.settings.seed)?.weights)
            }
            None => Ok(Weights::initial(&self.graph, self.settings.seed)),
        }
    }

    /// Adds a batch that would fit to an error about too little memory.
    fn with_fitting_batch(&self, error: TrainError) -> TrainError {
        let tensor = self.engine.tensor_limit();
        let pool = match &error {
            TrainError::Gpu(GpuError::TensorTooLarge { .. }) => u64::MAX,
            // The free memory is unknown; a third of what was refused may be free.
            TrainError::Gpu(GpuError::OutOfMemory { needed_mb, .. }) => (needed_mb << 20) / 3,
            _ => return error,
        };
        let (part, micro) = (settings::part, self.settings.micro_batch);
        match (error, fitting::largest_batch(self.settings, Memory { pool, tensor })) {
            (TrainError::Gpu(source), Ok(Some(batch))) if batch < part(self.batch, micro) => {
                TrainError::DoesNotFit { source, requested: self.batch, batch }
            }
            (error, _) => error,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }
}

struct Session<'a> {
    run: &'a Run<'a>,
    network: &'a Resident,
    stepper: Stepper<'a>,
    evaluator: Evaluator,
    robust: Option<RobustValidation>,
    progress: Progress,
    seconds: f64,
    images: usize,
    gpu_mb: f64,
}

impl<'a> Session<'a> {
    fn plan(run: &'a Run<'a>, network: &'a Resident) -> Result<Self, TrainError> {
        let part = settings::part(run.batch, run.settings.micro_batch);
        let stepper = Stepper::plan(run.settings, network, part, run.batch / part)?;
        let evaluator = Evaluator::sharing_memory(network, part, stepper.executable())?;
        let gpu_mb = (stepper.bytes() + evaluator.own_bytes()) as f64 / f64::from(1 << 20);
        let robust = run.settings.robust_radius();
        let robust = robust
            .map(|eps| RobustValidation::plan(&run.settings.selection, eps, &evaluator, &run.val))
            .transpose()?;
        let progress = Progress::default();
        Ok(Self { run, network, stepper, evaluator, robust, progress, seconds: 0.0, images: 0, gpu_mb })
    }

    fn restore(&mut self) -> Result<(), TrainError> {
        let path = self.run.file(files::LAST);
        if !path.exists() {
            return Err(TrainError::NothingToResume { path: self.run.out.to_owned() });
        }
        let len = self.network.layout.len;
        let checkpoint =
            Checkpoint::load(&path, &self.run.graph, self.run.settings, &self.run.data_sha256, len)?;
        self.network.load(&checkpoint.weights);
        self.stepper.restore(&checkpoint.first, &checkpoint.second);
        self.progress = checkpoint.progress;
        Ok(())
    }

    fn save(&self) -> Result<(), TrainError> {
        let [first, second] = self.stepper.moments()?;
        let weights = self.network.weights(self.progress.step as u64)?;
        let checkpoint = Checkpoint { progress: self.progress, weights, first, second };
        let path = self.run.file(files::LAST);
        Ok(checkpoint.save(&path, &self.run.graph, self.run.settings, &self.run.data_sha256)?)
    }

    fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let run = self.run;
        let mut log = TrainingLog::open(&run.file(files::LOG), self.progress.step, self.progress.epoch)?;
        observer.begin(&Overview {
            total_steps: run.settings.total_epochs() * run.steps_an_epoch,
            done_steps: self.progress.step,
            best: self.progress.best,
            batch: run.batch,
            n_train: run.train.labels.len(),
            n_val: run.val.samples().len(),
            gpu_mb: self.gpu_mb,
            rules: run.manifest_rules.clone(),
        });
        while self.progress.epoch < run.settings.total_epochs()
            && !self.out_of_patience()
            && !self.progress.overfitted
        {
            self.epoch(&mut log, observer)?;
        }
        self.finish()
    }

    fn out_of_patience(&self) -> bool {
        // Until the radius is full, no epoch is expected to be better than the one before.
        let settings = self.run.settings;
        let full = settings.method.arm().adversary();
        let full = full.map_or(0, |adversary| adversary.first_full_epoch(settings.total_epochs()));
        let best = self.progress.best.map_or(self.progress.epoch, |best| best.epoch);
        let since = self.progress.epoch.saturating_sub(best.max(full));
        self.run.settings.patience.is_some_and(|patience| since > patience)
    }

    /// Trains to the end of the current epoch.
    fn epoch(&mut self, log: &mut TrainingLog, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let run = self.run;
        let settings = run.settings;
        let start = Instant::now();
        let epoch = self.progress.epoch;
        let mut batches = run.train.order(settings).batches(epoch);
        batches.drain(..self.progress.batch);
        let images = batches.len() * run.batch;
        let recipe = Recipe {
            pool: &run.train.pool,
            labels: &run.train.labels,
            fakes: run.train.fakes,
            augment: settings.augment,
            res: settings.res,
            seed: settings.seed,
        };
        std::thread::scope(|scope| {
            let feed = feed::start(scope, recipe, epoch, batches);
            self.steps(feed, log, observer)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        self.seconds += seconds;
        self.images += images;
        let train_loss = self.progress.loss_sum / run.steps_an_epoch as f64;
        self.evaluator.refresh()?;
        let validation = validation::validate(&self.evaluator, &run.val)?;
        let measure = |robust: &RobustValidation| robust.measure(&self.evaluator, validation.threshold);
        let robustness = self.robust.as_ref().map(measure).transpose()?;
        let best = self.keep_if_best(&validation, robustness)?;
        if let Some(robustness) = robustness {
            // Other methods are not trained against single steps.
            self.progress.overfitted = settings.method.arm().adversary().is_some()
                && robustness.is_overfitted(self.progress.most_robust);
            self.progress.most_robust = self.progress.most_robust.max(robustness.accuracy);
        }
        let entry = Entry::Epoch {
            epoch: epoch + 1,
            train_loss,
            val_loss: validation.loss,
            val_auc: validation.auc,
            val_balanced_accuracy: validation.balanced_accuracy,
            val_robust_accuracy: robustness.map(|robustness| robustness.accuracy),
            val_robust_auc: robustness.and_then(|robustness| robustness.auc),
            best,
            seconds,
            images_per_second: images as f64 / seconds.max(1e-9),
        };
        log.write(&entry)?;
        observer.logged(&entry)?;
        observer.epoch(&entry);
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.progress.loss_sum = 0.0;
        self.progress.train_loss = train_loss;
        self.save()
    }

    fn steps(
        &mut self,
        feed: std::sync::mpsc::Receiver<Result<FedBatch, NothingReadable>>,
        log: &mut TrainingLog,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let run = self.run;
        let schedule = Schedule::new(run.settings, run.steps_an_epoch);
        let mut unread = Vec::new();
        let mut clock = Instant::now();
        for batch in feed {
            let scalars = schedule.step(self.progress.step, unread.len());
            self.stepper.run(&batch?, &run.weights, scalars)?;
            self.progress.step += 1;
            self.progress.batch += 1;
            unread.push((self.progress.step, scalars.learning_rate));
            let checkpoint = run.settings.checkpoint_steps.is_some_and(|steps| {
                self.progress.step.is_multiple_of(steps) && self.progress.batch < run.steps_an_epoch
            });
            let last = self.progress.batch == run.steps_an_epoch;
            if unread.len() == self.stepper.steps_a_read() || checkpoint || last {
                let count = unread.len();
                let loss = self.read_losses(&mut unread, log, observer)?;
                let rate = (count * run.batch) as f64 / clock.elapsed().as_secs_f64().max(1e-9);
                observer.steps(self.progress.step, loss, rate);
                clock = Instant::now();
            }
            if checkpoint {
                self.save()?;
            }
        }
        Ok(())
    }

    /// Reads the losses of the steps since the last time, logs them, and returns the last.
    fn read_losses(
        &mut self,
        unread: &mut Vec<(usize, f32)>,
        log: &mut TrainingLog,
        observer: &mut dyn Observer,
    ) -> Result<f32, TrainError> {
        let Losses { plain: losses, perturbed } = self.stepper.losses(unread.len())?;
        for (slot, (step, lr)) in unread.drain(..).enumerate() {
            let loss = losses[slot];
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            self.progress.loss_sum += f64::from(loss);
            let perturbed_loss = perturbed.as_ref().map(|losses| losses[slot]);
            let epoch = self.progress.epoch + 1;
            let entry = Entry::Step { step, epoch, loss, perturbed_loss, lr };
            log.write(&entry)?;
            observer.logged(&entry)?;
        }
        Ok(losses[losses.len() - 1])
    }

    /// Saves the weights if the epoch is the best so far by the criterion, then by a higher AUC, then by
    /// a lower loss.
    fn keep_if_best(
        &mut self,
        validation: &Validation,
        robustness: Option<Robustness>,
    ) -> Result<bool, TrainError> {
        let best = Best {
            epoch: self.progress.epoch + 1,
            auc: validation.auc,
            loss: validation.loss,
            threshold: validation.threshold,
            robust_accuracy: robustness.map(|robustness| robustness.accuracy),
            robust_auc: robustness.and_then(|robustness| robustness.auc),
        };
        let criterion = self.run.settings.criterion();
        let score = |best: &Best| {
            let worth = criterion.worth(best.auc, best.robust_accuracy, best.robust_auc);
            (worth, best.auc.unwrap_or(0.0), -best.loss)
        };
        if self.progress.best.is_some_and(|earlier| score(&best) <= score(&earlier)) {
            return Ok(false);
        }
        let weights = self.network.weights(self.progress.step as u64)?;
        let metadata =
            BTreeMap::from([(weights_file::THRESHOLD_KEY.to_owned(), f64::from(best.threshold).to_string())]);
        let path = self.run.file(files::BEST);
        weights_file::save(&path, &self.run.graph, &weights, &BTreeMap::new(), &metadata)?;
        self.progress.best = Some(best);
        Ok(true)
    }

    fn finish(&self) -> Result<Outcome, TrainError> {
        let run = self.run;
        let best = self.progress.best.expect("a run has at least one epoch");
        let weights = weights_file::load(&run.file(files::BEST), &run.graph)?.weights;
        let metadata = outcome::metadata(run.settings, &run.graph, &best, &weights, &run.data_sha256);
        outcome::export(&run.file(files::MODEL), &run.graph, &weights, &metadata, None)?;
        let mut skipped = run.manifest_skipped.clone();
        skipped.extend(run.train.pool.unreadable());
        skipped.extend(run.val.unreadable());
        let outcome = Outcome {
            arch: run.settings.arch.clone(),
            res: run.settings.res,
            method: run.settings.method.name().to_owned(),
            seed: run.settings.seed,
            parameters: run.graph.parameter_count(),
            n_train: run.train.labels.len(),
            n_val: run.val.samples().len(),
            epochs: self.progress.epoch,
            steps: self.progress.step,
            stopped_early: self.progress.epoch < run.settings.total_epochs(),
            best_epoch: best.epoch,
            val_auc: best.auc,
            val_loss: best.loss,
            selected_by: Some(run.settings.criterion().to_string()),
            val_robust_accuracy: best.robust_accuracy,
            val_robust_auc: best.robust_auc,
            overfitted: self.progress.overfitted,
            threshold: best.threshold,
            train_loss: self.progress.train_loss,
            images_per_second: self.images as f64 / self.seconds.max(1e-9),
            gpu_mb: self.gpu_mb,
            device: format!("{} ({})", run.engine.info().name, run.engine.info().driver),
            skipped,
            weights_sha256: weights.sha256(&run.graph),
            data_sha256: run.data_sha256.clone(),
        };
        let text = serde_json::to_string_pretty(&outcome).expect("plain values");
        storage::write(&run.file(files::SUMMARY), text.as_bytes())?;
        Ok(outcome)
    }
}
