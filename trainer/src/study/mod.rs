//! A study: trains every arm with every seed, evaluates and attacks the models, and compares the
//! arms. It is a list of units of work ([`dfrt_runtime::results::jobs`]), each of which leaves a file:
//! what is done is not done again, and a study can grow by an arm, a seed, an attack or a radius.
//! [`dfrt_runtime::results::study`] describes its folder, which `dfrt report` renders again.

pub mod arms;
mod audit;
mod bad;
mod done;
pub mod estimate;
mod explain;
mod hashes;
mod measure;
pub mod preset;
pub mod settings;
mod starting;
mod training;

use crate::explain::ExplainError;
use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use crate::train::dataset::{self, DatasetError};
use crate::train::deployed::NetworkError;
use crate::train::run::{self, TrainError};
use crate::train::tensorboard::Unwritable;
pub use bad::BadStudy;
use dfrt_runtime::attack::case::CaseError;
use dfrt_runtime::attack::catalog::Choice;
use dfrt_runtime::attack::networks::BuildError;
use dfrt_runtime::attack::transferred::TransferError;
use dfrt_runtime::attack::trial::Progress;
use dfrt_runtime::data::manifest::{self, Manifest};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::evaluate::EvaluateError;
use dfrt_runtime::detector::model::ModelError;
use dfrt_runtime::detector::session::SessionError;
use dfrt_runtime::report::{self, ReportError, Written, merge};
use dfrt_runtime::results::ResultError;
use dfrt_runtime::results::audited;
use dfrt_runtime::results::jobs::{self, Job, JobList, Work};
use dfrt_runtime::results::lock::{Lock, LockError};
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::study::{self, CONFIG, Report};
use dfrt_runtime::storage::{self, StorageError};
use hashes::Hashes;
use serde_json::{Value, json};
use settings::{StudySettings, data_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The files and folders that `--force` may replace, besides those of the arms.
pub const OWN: [&str; 4] = [CONFIG, jobs::LIST, study::FILE, audited::FILE];

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
    /// A RUN of the folder that was trained in another way.
    #[error(
        "{}: was trained with other settings: {difference}; give the arm another name, choose another --out, or replace the study with --force",
        run.display()
    )]
    OtherRun {
        /// The RUN.
        run: PathBuf,
        /// Every setting that differs, with both values.
        difference: String,
    },
    /// A RUN of the folder that was trained on other pictures.
    #[error(
        "{}: was trained on other pictures than --data names now; restore the data set, choose another --out, or replace the study with --force",
        run.display()
    )]
    OtherPictures {
        /// The RUN.
        run: PathBuf,
    },
    /// A job that is not in the list.
    #[error("job {job}: there are jobs 1 to {jobs}; `dfrt study --plan` lists them")]
    NoJob {
        /// The given number.
        job: usize,
        /// The number of jobs.
        jobs: usize,
    },
    /// A job that needs the result of another one.
    #[error("{job}: needs the model of {run}, which is not trained yet; do the jobs in their order")]
    NotTrained {
        /// The job.
        job: String,
        /// The folder of the RUN.
        run: String,
    },
    /// A transfer that needs an attack's pictures.
    #[error(
        "{run}: the attack {attack} is not made yet, and its pictures are to be judged; do the jobs in their order"
    )]
    NotAttacked {
        /// The folder of the attack.
        attack: String,
        /// The folder of the RUN.
        run: String,
    },
    /// The adversarial pictures of other models.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A folder that another process has locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A trained model that does not exist.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An explanation.
    #[error(transparent)]
    Explain(#[from] Box<ExplainError>),
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
    /// Its training over `epochs` epochs into the folder `run` of the study starts; returns the
    /// observer of that.
    ///
    /// # Errors
    /// What the observer writes to cannot be written.
    fn training(&mut self, run: &str, epochs: usize) -> Result<Box<dyn run::Observer + '_>, Unwritable>;
    /// Its training is done. `skipped` are the pictures that could not be read, which the file `summary`
    /// also lists.
    fn trained(&mut self, skipped: &[String], summary: &Path);
    /// `done` of `total` pictures are evaluated.
    fn evaluated(&mut self, done: usize, total: usize);
    /// The attack of the arm in the folder `name` starts.
    fn attack(&mut self, name: &str);
    /// `holder` had locked the folder `out` and ended before its work was done; the lock is taken over.
    fn lock_taken_over(&mut self, out: &Path, holder: &str);
    /// `done` of `total` pictures of the data set are audited.
    fn audited(&self, done: usize, total: usize);
    /// The explanation is at `what`, with `done` of `total` pictures.
    fn explained(&mut self, what: &str, done: usize, total: usize);
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
    explained: Chosen,
    cross: Vec<(String, Chosen)>,
    /// The hash of the training data's manifest.
    data_sha256: String,
    hashes: Hashes,
}

impl<'a> Study<'a> {
    /// A study in the folder `out`, whose detectors are measured on the pictures `test`, and on those of the
    /// other data sets `cross`. Checks the training pictures before any work.
    ///
    /// # Errors
    /// A data set that cannot be used.
    pub fn open(
        settings: &'a StudySettings,
        out: &'a Path,
        engine: Arc<Engine>,
        test: Chosen,
        cross: Vec<Chosen>,
    ) -> Result<Self, StudyError> {
        dataset::check(&settings.train)?;
        let data_sha256 = Manifest::of(&settings.train.data).map_err(DatasetError::from)?.sha256();
        let fewer = |limit: usize| {
            let chosen = manifest::limit(&test.chosen, limit.min(test.chosen.len()), 0);
            Chosen { chosen, ..test.clone() }
        };
        let (attacked, explained) = (fewer(settings.attack_limit), fewer(settings.explain));
        let cross = settings.cross_data.iter().map(|path| data_name(path)).zip(cross).collect();
        let hashes = Hashes::default();
        Ok(Self { settings, out, engine, test, attacked, explained, cross, data_sha256, hashes })
    }

