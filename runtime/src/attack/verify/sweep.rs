//! sweep.json, recomputed from the attacks at its radii.

use super::VerifyError;
use super::figures::{as_written, differences};
use crate::attack::dossier::{Dossier, DossierError, garbled};
use crate::attack::sweep::{FILE, Sweep, radii_in};
use crate::storage;
use std::path::Path;

/// What of sweep.json in `folder` does not follow from the attack.json of every radius, a
/// line each, and the sweep that does.
///
/// # Errors
/// An attack.json that cannot be read, a sweep.json that is none.
///
/// # Panics
/// There is no radius in `folder`.
pub fn sweep(folder: &Path) -> Result<(Vec<String>, Sweep), VerifyError> {
    let reports: Result<Vec<_>, DossierError> =
        radii_in(folder).iter().map(|radius| Dossier::new(radius).report()).collect();
    let expected = Sweep::of(reports?);
    let path = folder.join(FILE);
    if !path.exists() {
        let line = format!("{FILE}: is missing; the attack has not come to its end, go on with --resume");
        return Ok((vec![line], expected));
    }
    let bytes = storage::read(&path).map_err(DossierError::from)?;
    let found = serde_json::from_slice(&bytes).map_err(|error| garbled(&path, &error.to_string()))?;
    let mut wrong = Vec::new();
    differences(FILE, "", &found, &as_written(&expected), &mut wrong);
    Ok((wrong, expected))
}
