//! What is wrong about an attack's options together, told before any work.

use super::Attack;
use crate::command::options::check_resume;
use crate::failure;
use crate::output;
use anyhow::Result;
use dfrt_runtime::attack::NormError;
use dfrt_runtime::attack::catalog::{Choice, Method};

impl Attack {
    /// What cannot be meant, before any work; and what has no effect.
    pub(super) fn check(&self) -> Result<()> {
        check_resume("attack", self.resume, self.force)?;
        if self.tape.is_some() && self.replay.is_some() {
            return Err(failure::usage("--tape and --replay exclude each other; see `dfrt attack --help`"));
        }
        for radius in &self.eps.0 {
            radius.threat(self.norm)?;
        }
        self.check_trace()?;
        self.check_norm()?;
        let any = |is: fn(&Method) -> bool| self.methods().iter().any(is);
        let gradients = any(Method::needs_gradients);
        let idle = [
            ("--queries", self.queries.is_some() && !any(|method| !method.needs_gradients())),
            ("--schedule", self.schedule.is_some() && !any(|method| method.has_windows)),
            ("--steps", self.steps.is_some() && !any(|method| method.has_steps)),
            ("--restarts", self.restarts.is_some() && !any(|method| method.has_restarts)),
            ("--goal", self.goal.is_some() && !matches!(self.method, Choice::One(one) if one.has_goal)),
            ("--batch", self.batch.is_some() && !gradients),
            ("--device", self.device.is_some() && !gradients),
            ("--surrogate", self.surrogate.is_some() && !gradients),
        ];
        for (option, _) in idle.into_iter().filter(|(_, idle)| *idle) {
            output::note(format!("note: {option} has no effect on {}", self.method.name()));
        }
        Ok(())
    }

    /// Attacks that search balls of one norm alone.
    fn check_norm(&self) -> Result<()> {
        let Choice::One(method) = self.method else { return Ok(()) };
        NormError::check(method.name, method.norms, self.norm).map_err(failure::usage)
    }

    fn check_trace(&self) -> Result<()> {
        let Some(path) = self.tape.as_ref().or(self.replay.as_ref()) else { return Ok(()) };
        let one = matches!(self.method, Choice::One(method) if !method.needs_gradients());
        if !one || self.eps.0.len() > 1 {
            return Err(failure::usage(format!(
                "{}: a trace is of one attack without gradients at one radius; leave it out, or name such a --method and one --eps",
                path.display()
            )));
        }
        Ok(())
    }
}
