//! The folder of an attack: its usual name, and whether what lies there may be gone on with or
//! replaced.

use super::Attack;
use crate::lock;
use crate::place;
use crate::threshold;
use anyhow::{Context, Result, bail};
use dfrt_runtime::attack::Goal;
use dfrt_runtime::attack::catalog::Choice;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::results::attack::contents::Contents;
use dfrt_runtime::results::attack::sweep::{RADIUS, radii_in};
use dfrt_runtime::results::lock::Lock;
use dfrt_runtime::sample::Split;
use dfrt_runtime::threat::Threat;
use std::path::{Path, PathBuf};

/// What an attack leaves in its folder; beside these `eps-*`, a folder a radius.
const OWN: [&str; 10] = [
    "attack.json",
    "samples.csv",
    "journal.csv",
    "clean",
    "adversarial",
    "grid.png",
    "stages",
    "sweep.json",
    "sweep.csv",
    "plots",
];

impl Attack {
    /// The folder where none is named: its name holds whatever is not the default, so that
    /// other settings are other folders.
    pub(super) fn usual_folder(&self, model: &Model, threats: &[Threat]) -> PathBuf {
        let surrogate = self.surrogate.as_deref().map(Path::file_stem).map(Option::unwrap_or_default);
        let has_goal = matches!(self.method, Choice::One(method) if method.has_goal);
        let inside = has_goal && self.goal == Some(Goal::Inside);
        let settings = [
            ("only", self.only.map(|label| label.to_string())),
            ("surrogate", surrogate.map(|name| name.to_string_lossy().into_owned())),
            ("threshold", self.threshold.as_ref().map(threshold::Choice::in_names)),
            ("goal", inside.then(|| "inside".to_owned())),
            ("split", self.split.filter(|split| *split != Split::Test).map(|split| split.to_string())),
            ("queries", self.queries.map(|queries| queries.to_string())),
            ("schedule", self.schedule.map(|schedule| schedule.to_string())),
            ("steps", self.steps.map(|steps| steps.to_string())),
            ("restarts", self.restarts.map(|restarts| restarts.to_string())),
            ("seed", (self.seed != 0).then(|| self.seed.to_string())),
        ];
        let named = |(name, value): (&str, Option<String>)| Some(format!("-{name}-{}", value?));
        let settings: String = settings.into_iter().filter_map(named).collect();
        format!("{}-{}{settings}", model.stem(), self.method.folder(threats)).into()
    }

    /// Takes the folder, where it is free.
    pub(super) fn begin(&self, out: &Path) -> Result<Lock> {
        let lock = lock::of(out)?;
        self.check_free(out)?;
        Ok(lock)
    }

    /// What an earlier attack, at one radius or several, left in `out`.
    fn taken(&self, out: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| OWN.contains(&name.as_str()) || name.starts_with(RADIUS)).collect()
    }

    pub(super) fn clear(&self, out: &Path) -> Result<()> {
        let taken = self.taken(out);
        place::clear(out, &taken.iter().map(String::as_str).collect::<Vec<_>>())?;
        match self.tape.as_deref().filter(|trace| trace.is_file()) {
            Some(trace) => std::fs::remove_file(trace)
                .with_context(|| format!("{}: cannot be replaced", trace.display())),
            None => Ok(()),
        }
    }

    /// The judge refuses a folder that holds an attack; this does so before any work.
    fn check_free(&self, out: &Path) -> Result<()> {
        if self.resume {
            return self.check_same(out);
        }
        if self.force || place::is_free(out)? || self.taken(out).is_empty() {
            return Ok(());
        }
        bail!(
            "{}: holds an attack already; pass --resume to go on with it, --force to replace it, or choose another --out",
            out.display()
        )
    }

    /// A folder is gone on with that holds what this makes, and nothing besides.
    fn check_same(&self, out: &Path) -> Result<()> {
        let this = match (self.eps.0.len(), self.method) {
            (2.., _) => Contents::Sweep,
            (_, Choice::One(_)) => Contents::Attack,
            _ => Contents::Suite,
        };
        if let Some(other) = Contents::of(out).into_iter().find(|other| *other != this) {
            bail!(
                "{}: holds {other}, and this would be {this}; choose another --out, or pass --force to replace it",
                out.display()
            );
        }
        Ok(())
    }

    /// A sweep is gone on with at all of its radii.
    pub(super) fn check_radii(&self, out: &Path, threats: &[Threat]) -> Result<()> {
        if !self.resume || threats.len() < 2 {
            return Ok(());
        }
        let folder = |threat: &Threat| out.join(format!("{RADIUS}{}", threat.in_names()));
        let asked: Vec<PathBuf> = threats.iter().map(folder).collect();
        match radii_in(out).into_iter().find(|folder| !asked.contains(folder)) {
            Some(left) => bail!(
                "{}: is of a radius that --eps does not name; name it, too, choose another --out, or pass --force to \
                 replace all",
                left.display()
            ),
            None => Ok(()),
        }
    }
}
