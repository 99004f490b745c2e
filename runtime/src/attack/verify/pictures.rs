//! The saved pictures of an attack: their hashes, their distance and the model's decision,
//! recomputed from them alone.

use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use crate::results::attack::folder::{AttackFolder, Side};
use crate::results::attack::{SampleResult, attacked};
use crate::sample::is_right;
use crate::threat::{Distance, Threat};
use image::RgbImage;

/// A logit may differ by this share between two processors or devices; a
/// decision that hangs on less is reported as close, not as wrong.
const LOGIT_TOLERANCE: f32 = 1e-3;

/// What the pictures of an attack are compared with.
pub(super) struct Check<'a> {
    pub threat: Threat,
    pub threshold: f32,
    pub files: &'a AttackFolder,
    pub oracle: &'a dyn Oracle,
}

/// What was found of a sample.
#[derive(Default)]
pub(super) struct Finding {
    pub attacked: bool,
    pub turned_over: bool,
    pub wrong: Vec<String>,
    pub close: Option<String>,
    /// The clean picture, where it is of the model's size.
    pub clean: Option<RgbImage>,
}

impl Check<'_> {
    pub fn sample(&self, sample: &SampleResult) -> Result<Finding, OracleError> {
        if !attacked(sample, self.threshold) {
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
