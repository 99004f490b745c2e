//! The settings of a training run: the content of config.toml, with all defaults resolved, so that
//! the run can be repeated from it.

use super::augment::Augmentation;
use super::balance::Balance;
use super::fakes::Fakes;
use super::selection::{Criterion, Selection};
use crate::arms::{BadArm, Method, step};
use crate::model::arch::{Architecture, UnknownArchitecture};
use crate::model::conventions::{BadConvention, Conventions};
use crate::model::graph::{BadResolution, Graph};
use crate::model::import::Choices;
use crate::ops::optimizer::Optimizer;
use crate::plan::pass::Activations;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that determines what a run computes, and the paths of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Manifest or folder of pictures.
    pub data: PathBuf,
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// Passes over the training pictures.
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f32,
    /// Epochs over which the learning rate rises linearly.
    pub warmup_epochs: f32,
    /// Learning rate at the end, as a share of the peak (cosine in between).
    pub final_lr: f32,
    /// Weight decay of convolutions and linear layers (not of biases and batch-norms).
    pub weight_decay: f32,
    /// Seed of initial weights, order, augmentation and masks.
    pub seed: u64,
    /// Subsets to train and validate on; empty for all. If no subset of a class is named, all of the
    /// class is used.
    pub train_subsets: Vec<String>,
    /// Pictures of each video in an epoch at most, different ones in each; none for all.
    pub frames_per_video: Option<usize>,
    /// A file to store decoded pictures in, for this and later runs; none to decode them again. It does
    /// not change results.
    pub cache: Option<PathBuf>,
    /// Pictures per split, balanced over classes; none for all.
    pub limit: Option<usize>,
    /// Stop after this many epochs without a better validation AUC; none for never.
    pub patience: Option<usize>,
    /// Steps between checkpoints within an epoch; none for one checkpoint per epoch.
    pub checkpoint_steps: Option<usize>,
    /// Pictures that the device computes at once, a divisor of the batch; none for all. The gradients
    /// of the parts are averaged; batch-norm uses the statistics of each part.
    pub micro_batch: Option<usize>,
    /// MB of intermediate results on the device up to which activations are kept for the backward
    /// pass; beyond it they are recomputed, slower and with the same result.
    pub memory_mb: Option<usize>,
    /// Whether dropout and drop-path are on.
    pub masks: bool,
    /// Whether training labels are shuffled: a check that nothing can be learned then.
    pub shuffle_labels: bool,
    /// How unequal classes and subsets are balanced.
    pub balance: Balance,
    /// The source of the fakes.
    pub fakes: Fakes,
    /// Weights to start from instead of random ones: safetensors, a PyTorch file, ONNX
    /// that dfrt exported, or a RUN.
    pub init: Option<PathBuf>,
    /// Weight in the loss of the pictures of a subset, relative to others of its class.
    pub subset_weights: BTreeMap<String, f32>,
    /// What is used of a checkpoint to start from, if it leaves that open.
    #[serde(skip_serializing_if = "is_default")]
    pub checkpoint: Choices,
    /// Conventions that replace those of the architecture.
    pub conventions: Conventions,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Augmentation of the training pictures.
    pub augment: Augmentation,
    /// How the epoch whose weights are kept is selected.
    #[serde(skip_serializing_if = "is_default_selection")]
    pub selection: Selection,
    /// The method (arm) that makes the gradients.
    pub method: Method,
}

fn is_default_selection(selection: &Selection) -> bool {
    *selection == Selection::default()
}

