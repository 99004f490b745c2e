//! The object of a study's report.json; its renderings stand beside it.
//!
//! [`compare`] makes its comparisons from the arms' per-picture results;
//! [`extras`] reads those from beside report.json; [`page`] says in sentences and
//! tables what a reader is to see, and [`markdown`] and [`html`] set that;
//! [`plots`] and [`examples`] draw; [`tables`] are the same figures as CSV;
//! [`folder`] writes it all and renders it again. [`sweep`] and [`grid`] show a single
//! attack, at several radii and in pictures, [`corrupted`] a detector on worse pictures.

pub mod compare;
pub mod corrupted;
pub mod examples;
pub mod extras;
pub mod folder;
pub mod grid;
pub mod html;
pub mod markdown;
mod numbers;
pub mod page;
pub mod plots;
pub mod sweep;
pub mod tables;

use crate::attack::result::AttackReport;
use crate::attack::threat::Norm;
use crate::detector::evaluate::Evaluation;
use crate::storage::StorageError;
pub use extras::Extras;
pub use folder::{Written, render, write};
pub use numbers::p_value;
pub use page::could_have_shown;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// The arm that the others are compared with.
pub const BASELINE: &str = "baseline";

/// Why a report cannot be made; the text names the place and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file is there and does not hold what it should.
    #[error("{}: {reason}; restore the file, or run again what wrote it", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there are lines.
        reason: String,
    },
    /// Two arms have no pictures in common, or an attack's are not among the scored ones.
    #[error("{place}: {reason}; evaluate and attack every arm on the same data, split and limit")]
    Unaligned {
        /// The arms or the attack.
        place: String,
        /// What does not fit.
        reason: String,
    },
    /// A figure that is no finite number; JSON cannot hold it.
    #[error("report.json would hold {0}; leave the figure out (null) where it is undefined")]
    NotFinite(String),
    /// A picture could not be drawn or encoded.
    #[error("{name}: cannot be drawn: {reason}; please report this with the report.json")]
    Drawing {
        /// The plot or picture.
        name: String,
        /// What the drawing code said.
        reason: String,
    },
}

/// The object of report.json.
///
/// ```
/// use dfrt_runtime::report::{Extras, Report, render, write};
///
/// let report: Report = serde_json::from_str(
///     r#"{"arms": [], "config": {}, "environment": {}, "comparisons": [
///         {"arm": "gr", "against": "baseline", "metric": "auc", "difference": -0.009,
///          "low": -0.024, "high": 0.004, "p": 0.2, "verdict": "no effect shown"}]}"#,
/// )?;
/// let folder = tempfile::tempdir()?;
/// write(folder.path(), &report, &Extras::default())?;
/// let text = std::fs::read_to_string(folder.path().join("report.md"))?;
/// assert!(text.contains("no effect"));
/// // report.json is all that is needed to make the others again.
/// std::fs::remove_file(folder.path().join("report.md"))?;
/// render(folder.path())?;
/// assert_eq!(std::fs::read_to_string(folder.path().join("report.md"))?, text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// One trained model each.
    pub arms: Vec<Arm>,
    /// Every arm against the baseline.
    pub comparisons: Vec<Comparison>,
    /// The resolved settings of the study.
    pub config: Value,
    /// Versions, device, driver, date.
    pub environment: Value,
}

/// One trained model: its clean metrics and every attack on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// "baseline", "gr", …
    pub name: String,
    /// The training seed.
    pub seed: u64,
    /// The RUN's folder, relative to the report.
    pub run: String,
    /// Clean metrics on the test split.
    pub eval: Evaluation,
    /// The attacks, in the order they ran.
    pub attacks: Vec<AttackReport>,
}

/// One figure of an arm against the same of another, paired over the same pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with, normally "baseline".
    pub against: String,
    /// "auc", "robust_accuracy[square linf 8/255]", …
    pub metric: String,
    /// arm - against, averaged over the seeds both have.
    pub difference: f64,
    /// Lower end of the 95 % interval, over groups.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The two-sided p of `test`, which the verdict follows; none where there are too few
    /// people or videos for it.
    pub p: Option<f64>,
    /// In words: "higher", "lower", "no effect shown", "too few to tell".
    pub verdict: String,
    /// "mcnemar", "sign-flip" or "bootstrap" ([`crate::metrics::paired::Test`]); none in reports
    /// of versions whose verdict and p came from two tests.
    #[serde(default)]
    pub test: Option<String>,
    /// Pictures that both have.
    #[serde(default)]
    pub pictures: Option<usize>,
    /// People or videos that they show.
    #[serde(default)]
    pub groups: Option<usize>,
    /// The smallest true difference that these had four chances in five to show; none where
    /// they are too few to show any.
    #[serde(default)]
    pub detectable: Option<f64>,
    /// The same if every picture were of another person or video; shares of pictures only.
    #[serde(default)]
    pub detectable_pictures: Option<f64>,
}

impl Report {
    /// The arms' names, each once, in the order of their first seed.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for arm in &self.arms {
            if !names.contains(&arm.name.as_str()) {
                names.push(&arm.name);
            }
        }
        names
    }

    /// Indices into `arms` of the seeds of the arm `name`.
    pub fn seeds_of(&self, name: &str) -> Vec<usize> {
        (0..self.arms.len()).filter(|&index| self.arms[index].name == name).collect()
    }

    /// The keys ([`attack_key`]) of all attacks, each once, in the order they ran.
    pub fn attack_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for attack in self.arms.iter().flat_map(|arm| &arm.attacks) {
            let key = attack_key(attack);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl Arm {
    /// The place of the attack `key` ([`attack_key`]) among this arm's.
    pub fn attack_place(&self, key: &str) -> Option<usize> {
        self.attacks.iter().position(|attack| attack_key(attack) == key)
    }
}

/// What an attack is called: "square linf 8/255", "square l2 0.5".
pub fn attack_key(attack: &AttackReport) -> String {
    format!("{} {} {}", attack.method, norm_name(attack.norm), attack.threat().radius())
}

/// The name of an attack's folder in its arm's: "square-linf-8", "square-l2-0.5".
pub fn attack_folder(attack: &AttackReport) -> String {
    format!("{}-{}-{}", attack.method, norm_name(attack.norm), attack.threat().in_names())
}

/// The name of a norm: "linf" or "l2".
pub fn norm_name(norm: Norm) -> &'static str {
    match norm {
        Norm::Linf => "linf",
        Norm::L2 => "l2",
    }
}
