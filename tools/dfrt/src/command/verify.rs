//! `dfrt verify`: an attack's folder checked again.

use super::attack;
use crate::model::Model;
use crate::output::{self, Lines};
use anyhow::{Result, bail};
use argh::FromArgs;
use dfrt_runtime::attack::dossier::Dossier;
use dfrt_runtime::attack::verify::{self, VerifyError, VerifyReport};
use dfrt_runtime::detector::asked::Asked;
use dfrt_runtime::detector::session::TractOracle;
use std::path::{Path, PathBuf};

/// decode the saved adversarial pictures again and check distance, decision, hashes
/// and the figures of attack.json
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "verify",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} gr-square-linf-8",
    error_code(1, "Something does not hold.")
)]
pub struct Verify {
    /// folder that `dfrt attack` wrote
    #[argh(positional)]
    folder: PathBuf,
    /// the model that was attacked (default: the one that attack.json names)
    #[argh(option)]
    model: Option<PathBuf>,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}

impl Verify {
    /// Of several radii all together.
    fn verified(&self) -> Result<VerifyReport> {
        let radii = attack::radii_in(&self.folder);
        if radii.is_empty() {
            return self.verified_in(&self.folder);
        }
        let mut all = VerifyReport::default();
        for folder in radii {
            let named = |line: String| format!("{}: {line}", folder.display());
            let found = self.verified_in(&folder)?;
            all.samples += found.samples;
            all.pictures += found.pictures;
            all.successes += found.successes;
            all.mismatches.extend(found.mismatches.into_iter().map(named));
            all.close.extend(found.close.into_iter().map(named));
        }
        Ok(all)
    }

    /// A file of another program is read as it was when it was attacked.
    fn verified_in(&self, folder: &Path) -> Result<VerifyReport> {
        let attacked = Dossier::new(folder).report()?.model;
        let Some(reading) = &attacked.reading else {
            return Ok(verify::verify(folder, self.model.as_deref())?);
        };
        let named = Model::find(self.model.as_deref().unwrap_or(Path::new(&attacked.path)))?;
        let asked = Asked::recorded(reading, attacked.res);
        let detector = named.load_as(&asked).map_err(|source| VerifyError::Model { source })?;
        let (found, path) = (detector.info().sha256.clone(), named.onnx.display().to_string());
        if found != attacked.sha256 {
            return Err(VerifyError::OtherModel { path, found, expected: attacked.sha256 }.into());
        }
        Ok(verify::verify_with(folder, &TractOracle::new(detector))?)
    }

    /// Does it.
    pub fn run(self) -> Result<()> {
        let report = self.verified()?;
        if self.json {
            output::json(&report)?;
        } else {
            let mut lines = Lines::default();
            lines.add("pictures", report.samples.to_string());
            lines.add("attacked", report.pictures.to_string());
            lines.add("successes that hold", report.successes.to_string());
            lines.add("mismatches", report.mismatches.len().to_string());
            lines.add("too close to call", report.close.len().to_string());
            output::say(format!("{}\n{lines}", self.folder.display()))?;
        }
        for line in report.mismatches.iter().chain(&report.close) {
            output::note(format!("  {line}"));
        }
        if report.passed() {
            return Ok(());
        }
        bail!(
            "{}: {} mismatches; do not use this result: run the attack again with --force",
            self.folder.display(),
            report.mismatches.len()
        )
    }
}