fn is_default(choices: &Choices) -> bool {
    *choices == Choices::default()
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            arch: "efficientnet-b0".to_owned(),
            res: 224,
            epochs: 20,
            batch: 32,
            lr: 5e-4,
            warmup_epochs: 1.0,
            final_lr: 0.01,
            weight_decay: 1e-4,
            seed: 0,
            train_subsets: Vec::new(),
            frames_per_video: None,
            cache: None,
            limit: None,
            patience: None,
            checkpoint_steps: None,
            micro_batch: None,
            memory_mb: None,
            masks: true,
            shuffle_labels: false,
            balance: Balance::Loss,
            fakes: Fakes::Files,
            init: None,
            subset_weights: BTreeMap::new(),
            checkpoint: Choices::default(),
            conventions: Conventions::default(),
            optimizer: Optimizer::ADAMW,
            augment: Augmentation::default(),
            selection: Selection::default(),
            method: Method::Baseline,
        }
    }
}

/// Settings that cannot be used. Every message says which, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// An unknown architecture.
    #[error(transparent)]
    Arch(#[from] UnknownArchitecture),
    /// A resolution that the architecture cannot have.
    #[error(transparent)]
    Resolution(#[from] BadResolution),
    /// Conventions.
    #[error(transparent)]
    Convention(#[from] BadConvention),
    /// The method's settings.
    #[error(transparent)]
    Arm(#[from] BadArm),
    /// A criterion that needs a radius.
    #[error("select = {0} needs the radius of an attack on validation pictures; give --robust-eps, in 1/255")]
    NoRadius(Criterion),
    /// A number out of range.
    #[error("{name} = {value} cannot be used; choose {allowed}")]
    Number {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// config.toml cannot be read or parsed.
    #[error("{}: {reason}; compare with the config.toml of a finished run", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, on one line.
        reason: String,
    },
}

/// The size of the parts of a batch: the largest divisor of `batch` that is at most `micro_batch`;
/// without that `batch`.
pub fn part(batch: usize, micro_batch: Option<usize>) -> usize {
    let at_most = micro_batch.unwrap_or(batch).clamp(1, batch);
    (1..=at_most).rev().find(|&part| batch.is_multiple_of(part)).expect("1 divides every batch")
}

impl Settings {
    /// Reads a config.toml; settings that it does not name have their defaults.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub fn read(path: &std::path::Path) -> Result<Self, BadSettings> {
        let bad = |reason: String| BadSettings::File {
            path: path.to_owned(),
            reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        toml::from_str(&text).map_err(|error| bad(error.to_string()))
    }

    /// The text of config.toml.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }

    /// The network of these settings.
    ///
    /// # Errors
    /// An unknown architecture, or a resolution or convention that cannot be used.
    pub fn graph(&self) -> Result<Graph, BadSettings> {
        let architecture = self.conventions.applied(Architecture::named(&self.arch)?);
        Ok(Graph::new(&architecture, self.res)?)
    }

    /// Checks that every setting can be used.
    ///
    /// # Errors
    /// The first one that cannot.
    pub fn check(&self) -> Result<(), BadSettings> {
        let graph = self.graph()?;
        self.conventions.check()?;
        let number = |name, value: f64, low: f64, high: f64, allowed| {
            let fits = value.is_finite() && (low..=high).contains(&value);
            if fits { Ok(()) } else { Err(BadSettings::Number { name, value, allowed }) }
        };
        number("epochs", self.epochs as f64, 1.0, 1e6, "1 or more")?;
        number("batch", self.batch as f64, 1.0, 4096.0, "1 to 4096")?;
        if self.fakes == Fakes::Sbi && !self.batch.is_multiple_of(2) {
            let allowed = "an even number: with --fakes sbi a batch holds pairs of real and fake";
            return Err(BadSettings::Number { name: "batch", value: self.batch as f64, allowed });
        }
        if let Some(micro) = self.micro_batch {
            number("micro-batch", micro as f64, 1.0, 4096.0, "1 to 4096")?;
            let parts = self.batch / part(self.batch, Some(micro));
            number(
                "batch / micro-batch",
                parts as f64,
                1.0,
                64.0,
                "a micro-batch of which at most 64 make a batch",
            )?;
        }
        number("lr", self.lr.into(), 1e-12, 1e3, "a positive number")?;
        number("warmup-epochs", self.warmup_epochs.into(), 0.0, 1e6, "0 or more")?;
        number("final-lr", self.final_lr.into(), 0.0, 1.0, "a share from 0 to 1")?;
        number("weight-decay", self.weight_decay.into(), 0.0, 1e3, "0 or more")?;
        if let Some(limit) = self.limit {
            number("limit", limit as f64, 2.0, 1e12, "2 or more, to have both classes")?;
        }
        if let Some(frames) = self.frames_per_video {
            number("frames-per-video", frames as f64, 1.0, 1e9, "1 or more")?;
        }
        for &weight in self.subset_weights.values() {
            number("subset-weights", weight.into(), 0.0, 1e6, "0 or more")?;
        }
        if let Some(steps) = self.checkpoint_steps {
            number("checkpoint-steps", steps as f64, 1.0, 1e12, "1 or more")?;
        }
        self.method.arm().check(&graph)?;
        if let Some(eps) = self.selection.eps {
            number("robust-eps", eps.into(), 0.0, 64.0, "a radius from 0 to 64, in 1/255")?;
        }
        number(
            "robust-pictures",
            self.selection.pictures as f64,
            2.0,
            1e9,
            "2 or more, to have both classes",
        )?;
        number("robust-steps", self.selection.steps as f64, 1.0, 1e6, "1 or more")?;
        match (self.criterion(), self.robust_radius()) {
            (Criterion::Auc, _) | (_, Some(_)) => Ok(()),
            (criterion, None) => Err(BadSettings::NoRadius(criterion)),
        }
    }

    /// What the kept epoch is the best by.
    pub fn criterion(&self) -> Criterion {
        self.selection.criterion(self.method.arm().adversary())
    }

    /// The radius of the attack on validation pictures in 1/255; none for no attack.
    pub fn robust_radius(&self) -> Option<f32> {
        self.selection.radius(self.method.arm().adversary())
    }

    /// Passes over the training pictures of the method: more than `epochs` for one that is trained longer.
    pub fn total_epochs(&self) -> usize {
        self.method.arm().epochs(self.epochs)
    }

    /// The settings of the training plan.
    pub fn step(&self) -> step::Settings {
        step::Settings {
            method: self.method.clone(),
            optimizer: self.optimizer,
            weight_decay: self.weight_decay,
            masks: self.masks,
            activations: Activations::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_config_reads_back() {
        let mut settings = Settings { data: "faces".into(), limit: Some(64), ..Settings::default() };
        settings.method = Method::named("gr").unwrap();
        assert!(!settings.to_toml().contains("checkpoint]"), "defaults of `checkpoint` are not written");
        settings.checkpoint = Choices { head: Some("fc".to_owned()), new_head: true, ..Choices::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, settings.to_toml()).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), settings);
    }

    #[test]
    fn parts_have_one_size() {
        let cases = [
            ((32, None), 32),
            ((32, Some(12)), 8),
            ((28, Some(8)), 7),
            ((13, Some(8)), 1),
            ((4, Some(9)), 4),
        ];
        for ((batch, micro), expected) in cases {
            assert_eq!(part(batch, micro), expected);
        }
    }

    #[test]
    fn bad_numbers_are_named() {
        let bad = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(bad(|settings| settings.res = 0).contains("resolution 0"));
        assert!(bad(|settings| settings.batch = 0).contains("batch = 0"));
        assert!(
            bad(|settings| (settings.fakes, settings.batch) = (Fakes::Sbi, 9)).contains("batch = 9 cannot")
        );
        assert!(bad(|settings| settings.lr = f32::NAN).contains("lr = NaN"));
        assert!(bad(|settings| settings.arch = "resnet".to_owned()).contains("efficientnet-b0"));
        assert!(
            bad(|settings| {
                settings.method = Method::Gr(crate::arms::gradient_regularization::GradientRegularization {
                    taps: vec![0, 99],
                    ..Default::default()
                });
            })
            .contains("taps [0, 99]")
        );
    }
}
