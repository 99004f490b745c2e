//! A figure of an arm over its seeds: an entry of report.json's `figures`.
//!
//! | `figure` | over | higher is |
//! | --- | --- | --- |
//! | `auc`, `accuracy`, `balanced_accuracy` | clean test pictures | better |
//! | `robust_accuracy` | attacked pictures: right before and after | better |
//! | `robust_accuracy_fakes`, `robust_accuracy_reals` | the same, one class | better |
//! | `attack_success_rate` | of pictures right before, those turned over | worse |
//! | `fake_to_real` | of fakes right before, those that pass as real | worse |
//! | `real_to_fake` | of reals right before, those called fake | worse |
//! | `auc_under_attack` | logits after the attack, all attacked pictures | better |
//! | `worst_case` | right before and after every attack of a norm and radius | better |
//! | `minimal_distance` | median shortest change that turned a picture right before, pixels in \[0, 1\] | better |

use crate::metrics::Scope;
use crate::threat::Norm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A figure of an arm: mean and spread over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmFigure {
    /// The arm.
    pub arm: String,
    /// What is measured: see the module's table.
    pub figure: String,
    /// The attack's key, "square linf 8/255"; of the worst case over attacks their norm and
    /// radius; none on clean pictures.
    pub attack: Option<String>,
    /// The attacks; several for the worst case over them.
    pub methods: Vec<String>,
    /// The norm of the attack.
    pub norm: Option<Norm>,
    /// Its radius in 1/255.
    pub eps_255: Option<f64>,
    /// The mean over the seeds.
    pub mean: f64,
    /// The standard deviation over the seeds; none for one.
    pub deviation: Option<f64>,
    /// Lower end of the mean's 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the interval speaks of the way of training (over other seeds and groups) or of
    /// these models (over other groups).
    pub scope: Scope,
    /// The figure at each seed.
    pub seeds: Vec<SeedFigure>,
    /// Pictures that all seeds have.
    pub pictures: usize,
    /// People or videos that they show.
    pub groups: usize,
}

/// A figure at one seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedFigure {
    /// The training seed.
    pub seed: u64,
    /// The figure.
    pub value: f64,
}

impl ArmFigure {
    /// The name of the figure as comparisons have it: "auc", "robust_accuracy[square linf 8/255]".
    pub fn metric(&self) -> String {
        match &self.attack {
            Some(attack) => format!("{}[{attack}]", self.figure),
            None => self.figure.clone(),
        }
    }
}
