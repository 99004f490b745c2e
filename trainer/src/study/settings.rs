//! The settings of a study: the content of study.toml.

use crate::arms::Method;
use crate::arms::gradient_regularization::GradientRegularization;
use crate::train::settings::Settings;
use dfrt_runtime::attack::catalog::{self, Plan};
use dfrt_runtime::threat::{Norm, Threat};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Settings that cannot be used. The message says which, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadStudy(String);

/// Everything that determines what a study computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct StudySettings {
    /// The arms; the first is what the others are compared with.
    pub arms: Vec<String>,
    /// Training seeds; each arm is trained with each.
    pub seeds: Vec<u64>,
    /// The attacks.
    pub attacks: Vec<catalog::Method>,
    /// Their radii: in 1/255 in Linf, lengths of pixels in [0, 1] in L2. Empty for the usual radius of
    /// the norm and resolution.
    pub eps: Vec<f64>,
    /// Their norm.
    pub norm: Norm,
    /// Steps of PGD.
    pub steps: usize,
    /// Starts of PGD.
    pub restarts: usize,
    /// Queries of square per picture.
    pub queries: u64,
    /// Test pictures that are attacked, balanced over classes.
    pub attack_limit: usize,
    /// Settings of the arm `gr`.
    pub gr: GradientRegularization,
    /// Settings of all training runs; method and seed are those of the arm.
    pub train: Settings,
}

impl Default for StudySettings {
    fn default() -> Self {
        Self {
            arms: vec!["baseline".to_owned(), "gr".to_owned()],
            seeds: vec![0, 1, 2],
            attacks: ["fgsm", "pgd", "square", "random-noise"]
                .map(|name| name.parse().expect("the catalog has them"))
                .to_vec(),
            eps: Vec::new(),
            norm: Norm::Linf,
            steps: 10,
            restarts: 1,
            queries: 300,
            attack_limit: 32,
            gr: GradientRegularization::default(),
            train: Settings::default(),
        }
    }
}

impl StudySettings {
    /// Reads a study.toml; settings that it does not name have their defaults.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub fn read(path: &Path) -> Result<Self, BadStudy> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| BadStudy(format!("{shown}: cannot be read: {error}")))?;
        toml::from_str(&text).map_err(|error| {
            BadStudy(format!(
                "{shown}: is not a file of study settings; compare with the study.toml of a finished study: {error}"
            ))
        })
    }

    /// The text of study.toml.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }

    /// Checks that the settings can be used.
    ///
    /// # Errors
    /// A list that is empty, or has an unknown or repeated name; a number out of range.
    pub fn check(&self) -> Result<(), BadStudy> {
        let unique = |name: &str, given: Vec<String>| {
            let mut sorted = given.clone();
            sorted.sort();
            sorted.dedup();
            if given.is_empty() || sorted.len() != given.len() {
                return Err(bad(format!("{name} = [{}]: name at least one, each once", given.join(", "))));
            }
            Ok(())
        };
        let text = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect();
        unique("arms", self.arms.clone())?;
        unique("seeds", self.seeds.iter().map(u64::to_string).collect())?;
        unique("attacks", self.attacks.iter().map(ToString::to_string).collect())?;
        if !self.eps.is_empty() {
            unique("eps", text(&self.eps))?;
        }
        for (name, value) in
            [("steps", self.steps as u64), ("restarts", self.restarts as u64), ("queries", self.queries)]
        {
            if value == 0 {
                return Err(bad(format!("{name} = 0: nothing would be tried; give 1 or more")));
            }
        }
        if self.attack_limit < 2 {
            return Err(bad(format!(
                "attack-limit = {}: too few; give 2 or more, to have both classes",
                self.attack_limit
            )));
        }
        self.threats()?;
        for name in &self.arms {
            self.training(name, 0)?.check().map_err(bad)?;
        }
        Ok(())
    }

    /// The training settings of an arm.
    ///
    /// # Errors
    /// An unknown arm.
    pub fn training(&self, name: &str, seed: u64) -> Result<Settings, BadStudy> {
        let method = match Method::named(name).map_err(bad)? {
            Method::Gr(_) => Method::Gr(self.gr.clone()),
            method => method,
        };
        Ok(Settings { method, seed, ..self.train.clone() })
    }

    /// Sets the usual radius, if there is none.
    pub fn set_default_eps(&mut self) {
        if self.eps.is_empty() {
            let usual = Threat::usual(self.norm, self.train.res);
            self.eps = match self.norm {
                Norm::Linf => vec![usual.eps_255],
                Norm::L2 => vec![usual.plain()],
            };
        }
    }

    /// Every radius, in the norm of the study.
    ///
    /// # Errors
    /// A radius that cannot be used.
    pub fn threats(&self) -> Result<Vec<Threat>, BadStudy> {
        let mut settled = self.clone();
        settled.set_default_eps();
        let threat = |&eps: &f64| match self.norm {
            Norm::Linf => Threat::new(Norm::Linf, eps),
            Norm::L2 => Threat::l2(eps),
        };
        settled.eps.iter().map(|eps| threat(eps).map_err(|error| bad(format!("eps: {error}")))).collect()
    }

    /// Every attack.
    pub fn plans(&self) -> Vec<Plan> {
        let plan = |&method: &catalog::Method| {
            let queries = (!method.needs_gradients() && !method.floor).then_some(self.queries);
            let (steps, restarts) =
                (method.is_pgd().then_some(self.steps), method.is_pgd().then_some(self.restarts));
            Plan { queries, steps, restarts, ..Plan::new(method, self.norm) }
        };
        self.attacks.iter().map(plan).collect()
    }
}

