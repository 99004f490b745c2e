//! A study: the object of report.json, and the layout of the folder that it lies in:
//! ```text
//! report.json
//! audit.json                            what the audit of the data set found ([`super::audited`])
//! <arm>-seed<k>/                        the arm's RUN ([`super::run`])
//!   eval.json  scores.csv               its evaluation ([`super::evaluation`])
//!   attacks/<method>-<norm>-<eps>/      its attacks ([`super::attack`])
//!   cross/<data>/eval.json              its evaluations on other data sets
//!   corrupt.json                        its evaluation on corrupted pictures ([`super::corruption`])
//!   transfer.json                       other models' adversarial pictures ([`super::transfer`])
//!   explain/                            why it is as robust as it is ([`super::explanation`])
//! ```
//! and of the list of its units of work, jobs.json ([`super::jobs`]).

use super::attack::AttackReport;
use super::attack::folder::AttackFolder;
use super::audited::Audited;
use super::corruption::Corrupted;
use super::evaluation::Evaluation;
use super::explanation::Explanation;
use super::figure::ArmFigure;
use super::run::Outcome;
use super::transfer::Transfer;
use super::{ResultError, json};
use crate::metrics::{Estimate, Needed, Scope};
use crate::storage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the study's result.
pub const FILE: &str = "report.json";
/// The name of its resolved settings.
pub const CONFIG: &str = "study.toml";
/// The folder of the attacks in an arm's RUN.
pub const ATTACKS: &str = "attacks";

/// The folder of the evaluations on other data sets in an arm's RUN.
pub const CROSS: &str = "cross";

/// The arm that the others are compared with.
pub const BASELINE: &str = "baseline";
/// The arm that takes as many gradient evaluations as the regularised ones, without what these
/// do with them: where there is one, the others are compared with it as well.
pub const COMPUTE_MATCHED: &str = "compute-matched";

/// The object of report.json.
///
/// ```
/// use dfrt_runtime::report::{Extras, render, write};
/// use dfrt_runtime::results::study::Report;
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// One trained model each.
    pub arms: Vec<Arm>,
    /// Every arm against the baseline, and others that the study wants.
    pub comparisons: Vec<Comparison>,
    /// Every figure of every arm over its seeds.
    // Reports from before 2026-11-29 lack it.
    #[serde(default)]
    pub figures: Vec<ArmFigure>,
    /// The resolved settings of the study.
    pub config: Value,
    /// Versions, device, driver, date.
    pub environment: Value,
    /// Why the detectors are as robust as they are, without the loss surfaces, which are in the models'
    /// own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// What the audit of the data set found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audited>,
    /// Units of work whose results are not there, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One trained model: its clean metrics and every attack on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Its training.
    // Reports from before 2026-11-29 lack this and the fields after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Outcome>,
    /// Evaluations on other data sets, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cross: BTreeMap<String, Evaluation>,
    /// The evaluation on corrupted pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupted: Option<Corrupted>,
    /// Other models' adversarial pictures, judged by this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// One figure of an arm against the same of another, paired over the same pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with, normally "baseline".
    pub against: String,
    /// "auc", "robust_accuracy[square linf 8/255]", …
    pub metric: String,
    /// arm - against, averaged over the seeds both have.
    pub difference: f64,
    /// Lower end of the 95 % interval, over groups and, in the scope of the method, seeds. It
    /// is this comparison's alone, and extended to zero where the verdict does not reject that.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The two-sided p of `test`; none where there are too few people or videos for it.
    pub p: Option<f64>,
    /// Of the number: "higher", "lower", "no effect shown", "too few to tell". It follows
    /// `p_holm`, or `p` where a report has none.
    pub verdict: String,
    /// "mcnemar", "sign-flip", "bootstrap" or "crossed" ([`crate::metrics::paired::Test`]); none
    /// in reports of versions whose verdict and p came from two tests.
    // Reports from before 2026-11-28 lack this and the four fields after it.
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
    /// As `detectable`, if every picture were of another person or video; of shares of
    /// pictures only.
    #[serde(default)]
    pub detectable_pictures: Option<f64>,
    /// `p` corrected by Holm's method for all comparisons of the report.
    // Reports from before 2026-11-29 lack this and the fields after it.
    #[serde(default)]
    pub p_holm: Option<f64>,
    /// How many comparisons `p_holm` is corrected for.
    #[serde(default)]
    pub family: Option<usize>,
    /// Whether interval, p and verdict speak of the way of training or of these models.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// The training seeds that both have.
    #[serde(default)]
    pub seeds: Option<usize>,
    /// The standard deviation of their differences; none for one.
    #[serde(default)]
    pub deviation: Option<f64>,
    /// The probability that a model of the arm has a higher figure than one of the other, with
    /// its 95 % interval ([`crate::metrics::improvement`]).
    #[serde(default)]
    pub probability_of_improvement: Option<Estimate>,
    /// The study that would show a difference of 5 points, or the one found where that is
    /// larger; none where the verdict is a difference, or none within reason would.
    #[serde(default)]
    pub needed: Option<Needed>,
    /// The verdict as a sentence: "better by …", "worse by …", "no difference larger than …",
    /// "cannot tell: …".
    #[serde(default)]
    pub words: Option<String>,
}

