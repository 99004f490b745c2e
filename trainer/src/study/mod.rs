//! A study: trains every arm with every seed, evaluates and attacks the models, and compares the
//! arms. [`dfrt_runtime::results::study`] describes its folder, which `dfrt report` renders again.

pub mod settings;

use crate::attack::device::GpuDevice;
use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use crate::train::dataset::{self, DatasetError};
use crate::train::deployed::{self, NetworkError};
use crate::train::run::{self, TrainError};
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::between;
use dfrt_runtime::attack::case::{Case, CaseError};
use dfrt_runtime::attack::catalog::{self, Choice};
use dfrt_runtime::attack::networks::{BuildError, Networks, WhiteBox};
use dfrt_runtime::attack::trial::Progress;
use dfrt_runtime::data::manifest;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::evaluate::{self, EvaluateError};
use dfrt_runtime::detector::model::{Model, ModelError};
use dfrt_runtime::detector::session::{SessionError, TractOracle};
use dfrt_runtime::report::{self, Extras, ReportError, Written};
use dfrt_runtime::results::ResultError;
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::evaluation::{self, Evaluation};
use dfrt_runtime::results::lock::{Lock, LockError};
use dfrt_runtime::results::run::{Outcome, files};
use dfrt_runtime::results::study::{self, ATTACKS, Arm, CONFIG, Report};
use dfrt_runtime::storage::{self, StorageError};
use dfrt_runtime::threat::Threat;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use settings::{BadStudy, StudySettings};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The files and folders that `--force` may replace, besides those of the arms.
pub const OWN: [&str; 2] = [CONFIG, study::FILE];

