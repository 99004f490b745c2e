//! Checks an attack's folder again: the saved PNGs are decoded anew, their
//! hashes, their distance and the model's decision recomputed from them alone, and every
//! figure of attack.json from samples.csv, the journal and a suite's stages.

mod figures;
mod found;
mod pictures;
mod sweep;
mod trace;

pub use figures::verify_with;
pub use found::{VerifyError, VerifyReport};
pub use sweep::sweep;
pub use trace::trace;

use crate::detector::overrides::Overrides;
use crate::detector::session::{Detector, TractOracle};
use crate::results::attack::folder::AttackFolder;
use std::path::{Path, PathBuf};

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