/// The JSON Schema (draft 2020-12) of report.json.
pub fn schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

impl Report {
    /// Writes report.json into `dir`, creating it, and gives its path.
    ///
    /// # Errors
    /// The file cannot be written, or a figure is no finite number: that would be written as
    /// null and could not be read back.
    pub fn write(&self, dir: &Path) -> Result<PathBuf, ResultError> {
        let path = dir.join(FILE);
        json::write(&path, self)?;
        Ok(path)
    }

    /// Reads the report.json of `dir`.
    ///
    /// # Errors
    /// The file is missing, no JSON, or no report; the message names it and the place.
    pub fn read(dir: &Path) -> Result<Self, ResultError> {
        let path = dir.join(FILE);
        serde_json::from_slice(&storage::read(&path)?)
            .map_err(|error| ResultError::garbled(&path, format!("not the report of a study ({error})")))
    }

    /// Whether every arm, seed and attack of `other` is here, too, and its explanation.
    pub fn has_all_of(&self, other: &Self) -> bool {
        (self.explanation.is_some() || other.explanation.is_none())
            && other.arms.iter().all(|theirs| {
                let own = self.arms.iter().find(|own| (&own.name, own.seed) == (&theirs.name, theirs.seed));
                own.is_some_and(|own| {
                    theirs.attacks.iter().all(|attack| own.attack_place(&attack_key(attack)).is_some())
                })
            })
    }

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
    /// An arm with nothing but its evaluation and attacks.
    pub fn new(name: &str, seed: u64, run: &str, eval: Evaluation, attacks: Vec<AttackReport>) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            run: run.to_owned(),
            eval,
            attacks,
            training: None,
            cross: BTreeMap::new(),
            corrupted: None,
            transfer: None,
        }
    }

    /// The files of `attack`, one of the arm's, in the study's folder `dir`.
    pub fn attack_files(&self, dir: &Path, attack: &AttackReport) -> AttackFolder {
        AttackFolder::new(&dir.join(&self.run).join(ATTACKS).join(attack_folder(attack)))
    }

    /// The place of the attack `key` ([`attack_key`]) among this arm's.
    pub fn attack_place(&self, key: &str) -> Option<usize> {
        self.attacks.iter().position(|attack| attack_key(attack) == key)
    }
}

/// What an attack is called: "square linf 8/255", "square l2 0.5".
pub fn attack_key(attack: &AttackReport) -> String {
    format!("{} {} {}", attack.method, attack.norm, attack.threat().radius())
}

/// The name of an attack's folder in its arm's: "square-linf-8", "square-l2-0.5".
pub fn attack_folder(attack: &AttackReport) -> String {
    format!("{}-{}-{}", attack.method, attack.norm, attack.threat().in_names())
}