/// Why a study failed. Finished parts stay, and it can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] BadStudy),
    /// The training pictures.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A training run.
    #[error("{arm}, seed {seed}: {source}")]
    Train {
        /// The arm.
        arm: String,
        /// Its seed.
        seed: u64,
        /// What failed.
        source: Box<TrainError>,
    },
    /// A folder that another process has locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A trained model that does not exist.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A trained model that cannot be loaded.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An evaluation.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A network that cannot be loaded onto the device.
    #[error(transparent)]
    Network(#[from] Box<NetworkError>),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// An attack that cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An attack that failed.
    #[error(transparent)]
    Case(#[from] Box<CaseError>),
    /// A file of results.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// A file.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Receives the progress of a study.
pub trait Observer {
    /// The arm `name` with `seed` starts.
    fn arm(&mut self, name: &str, seed: u64);
    /// Its training over `epochs` epochs starts; returns the observer of that.
    fn training(&mut self, epochs: usize) -> Box<dyn run::Observer + '_>;
    /// Its training is done. `skipped` are the pictures that could not be read, which the file `summary`
    /// also lists.
    fn trained(&mut self, skipped: &[String], summary: &Path);
    /// `done` of `total` pictures are evaluated.
    fn evaluated(&mut self, done: usize, total: usize);
    /// The attack of the arm in the folder `name` starts.
    fn attack(&mut self, name: &str);
    /// `holder` had locked the folder `out` and ended before its work was done; the lock is taken over.
    fn lock_taken_over(&mut self, out: &Path, holder: &str);
    /// The progress of the attack `name`.
    fn attacked(&self, name: &str, at: Progress);
}

/// A study, ready to run.
pub struct Study<'a> {
    settings: &'a StudySettings,
    out: &'a Path,
    engine: Arc<Engine>,
    test: Chosen,
    attacked: Chosen,
}

impl<'a> Study<'a> {
    /// A study in the folder `out`, whose detectors are measured on the pictures `test`. Checks the
    /// training pictures before any work.
    ///
    /// # Errors
    /// A data set that cannot be used.
    pub fn open(
        settings: &'a StudySettings,
        out: &'a Path,
        engine: Arc<Engine>,
        test: Chosen,
    ) -> Result<Self, StudyError> {
        dataset::check(&settings.train)?;
        let fewer = settings.attack_limit.min(test.chosen.len());
        let chosen = manifest::limit(&test.chosen, fewer, 0);
        let attacked = Chosen { chosen, ..test.clone() };
        Ok(Self { settings, out, engine, test, attacked })
    }

    /// Runs the parts that are not finished yet and writes the report.
    ///
    /// # Errors
    /// The error of a training, an evaluation, an attack or a file.
    pub fn run(&self, observer: &mut (dyn Observer + Sync)) -> Result<(Report, Written), StudyError> {
        let text = self.settings.to_toml();
        storage::write(&self.out.join(CONFIG), text.as_bytes())?;
        let mut arms = Vec::new();
        for &seed in &self.settings.seeds {
            for name in &self.settings.arms {
                observer.arm(name, seed);
                arms.push(self.arm(name, seed, observer)?);
            }
        }
        for name in &self.settings.arms {
            self.publish(name)?;
        }
        let mut report = Report {
            arms,
            comparisons: Vec::new(),
            figures: Vec::new(),
            config: serde_json::to_value(self.settings).expect("plain values"),
            environment: self.environment(),
        };
        let extras = Extras::load(self.out, &report);
        report.comparisons = report::compare::comparisons(&report, &extras, 0)?;
        report.figures = report::figures::figures(&report, &extras, 0)?;
        let written = report::write(self.out, &report, &extras)?;
        Ok((report, written))
    }

    /// Trains, evaluates and attacks one arm with one seed.
    fn arm(&self, name: &str, seed: u64, observer: &mut (dyn Observer + Sync)) -> Result<Arm, StudyError> {
        let run = folder(name, seed);
        let at = self.out.join(&run);
        let _lock = lock(&at, observer)?;
        self.train(name, seed, &at, observer)?;
        let model = Model::find(&at)?;
        let oracle = TractOracle::new(model.load()?);
        let eval = self.evaluate(&model, &oracle, &at, observer)?;
        let network = deployed::resident(&model, Arc::clone(&self.engine)).map_err(Box::new)?;
        // All attacks share the network on the device.
        let batch = catalog::BATCH.min(self.attacked.chosen.len()).max(1);
        let threshold = oracle.detector().threshold();
        let own = WhiteBox::new(GpuDevice::new(&network, batch)?, threshold, None);
        let networks = Networks { own: Some(own), surrogate: None };
        let mut attacks = Vec::new();
        let plans = self.settings.plans();
        // Each attack is built once for all radii.
        let made: Result<Vec<_>, _> = plans.iter().map(|plan| networks.attack(plan)).collect();
        let made = made?;
        for threat in self.settings.threats()? {
            for (plan, attack) in plans.iter().zip(&made) {
                let name = Choice::One(plan.method).folder(&[threat]);
                attacks.push(self.attack(
                    &model,
                    &oracle,
                    (&name, attack.as_ref(), threat),
                    &at,
                    observer,
                )?);
            }
        }
        between::add_gates(&mut attacks);
        Ok(Arm { name: name.to_owned(), seed, run, eval, attacks })
    }

    fn train(
        &self,
        name: &str,
        seed: u64,
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let summary = at.join(files::SUMMARY);
        if earlier::<Outcome>(&summary).is_some() {
            return Ok(());
        }
        let settings = self.settings.training(name, seed)?;
        let resume = at.join(files::LAST).exists();
        let mut watch = observer.training(settings.epochs);
        let outcome = run::train(&settings, at, Arc::clone(&self.engine), resume, watch.as_mut());
        drop(watch);
        let failed = |error| StudyError::Train { arm: name.to_owned(), seed, source: Box::new(error) };
        observer.trained(&outcome.map_err(failed)?.skipped, &summary);
        Ok(())
    }

    fn evaluate(
        &self,
        model: &Model,
        oracle: &TractOracle,
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<Evaluation, StudyError> {
        let path = at.join(evaluation::FILE);
        let info = model.info(oracle.detector());
        if let Some(evaluation) = earlier::<Evaluation>(&path)
            && evaluation.model.sha256 == info.sha256
        {
            return Ok(evaluation);
        }
        let observer = RefCell::new(observer);
        let progress = |done, total| observer.borrow_mut().evaluated(done, total);
        let (evaluation, scores) = evaluate::evaluate_chosen(oracle, &info, &self.test, &progress)?;
        evaluation.write(&path, &scores)?;
        Ok(evaluation)
    }

    fn attack(
        &self,
        model: &Model,
        oracle: &TractOracle,
        (name, attack, threat): (&str, &dyn Attack, Threat),
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<AttackReport, StudyError> {
        let path = at.join(ATTACKS).join(name);
        let _lock = lock(&path, observer)?;
        observer.attack(name);
        let observer = &*observer;
        let case = Case {
            model: &model.info(oracle.detector()),
            oracle,
            data: &self.attacked,
            folder: &path,
            resume: true,
            deadline: None,
            trace: None,
            progress: &|name, at| observer.attacked(name, at),
        };
        Ok(case.judge(attack, threat).map_err(Box::new)?.report)
    }

    /// Versions, devices, time.
    fn environment(&self) -> Value {
        let device = self.engine.info();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        json!({
            "dfrt": env!("CARGO_PKG_VERSION"),
            "gpu": device.name,
            "gpu_type": device.kind,
            "api": device.api,
            "driver": device.driver,
            "cpu_threads": std::thread::available_parallelism().map_or(1, usize::from),
            "os": std::env::consts::OS,
            "cpu_architecture": std::env::consts::ARCH,
            "finished_unix": since.map_or(0, |since| since.as_secs()),
        })
    }

    /// Copies the arm's model of the first seed to NAME.onnx.
    fn publish(&self, name: &str) -> Result<(), StudyError> {
        let seed = self.settings.seeds[0];
        let bytes = storage::read(&self.out.join(folder(name, seed)).join(files::MODEL))?;
        Ok(storage::write(&self.out.join(format!("{name}.onnx")), &bytes)?)
    }
}

/// The folders of the arms' RUNs.
pub fn run_folders(settings: &StudySettings) -> Vec<String> {
    let of = |name: &String| settings.seeds.iter().map(|&seed| folder(name, seed)).collect::<Vec<_>>();
    settings.arms.iter().flat_map(of).collect()
}

fn folder(name: &str, seed: u64) -> String {
    format!("{name}-seed{seed}")
}

fn lock(out: &Path, observer: &mut (dyn Observer + Sync)) -> Result<Lock, LockError> {
    let lock = Lock::of(out)?;
    if let Some(holder) = lock.left_by() {
        observer.lock_taken_over(out, holder);
    }
    Ok(lock)
}

/// Reads the result of an earlier session; none if it is missing or damaged.
fn earlier<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
