//! The units of work of a study: jobs.json. Each leaves its own file in the study's folder
//! ([`super::study`]), so that a study can be interrupted, grow, or be made on several machines.

use super::attack::folder::AttackFolder;
use super::explanation::{self, one_model};
use super::run::files;
use super::study::{ATTACKS, CROSS};
use super::{ResultError, corruption, evaluation, json, transfer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// The name of the list.
pub const LIST: &str = "jobs.json";

/// The object of jobs.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    /// The resolved settings of the study.
    pub config: Value,
    /// Versions, device, driver of the machine that wrote the list.
    pub environment: Value,
    /// The units of work, in an order in which they can be done.
    pub jobs: Vec<Job>,
}

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The arm.
    pub arm: String,
    /// Its training seed.
    pub seed: u64,
    /// The folder of its RUN, relative to the study's.
    pub run: String,
    /// What is done.
    #[serde(flatten)]
    pub work: Work,
}

/// What is done with an arm and a seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", content = "name", rename_all = "kebab-case")]
pub enum Work {
    /// Its training.
    Train,
    /// Its evaluation on the test pictures.
    Evaluate,
    /// Its evaluation on another data set of that name.
    CrossData(String),
    /// Its evaluation on corrupted pictures.
    Corrupt,
    /// The attack in the folder of that name.
    Attack(String),
    /// The other models' adversarial pictures, judged by it.
    Transfer,
    /// Why it is as robust as it is.
    Explain,
}

impl fmt::Display for Work {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Train => out.write_str("train"),
            Self::Evaluate => out.write_str("evaluate"),
            Self::CrossData(name) => write!(out, "evaluate on {name}"),
            Self::Corrupt => out.write_str("corrupt"),
            Self::Attack(name) => write!(out, "attack {name}"),
            Self::Transfer => out.write_str("transfer"),
            Self::Explain => out.write_str("explain"),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, seed {}: {}", self.arm, self.seed, self.work)
    }
}

impl Job {
    /// The file that the job leaves in the study's folder `dir` when it is done.
    pub fn result(&self, dir: &Path) -> PathBuf {
        let run = dir.join(&self.run);
        match &self.work {
            Work::Train => run.join(files::SUMMARY),
            Work::Evaluate => run.join(evaluation::FILE),
            Work::CrossData(name) => run.join(CROSS).join(name).join(evaluation::FILE),
            Work::Corrupt => run.join(corruption::FILE),
            Work::Attack(name) => AttackFolder::new(&run.join(ATTACKS).join(name)).report_path(),
            Work::Transfer => run.join(transfer::FILE),
            Work::Explain => run.join(explanation::FOLDER).join(one_model::FILE),
        }
    }
}

impl JobList {
    /// Writes jobs.json into `dir`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ResultError> {
        json::write(&dir.join(LIST), self)
    }

    /// Reads jobs.json of `dir`; none if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is no such list.
    pub fn read(dir: &Path) -> Result<Option<Self>, ResultError> {
        let path = dir.join(LIST);
        if path.exists() { json::read(&path).map(Some) } else { Ok(None) }
    }
}
