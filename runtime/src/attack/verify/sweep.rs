//! sweep.json, recomputed from the attacks at its radii.

use super::VerifyError;
use super::figures::{as_written, differences};
use crate::results::attack::folder::AttackFolder;
use crate::results::attack::sweep::{FILE, Sweep, radii_in};
use crate::results::{ResultError, json};
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
    let reports: Result<Vec<_>, ResultError> =
        radii_in(folder).iter().map(|radius| AttackFolder::new(radius).report()).collect();
    let expected = Sweep::of(reports?);
    let path = folder.join(FILE);
    if !path.exists() {
        let line = format!("{FILE}: is missing; the attack has not come to its end, go on with --resume");
        return Ok((vec![line], expected));
    }
    let found = json::read(&path)?;
    let mut wrong = Vec::new();
    differences(FILE, "", &found, &as_written(&expected), &mut wrong);
    Ok((wrong, expected))
}
