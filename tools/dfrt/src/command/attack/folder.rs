//! The output folder of an attack: its default name, and checks whether an earlier attack in it may
//! be resumed or replaced.

use super::Attack;
use crate::lock;
use crate::paths;
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

/// The files and folders that an attack writes, besides `eps-*`, one folder for each radius.
const ATTACK_FILES: [&str; 10] = [
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
    /// The default folder. Its name holds every option that is not the default, so that other
    /// settings get other folders.
    pub(super) fn default_folder(&self, model: &Model, threats: &[Threat]) -> PathBuf {
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

    /// Locks the folder.
    ///
    /// # Errors
    /// The folder is locked, or holds results that this attack may neither resume nor replace.
    pub(super) fn lock_folder(&self, out: &Path) -> Result<Lock> {
        let lock = lock::of(out)?;
        self.check_free(out)?;
        Ok(lock)
    }

    /// The names of the files and folders that an earlier attack left in `out`.
    fn existing(&self, out: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| ATTACK_FILES.contains(&name.as_str()) || name.starts_with(RADIUS)).collect()
    }

    /// Removes what an earlier attack left in `out`, and the tape that is to be recorded.
    pub(super) fn clear(&self, out: &Path) -> Result<()> {
        let existing = self.existing(out);
        paths::remove(out, &existing.iter().map(String::as_str).collect::<Vec<_>>())?;
        match self.tape.as_deref().filter(|trace| trace.is_file()) {
            Some(trace) => std::fs::remove_file(trace)
                .with_context(|| format!("{}: cannot be replaced", trace.display())),
            None => Ok(()),
        }
    }

    /// Refuses a folder that holds results, before any work.
    fn check_free(&self, out: &Path) -> Result<()> {
        if self.resume {
            return self.check_kind(out);
        }
        if self.force || paths::is_free(out)? || self.existing(out).is_empty() {
            return Ok(());
        }
        bail!(
            "{}: holds an attack already; pass --resume to continue it, --force to replace it, or choose another --out",
            out.display()
        )
    }

    /// Checks that the folder holds results of the same kind (attack, suite or sweep), and no other.
    fn check_kind(&self, out: &Path) -> Result<()> {
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

    /// Checks that a resumed sweep names all radii that it has begun.
    pub(super) fn check_radii(&self, out: &Path, threats: &[Threat]) -> Result<()> {
        if !self.resume || threats.len() < 2 {
            return Ok(());
        }
        let folder = |threat: &Threat| out.join(format!("{RADIUS}{}", threat.in_names()));
        let requested: Vec<PathBuf> = threats.iter().map(folder).collect();
        match radii_in(out).into_iter().find(|folder| !requested.contains(folder)) {
            Some(other) => bail!(
                "{}: belongs to a radius that --eps does not name; name it, too, choose another --out, or pass --force to \
                 replace all",
                other.display()
            ),
            None => Ok(()),
        }
    }
}
