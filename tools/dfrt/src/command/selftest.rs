//! `dfrt selftest`: checks that this machine computes correctly.

mod planted;

use super::options::options;
use anyhow::Result;

options! {
/// check this machine: what its GPU computes against f64 references, what an exported
/// file gives on the CPU, and attacks whose best answer is known
#[argh(
    name = "selftest",
    example = "{command_name}\n{command_name} --device 1 --json"
)]
pub struct Selftest {
    device,
    /// only checks whose name contains this text
    #[argh(option)]
    only: Option<String>,
    json,
}
}

/// The outcome of a check.
#[derive(serde::Serialize)]
struct Line {
    name: String,
    passed: bool,
    /// Largest relative error; none if the check measures none.
    error: Option<f64>,
    fault: Option<String>,
}

impl Selftest {
    /// Runs the checks and prints the outcome of each.
    pub fn run(self) -> Result<()> {
        let mut lines = Vec::new();
        let wanted = |name: &str| self.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
        let planted = planted::checks().into_iter().any(|(name, _)| wanted(name));
        if !planted && !on_a_device(&wanted) {
            let what = "no check has a name that contains the text of --only; leave it out to run all";
            return Err(crate::failure::usage(what));
        }
        for (name, check) in planted::checks().into_iter().filter(|(name, _)| wanted(name)) {
            let fault = check().err().map(|error| format!("{error:#}"));
            self.report(
                &mut lines,
                Line { name: name.to_owned(), passed: fault.is_none(), error: None, fault },
            );
        }
        self.device_checks(&mut lines, &wanted)?;
        let failed = lines.iter().filter(|line| !line.passed).count();
        if self.json {
            crate::output::json(&lines)?;
        } else {
            crate::output::print(format!("{} passed, {failed} failed", lines.len() - failed))?;
        }
        if failed > 0 {
            anyhow::bail!(
                "{failed} of {} checks failed on this machine; update the GPU's driver or choose another --device, and do not trust figures obtained here",
                lines.len()
            );
        }
        Ok(())
    }

    /// Prints the outcome of a check and adds it to `lines`.
    fn report(&self, lines: &mut Vec<Line>, line: Line) {
        if !self.json {
            let what = match (&line.fault, line.error) {
                (Some(fault), _) => format!("FAILED  {}: {fault}", line.name),
                (None, Some(error)) => format!("passed  {} (error {error:.1e})", line.name),
                (None, None) => format!("passed  {}", line.name),
            };
            // A failure to print is reported with the count at the end.
            let _ = crate::output::print(what);
        }
        lines.push(line);
    }

    #[cfg(feature = "train")]
    fn device_checks(&self, lines: &mut Vec<Line>, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let engine = crate::network::engine(self.device)?;
        crate::output::note(format!(
            "on {} ({}, {})",
            engine.info().name,
            engine.info().api,
            engine.info().driver
        ));
        for check in dfrt_trainer::selftest::checks().into_iter().filter(|check| wanted(&check.name)) {
            let (error, fault) = match check.run(&engine) {
                Ok(error) => (Some(error), None),
                Err(fault) => (None, Some(fault.to_string())),
            };
            self.report(lines, Line { name: check.name.clone(), passed: fault.is_none(), error, fault });
        }
        Ok(())
    }

    #[cfg(not(feature = "train"))]
    fn device_checks(&self, _: &mut Vec<Line>, _: &dyn Fn(&str) -> bool) -> Result<()> {
        crate::output::note("this build has no training: the GPU is not checked");
        Ok(())
    }
}

/// Whether `wanted` selects a check of the GPU.
#[cfg(feature = "train")]
fn on_a_device(wanted: &dyn Fn(&str) -> bool) -> bool {
    dfrt_trainer::selftest::checks().iter().any(|check| wanted(&check.name))
}

/// This build has no checks of the GPU.
#[cfg(not(feature = "train"))]
fn on_a_device(_: &dyn Fn(&str) -> bool) -> bool {
    false
}