fn bad(reason: impl ToString) -> BadStudy {
    BadStudy(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let settings = StudySettings { seeds: vec![4, 5], ..StudySettings::default() };
        std::fs::write(&path, settings.to_toml()).unwrap();
        assert_eq!(StudySettings::read(&path).unwrap(), settings);
    }

    #[test]
    fn a_few_lines_are_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        std::fs::write(&path, "seeds = [7]\n[train]\nepochs = 3\n").unwrap();
        let settings = StudySettings::read(&path).unwrap();
        assert_eq!((settings.seeds, settings.train.epochs, settings.queries), (vec![7], 3, 300));
        std::fs::write(&path, "attacks = [\"pgd\", \"magic\"]\n").unwrap();
        let unknown = StudySettings::read(&path).unwrap_err().to_string();
        assert!(unknown.contains("study.toml") && unknown.contains("\"magic\" is unknown"), "{unknown}");
    }

    #[test]
    fn the_default_radius_is_that_of_the_norm() {
        let settled = |norm, res| {
            let train = Settings { res, ..Settings::default() };
            let mut settings = StudySettings { norm, train, ..StudySettings::default() };
            let attacked = settings.threats().unwrap()[0];
            settings.set_default_eps();
            assert_eq!(settings.threats().unwrap()[0], attacked);
            settings.eps
        };
        assert_eq!(settled(Norm::Linf, 224), [8.0]);
        assert_eq!((settled(Norm::L2, 224), settled(Norm::L2, 32)), (vec![3.0], vec![0.5]));
    }

    #[test]
    fn bad_settings_are_named() {
        let bad = |change: fn(&mut StudySettings)| {
            let mut settings = StudySettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(bad(|settings| settings.seeds = vec![]).contains("seeds"));
        assert!(bad(|settings| settings.arms.push("gr".to_owned())).contains("arms"));
        assert!(bad(|settings| settings.eps = vec![0.5]).contains("0.5"));
        assert!(bad(|settings| settings.eps = vec![8.0, 8.0]).contains("eps"));
        assert!(bad(|settings| (settings.norm, settings.eps) = (Norm::L2, vec![0.001])).contains("0.001"));
        assert!(bad(|settings| settings.train.res = 0).contains("resolution 0"));
    }
}
