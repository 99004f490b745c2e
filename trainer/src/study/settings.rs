//! The settings of a study: the content of study.toml.

use super::arms::ArmSpec;
use super::bad::BadStudy;
use super::preset::Preset;
use crate::arms::Method;
use crate::arms::adversarial_training::AdversarialTraining;
use crate::arms::gradient_regularization::GradientRegularization;
use crate::arms::trades::Trades;
use crate::train::selection::Criterion;
use crate::train::settings::Settings;
use dfrt_runtime::attack::catalog::{self, Choice, Plan};
use dfrt_runtime::threat::{Norm, Threat};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that determines what a study computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct StudySettings {
    /// The preset that the settings started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The arms; the first is what the others are compared with.
    pub arms: Vec<ArmSpec>,
    /// Training seeds; each arm is trained with each.
    pub seeds: Vec<u64>,
    /// The attacks and suites of attacks.
    pub attacks: Vec<Choice>,
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
    /// Test pictures on which it is measured why a model is as robust as it is, balanced over classes; 0 to
    /// leave that out.
    pub explain: usize,
    /// Whether the adversarial pictures of each model are judged by every other.
    pub transfer: bool,
    /// Whether the models are evaluated on corrupted pictures.
    pub corruptions: bool,
    /// Other data sets, on whose test pictures the models are evaluated.
    pub cross_data: Vec<PathBuf>,
    /// Settings of gr in the arms that are given by their method's name alone.
    pub gr: GradientRegularization,
    /// Settings of all training runs; method and seed are those of the arm.
    pub train: Settings,
}

impl Default for StudySettings {
    fn default() -> Self {
        Self {
            preset: None,
            arms: ["baseline", "gr"].map(|name| name.parse().expect("methods")).to_vec(),
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
            explain: 32,
            transfer: true,
            corruptions: false,
            cross_data: Vec::new(),
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
            .map_err(|error| BadStudy::of(format!("{shown}: cannot be read: {error}")))?;
        toml::from_str(&text).map_err(|error| {
            BadStudy::of(format!(
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
        unique("arms", self.arms.iter().map(|arm| arm.name.clone()).collect())?;
        unique("seeds", self.seeds.iter().map(u64::to_string).collect())?;
        unique("attacks", self.attacks.iter().map(|attack| attack.name().to_owned()).collect())?;
        unique_names(&self.cross_data)?;
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
        if self.explain == 1 {
            return Err(bad(
                "explain = 1: too few; give 2 or more, to have both classes, or 0 to leave it out",
            ));
        }
        self.threats()?;
        for arm in &self.arms {
            arm.check()?;
            self.training(arm, 0).check().map_err(|error| bad(format!("arm {}: {error}", arm.name)))?;
        }
        Ok(())
    }

    /// The training settings of an arm. All arms select epochs by the same criterion.
    pub fn training(&self, arm: &ArmSpec, seed: u64) -> Settings {
        let mut method = arm.method.clone();
        if arm.is_bare() {
            match &mut method {
                Method::Gr(gr)
                | Method::At(AdversarialTraining { gr: Some(gr), .. })
                | Method::Trades(Trades { gr: Some(gr), .. }) => {
                    *gr = GradientRegularization {
                        per_image: gr.per_image || self.gr.per_image,
                        ..self.gr.clone()
                    };
                }
                _ => {}
            }
        }
        let mut settings = Settings { method, seed, ..self.train.clone() };
        settings.selection.by = Some(self.criterion());
        settings.selection.eps = self.robust_radius();
        settings
    }

    /// The radius in 1/255 of the attack on validation pictures, the same for all arms: the given one, or
    /// the largest of the arms' adversaries. None without either.
    pub fn robust_radius(&self) -> Option<f32> {
        let radii = self.arms.iter().filter_map(|arm| Some(arm.method.arm().adversary()?.eps));
        self.train.selection.eps.or_else(|| radii.max_by(f32::total_cmp))
    }

    /// What the kept epochs are the best by: the given criterion, or the robust accuracy where an arm has
    /// an adversary, else the AUC.
    pub fn criterion(&self) -> Criterion {
        let adversary = self.arms.iter().find_map(|arm| arm.method.arm().adversary());
        self.train.selection.criterion(adversary)
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

    /// The attacks of a choice, in their order.
    pub fn plans(&self, choice: Choice) -> Vec<Plan> {
        let plan = |method: catalog::Method| {
            let queries = (!method.needs_gradients() && !method.floor).then_some(self.queries);
            let (steps, restarts) =
                (method.is_pgd().then_some(self.steps), method.is_pgd().then_some(self.restarts));
            Plan { queries, steps, restarts, ..Plan::new(method, self.norm) }
        };
        choice.methods(self.norm).into_iter().map(plan).collect()
    }
}

/// The name of a data set in results: that of its folder, or of its manifest without the ending.
pub fn data_name(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Checks that no two data sets have one name.
fn unique_names(paths: &[PathBuf]) -> Result<(), BadStudy> {
    let mut names: Vec<String> = paths.iter().map(|path| data_name(path)).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(bad(format!("cross-data: two data sets are called {}; name each once", pair[0]))),
        None => Ok(()),
    }
}

fn bad(reason: impl ToString) -> BadStudy {
    BadStudy::of(reason)
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
        assert!(bad(|settings| settings.arms.push("gr".parse().unwrap())).contains("arms"));
        assert!(bad(|settings| settings.explain = 1).contains("explain = 1"));
        assert!(bad(|settings| settings.eps = vec![0.5]).contains("0.5"));
        assert!(bad(|settings| settings.eps = vec![8.0, 8.0]).contains("eps"));
        assert!(bad(|settings| (settings.norm, settings.eps) = (Norm::L2, vec![0.001])).contains("0.001"));
        assert!(bad(|settings| settings.train.res = 0).contains("resolution 0"));
    }
}
