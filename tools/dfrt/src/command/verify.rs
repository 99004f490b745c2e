//! `dfrt verify`: checks the results of an attack again.

use super::options::options;
use crate::failure;
use crate::model;
use crate::output::{self, Lines};
use anyhow::{Result, bail};
use dfrt_runtime::attack::verify::{self, VerifyError, VerifyReport};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::report::tables;
use dfrt_runtime::results::attack::contents::Contents;
use dfrt_runtime::results::attack::folder::AttackFolder;
use dfrt_runtime::results::attack::sweep;
use std::path::{Path, PathBuf};

options! {
/// decode the saved adversarial pictures again and check distance, decision, hashes
/// and every figure of attack.json and sweep.json
#[argh(
    name = "verify",
    example = "{command_name} gr-square-linf-8",
    note = "Figures are recomputed from the pictures, samples.csv and journal.csv; for a suite from its \
    stages, for several radii from each of them. What the folder does not record (seconds, what an attack \
    measured of the model before it began) is listed as unchecked.",
    error_code(1, "A figure or a picture does not match.")
)]
pub struct Verify {
    /// folder that `dfrt attack` wrote
    #[argh(positional)]
    folder: PathBuf,
    /// the model that was attacked (default: the one that attack.json names)
    #[argh(option)]
    model: Option<PathBuf>,
    /// trace of the attack, to check the number of its queries
    #[argh(option)]
    tape: Option<PathBuf>,
    json,
}
}

impl Verify {
    /// The report on the folder; on all radii together if there are several.
    fn verify(&self) -> Result<VerifyReport> {
        Contents::alone(&self.folder)?;
        let radii = sweep::radii_in(&self.folder);
        if radii.is_empty() {
            let mut found = self.verify_folder(&self.folder)?;
            if let Some(trace) = &self.tape {
                found.mismatches.extend(verify::trace(&self.folder, trace)?);
            }
            return Ok(found);
        }
        if let Some(trace) = &self.tape {
            return Err(failure::usage(format!(
                "--tape {}: records one attack, but {} holds several; name the folder of one",
                trace.display(),
                self.folder.display()
            )));
        }
        let mut all = VerifyReport::default();
        for folder in radii {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            all.add(&name, self.verify_folder(&folder)?);
        }
        let (wrong, sweep) = verify::sweep(&self.folder)?;
        all.mismatches.extend(wrong);
        let table = std::fs::read(self.folder.join("sweep.csv")).unwrap_or_default();
        all.mismatches.extend(line_differences("sweep.csv", &table, &tables::sweep(&sweep)));
        Ok(all)
    }

    /// The report on the folder of one radius. A file of another program is read in the way that
    /// attack.json records.
    fn verify_folder(&self, folder: &Path) -> Result<VerifyReport> {
        let attacked = AttackFolder::new(folder).report()?.model;
        let Some(reading) = &attacked.reading else {
            return Ok(verify::verify(folder, self.model.as_deref())?);
        };
        let named = Model::find(self.model.as_deref().unwrap_or(Path::new(&attacked.path)))?;
        let asked = Overrides::recorded(reading, attacked.res);
        let detector = model::load_as(&named, &asked).map_err(|source| VerifyError::Model { source })?;
        let (found, path) = (detector.info().sha256.clone(), named.onnx.display().to_string());
        if found != attacked.sha256 {
            return Err(VerifyError::OtherModel { path, found, expected: attacked.sha256 }.into());
        }
        Ok(verify::verify_with(folder, &TractOracle::new(detector))?)
    }

    /// Checks the folder again and prints every mismatch.
    pub fn run(self) -> Result<()> {
        let report = self.verify()?;
        if self.json {
            output::json(&report)?;
        } else {
            let mut lines = Lines::default();
            lines.add("pictures", report.samples.to_string());
            lines.add("attacked", report.pictures.to_string());
            lines.add("successes that hold", report.successes.to_string());
            lines.add("mismatches", report.mismatches.len().to_string());
            lines.add("too close to call", report.close.len().to_string());
            lines.add("unchecked", report.unchecked.len().to_string());
            output::print(format!("{}\n{lines}", self.folder.display()))?;
        }
        for line in report.mismatches.iter().chain(&report.close) {
            output::note(format!("  {line}"));
        }
        for line in &report.unchecked {
            output::note(format!("  unchecked: {line}"));
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

/// The lines in which two texts differ.
fn line_differences(file: &str, found: &[u8], expected: &[u8]) -> Vec<String> {
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let (mut found, mut expected) = (found.lines(), expected.lines());
    let mut wrong = Vec::new();
    for number in 1.. {
        match (found.next(), expected.next()) {
            (None, None) => break,
            (one, other) if one == other => {}
            (one, other) => {
                let text = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                wrong.push(format!("{file}: line {number} is {}, recomputed {}", text(one), text(other)));
            }
        }
    }
    wrong
}
