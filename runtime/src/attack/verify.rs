//! Checks an attack's folder again: the saved PNGs are decoded anew, their
//! hashes, their distance and the model's decision recomputed from them alone, and every
//! figure of attack.json from samples.csv, the journal and a suite's stages.

mod figures;
mod sweep;
mod tape;

pub use sweep::sweep;
pub use tape::tape;

use super::judge::REPEATED;
use super::tape::TapeError;
use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use crate::detector::overrides::Overrides;
use crate::detector::session::{Detector, SessionError, TractOracle};
use crate::results::ResultError;
use crate::results::attack::SampleResult;
use crate::results::attack::contents::{Contents, Mixed};
use crate::results::attack::folder::{AttackFolder, AttackFolderError, Side};
use crate::sample::is_right;
use crate::threat::{Distance, Threat, ThreatError};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A logit may differ by this share between two processors or devices; a
/// decision that hangs on less is reported as close, not as wrong.
const LOGIT_TOLERANCE: f32 = 1e-3;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Lines of samples.csv.
    pub samples: usize,
    /// Of these attacked, and so checked against their pictures.
    pub pictures: usize,
    /// Of these successes that hold.
    pub successes: usize,
    /// What does not hold, a line each.
    pub mismatches: Vec<String>,
    /// Decisions so near the threshold that this processor decides otherwise.
    pub close: Vec<String>,
    /// Figures for which the folder holds nothing that they could be recomputed from.
    #[serde(default)]
    pub unchecked: Vec<String>,
}

impl VerifyReport {
    /// Whether everything holds.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Takes in what was found in `folder`, a part of the whole; its pictures are counted.
    pub fn add(&mut self, folder: &str, found: Self) {
        self.samples += found.samples;
        self.pictures += found.pictures;
        self.successes += found.successes;
        self.remark(folder, found);
    }