    /// The units of work, in an order in which they can be done.
    ///
    /// # Errors
    /// A radius that cannot be used.
    pub fn jobs(&self) -> Result<Vec<Job>, StudyError> {
        let threats = self.settings.threats()?;
        let mut works = vec![Work::Train, Work::Evaluate];
        works.extend(self.cross.iter().map(|(name, _)| Work::CrossData(name.clone())));
        works.extend(self.settings.corruptions.then_some(Work::Corrupt));
        works.extend((self.settings.explain > 0).then_some(Work::Explain));
        for threat in threats {
            let folder = |choice: &Choice| Work::Attack(choice.folder(&[threat]));
            works.extend(self.settings.attacks.iter().map(folder));
        }
        let mut jobs = Vec::new();
        let mut add = |seed: u64, works: &[Work]| {
            for arm in &self.settings.arms {
                let job = |work: &Work| Job {
                    arm: arm.name.clone(),
                    seed,
                    run: folder(&arm.name, seed),
                    work: work.clone(),
                };
                jobs.extend(works.iter().map(job));
            }
        };
        for &seed in &self.settings.seeds {
            add(seed, &works);
            if self.settings.transfer && self.settings.arms.len() > 1 {
                // Every model's pictures are judged by all models of that seed.
                add(seed, &[Work::Transfer]);
            }
        }
        Ok(jobs)
    }

    /// Writes study.toml and the list of jobs.
    ///
    /// # Errors
    /// A file that cannot be written, a radius that cannot be used.
    pub fn write_plan(&self) -> Result<Vec<Job>, StudyError> {
        storage::write(&self.out.join(CONFIG), self.settings.to_toml().as_bytes())?;
        let config = serde_json::to_value(self.settings).expect("plain values");
        let list = JobList { config, environment: self.environment(), jobs: self.jobs()? };
        list.write(self.out)?;
        Ok(list.jobs)
    }

    /// Does the jobs that are not done yet, merges all results and writes the report.
    ///
    /// # Errors
    /// The error of a training, an evaluation, an attack or a file.
    pub fn run(&self, observer: &mut (dyn Observer + Sync)) -> Result<(Report, Written), StudyError> {
        let jobs = self.write_plan()?;
        // A RUN of another study is found before hours of work, not after.
        for job in &jobs {
            self.is_done(job)?;
        }
        self.audit(observer)?;
        for of_run in
            jobs.chunk_by(|a, b| a.run == b.run && a.work != Work::Transfer && b.work != Work::Transfer)
        {
            observer.arm(&of_run[0].arm, of_run[0].seed);
            self.work(of_run, observer)?;
        }
        self.report()
    }

    /// Does one job, counted from 1, if it is not done.
    ///
    /// # Errors
    /// There is no such job; the job's own error.
    pub fn run_job(&self, number: usize, observer: &mut (dyn Observer + Sync)) -> Result<Job, StudyError> {
        let jobs = self.write_plan()?;
        let missing = StudyError::NoJob { job: number, jobs: jobs.len() };
        let job = number.checked_sub(1).and_then(|index| jobs.get(index)).ok_or(missing)?;
        self.audit(observer)?;
        observer.arm(&job.arm, job.seed);
        self.work(std::slice::from_ref(job), observer)?;
        Ok(job.clone())
    }

    /// Merges the results that are there, and writes the report.
    ///
    /// # Errors
    /// A result or file that cannot be read or written.
    pub fn report(&self) -> Result<(Report, Written), StudyError> {
        for arm in &self.settings.arms {
            self.publish(&arm.name)?;
        }
        let (report, extras) = merge::merge(self.out)?;
        let written = report::write(self.out, &report, &extras)?;
        Ok((report, written))
    }

    /// Does the jobs of one RUN.
    fn work(&self, jobs: &[Job], observer: &mut (dyn Observer + Sync)) -> Result<(), StudyError> {
        let at = self.out.join(&jobs[0].run);
        let _lock = lock(&at, observer)?;
        let mut rest = Vec::new();
        for job in jobs {
            if self.is_done(job)? {
                continue;
            }
            match job.work {
                Work::Train => self.train(job, &at, observer)?,
                _ => rest.push(job),
            }
        }
        if rest.is_empty() { Ok(()) } else { self.measure(&rest, &at, observer) }
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

    /// Copies the arm's model of the first seed to NAME.onnx, where it is trained.
    fn publish(&self, name: &str) -> Result<(), StudyError> {
        let seed = self.settings.seeds[0];
        let model = self.out.join(folder(name, seed)).join(files::MODEL);
        if !model.exists() {
            return Ok(());
        }
        Ok(storage::write(&self.out.join(format!("{name}.onnx")), &storage::read(&model)?)?)
    }
}

/// The folders of the arms' RUNs.
pub fn run_folders(settings: &StudySettings) -> Vec<String> {
    let of =
        |arm: &arms::ArmSpec| settings.seeds.iter().map(|&seed| folder(&arm.name, seed)).collect::<Vec<_>>();
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
