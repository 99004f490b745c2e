//! The settings that a preset starts from.

use super::preset::Preset;
use super::settings::StudySettings;
use crate::train::settings::Settings;
use dfrt_runtime::attack::catalog::Choice;

impl Preset {
    /// The settings to start from.
    pub fn settings(self) -> StudySettings {
        let arms = |names: &[&str]| names.iter().map(|name| name.parse().expect("methods")).collect();
        let attacks = |names: &[&str]| -> Vec<Choice> {
            names.iter().map(|name| name.parse().expect("the catalog has them")).collect()
        };
        let default = StudySettings { preset: Some(self), ..StudySettings::default() };
        match self {
            Self::Quick => StudySettings {
                arms: arms(&["baseline", "gr", "fast-at"]),
                seeds: vec![0],
                attacks: attacks(&["fgsm", "pgd", "random-noise"]),
                eps: vec![1.0, 2.0],
                attack_limit: 60,
                explain: 20,
                train: Settings {
                    arch: "efficientnet-tiny".to_owned(),
                    res: 64,
                    epochs: 12,
                    batch: 16,
                    lr: 2e-3,
                    limit: Some(400),
                    ..default.train.clone()
                },
                ..default
            },
            Self::Paper => StudySettings {
                arms: arms(&[
                    "baseline",
                    "compute-matched",
                    "gr",
                    "gr-per-image",
                    "sam",
                    "input-gr",
                    "dsu",
                    "fast-at",
                    "at",
                    "trades",
                    "at+gr",
                ]),
                seeds: vec![0, 1, 2, 3, 4],
                attacks: attacks(&["fgsm", "pgd", "suite", "random-noise"]),
                eps: vec![1.0, 2.0, 4.0, 8.0, 16.0],
                steps: 40,
                restarts: 5,
                queries: 5000,
                attack_limit: 1000,
                explain: 200,
                corruptions: true,
                ..default
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_can_be_used() {
        for preset in [Preset::Quick, Preset::Paper] {
            let settings = preset.settings();
            settings.check().unwrap();
            assert_eq!(settings.preset, Some(preset));
            let text = settings.to_toml();
            assert_eq!(toml::from_str::<StudySettings>(&text).unwrap(), settings, "{text}");
        }
    }
}