    /// The same where its pictures are counted already.
    fn remark(&mut self, folder: &str, found: Self) {
        let named = |line: String| format!("{folder}: {line}");
        self.mismatches.extend(found.mismatches.into_iter().map(named));
        self.close.extend(found.close.into_iter().map(named));
        self.unchecked.extend(found.unchecked.into_iter().map(named));
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A result cannot be read.
    #[error(transparent)]
    AttackFolder(#[from] AttackFolderError),
    /// A file of results cannot be read, written or understood.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The folder holds two results.
    #[error(transparent)]
    Mixed(#[from] Mixed),
    /// The model that attack.json names cannot be loaded.
    #[error("{source}; attack.json names this model: run from the same folder, or name it with --model")]
    Model {
        /// Why.
        source: SessionError,
    },
    /// The model is not the one that was attacked.
    #[error(
        "{path}: is not the model that was attacked (SHA-256 {found} instead of {expected}); name that one with --model"
    )]
    OtherModel {
        /// The file.
        path: String,
        /// Its hash.
        found: String,
        /// The one in attack.json.
        expected: String,
    },
    /// The model failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// attack.json names no threat model.
    #[error(transparent)]
    Threat(#[from] ThreatError),
    /// A tape is not the attack's.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// Verifies the attack in `folder` with the ONNX model that attack.json names,
/// or with `model`. A RUN stands for the model.onnx in it.
///
/// # Errors
/// Results or a model that cannot be read, another model than was attacked.
pub fn verify(folder: &Path, model: Option<&Path>) -> Result<VerifyReport, VerifyError> {
    let report = AttackFolder::new(folder).report()?;
    let named = model.map_or_else(|| PathBuf::from(&report.model.path), Path::to_owned);
    let is_run = named.is_dir();
    let path = if is_run { named.join("model.onnx") } else { named };
    let recorded = report.model.reading.as_ref();
    let asked =
        recorded.map_or_else(Overrides::default, |reading| Overrides::recorded(reading, report.model.res));
    let detector = Detector::load_as(&path, 1, &asked).map_err(|source| VerifyError::Model { source })?;
    let (found, expected) = (&detector.info().sha256, &report.model.sha256);
    // A RUN may be named by the hash of its weights instead.
    let weights = detector.metadata().and_then(|metadata| metadata.weights_sha256.as_ref());
    if found != expected && weights != Some(expected) {
        return Err(VerifyError::OtherModel {
            path: path.display().to_string(),
            found: found.clone(),
            expected: expected.clone(),
        });
    }
    verify_with(folder, &TractOracle::new(detector))
}

/// Verifies the attack in `folder`, asking `oracle`.
///
/// # Errors
/// Results that cannot be read, a folder that holds two, a model that fails.
pub fn verify_with(folder: &Path, oracle: &dyn Oracle) -> Result<VerifyReport, VerifyError> {
    let files = AttackFolder::new(folder);
    Contents::alone(folder)?;
    let (report, samples) = (files.report()?, files.samples()?);
    let check = Check {
        threat: Threat::new(report.norm, report.eps_255)?,
        threshold: report.threshold as f32,
        files: &files,
        oracle,
    };
    let attacked = samples.iter().filter(|sample| check.was_right(sample));
    let repeated: HashSet<u64> = attacked.take(REPEATED).map(|sample| sample.id).collect();
    let found: Result<Vec<Finding>, OracleError> = samples
        .par_iter()
        .map(|sample| {
            let mut finding = check.sample(sample)?;
            // Not all of a folder's pictures may fit into memory.
            finding.clean = finding.clean.filter(|_| repeated.contains(&sample.id));
            Ok(finding)
        })
        .collect();
    let mut found = found?;
    let repeated: Vec<RgbImage> = found.iter_mut().filter_map(|it| it.clean.take()).collect();
    let mut checked = VerifyReport {
        samples: samples.len(),
        pictures: found.iter().filter(|it| it.attacked).count(),
        successes: found.iter().filter(|it| it.turned_over).count(),
        mismatches: found.iter().flat_map(|it| it.wrong.clone()).collect(),
        close: found.into_iter().filter_map(|it| it.close).collect(),
        unchecked: Vec::new(),
    };
    figures::check(&files, &report, &samples, &repeated, oracle, &mut checked)?;
    Ok(checked)
}

struct Check<'a> {
    threat: Threat,
    threshold: f32,
    files: &'a AttackFolder,
    oracle: &'a dyn Oracle,
}

#[derive(Default)]
struct Finding {
    attacked: bool,
    turned_over: bool,
    wrong: Vec<String>,
    close: Option<String>,
    /// The clean picture, where it is of the model's size.
    clean: Option<RgbImage>,
}

impl Check<'_> {
    fn was_right(&self, sample: &SampleResult) -> bool {
        is_right(sample.clean_logit, sample.label, self.threshold)
    }

    fn sample(&self, sample: &SampleResult) -> Result<Finding, OracleError> {
        if !self.was_right(sample) {
            let wrong = sample
                .success
                .then(|| format!("sample {}: a success on a picture that was wrong before", sample.id));
            return Ok(Finding { wrong: wrong.into_iter().collect(), ..Finding::default() });
        }
        let mut finding = Finding { attacked: true, ..Finding::default() };
        let sides = [(Side::Clean, &sample.clean_sha256), (Side::Adversarial, &sample.adv_sha256)];
        let mut pictures = Vec::with_capacity(2);
        for (side, expected) in sides {
            match self.files.picture(side, sample.id) {
                Ok((picture, found)) => {
                    if found != *expected {
                        let path = self.files.picture_path(side, sample.id);
                        finding.wrong.push(format!(
                            "{}: was changed: SHA-256 {found} instead of {expected}",
                            path.display()
                        ));
                    }
                    pictures.push(picture);
                }
                Err(error) => finding.wrong.push(error.to_string()),
            }
        }
        let [clean, adversarial] = &pictures[..] else { return Ok(finding) };
        let side = self.oracle.res() as u32;
        if clean.dimensions() != (side, side) || adversarial.dimensions() != (side, side) {
            finding.wrong.push(format!("sample {}: its pictures are not of {side} px", sample.id));
            return Ok(finding);
        }
        let distance = Distance::between(clean, adversarial);
        finding.wrong.extend(self.distance(sample, distance));
        for (name, picture, logit, expected) in [
            ("clean", clean, sample.clean_logit, true),
            ("adversarial", adversarial, sample.adv_logit, !sample.success),
        ] {
            let asked = self.oracle.logits(&Batch::of(self.oracle.res(), [picture]))?[0];
            self.decision(sample, name, (logit, asked), expected, &mut finding);
        }
        finding.turned_over = sample.success && finding.wrong.is_empty();
        finding.clean = pictures.into_iter().next();
        Ok(finding)
    }

    fn distance(&self, sample: &SampleResult, distance: Distance) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.threat.contains(distance) {
            wrong.push(format!(
                "sample {}: lies outside the ball: Linf {}/255, L2 {:.3}/255, epsilon {}/255",
                sample.id,
                distance.linf_255,
                distance.l2() * 255.0,
                self.threat.eps_255
            ));
        }
        if distance.linf_255 != sample.linf_255 || (distance.l2() - sample.l2).abs() > 1e-9 {
            wrong.push(format!(
                "sample {}: its distance is Linf {}/255, L2 {}, not Linf {}/255, L2 {}",
                sample.id,
                distance.linf_255,
                distance.l2(),
                sample.linf_255,
                sample.l2
            ));
        }
        wrong
    }

    /// Compares a recorded logit with the one just asked: the value within the
    /// tolerance, and the side of the threshold that `right` calls for.
    fn decision(
        &self,
        sample: &SampleResult,
        name: &str,
        (recorded, asked): (f32, f32),
        right: bool,
        finding: &mut Finding,
    ) {
        let allowed = LOGIT_TOLERANCE * recorded.abs().max(1.0);
        let same =
            (recorded - asked).abs() <= allowed || recorded.is_nan() && asked.is_nan() || recorded == asked;
        if !same {
            finding.wrong.push(format!(
                "sample {}: the model says {asked} to its {name} picture, not {recorded}",
                sample.id
            ));
        }
        let decided = |logit| is_right(logit, sample.label, self.threshold) == right;
        // A logit that is no number is no success either.
        if !recorded.is_finite() || (decided(asked) && decided(recorded)) {
            return;
        }
        let text = format!(
            "sample {}: its {name} picture is decided otherwise: logit {asked}, recorded {recorded}, threshold {}",
            sample.id, self.threshold
        );
        if same && decided(recorded) { finding.close = Some(text) } else { finding.wrong.push(text) }
    }
}
