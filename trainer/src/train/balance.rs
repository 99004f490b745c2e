//! Evening out unequal classes.

use dfrt_runtime::data::manifest::{Label, Sample};
use serde::{Deserialize, Serialize};

/// How unequal classes are evened out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Not at all.
    None,
    /// Each class weighs the same in the loss: weight n / (2 n_class).
    Loss,
    /// Each class is drawn as often: the smaller one is repeated.
    Sampling,
}

/// A balance's name is unknown.
#[derive(Debug, thiserror::Error)]
#[error("balance `{0}` is unknown; choose none, loss or sampling")]
pub struct UnknownBalance(String);

impl std::str::FromStr for Balance {
    type Err = UnknownBalance;

    fn from_str(name: &str) -> Result<Self, UnknownBalance> {
        match name {
            "none" => Ok(Self::None),
            "loss" => Ok(Self::Loss),
            "sampling" => Ok(Self::Sampling),
            _ => Err(UnknownBalance(name.to_owned())),
        }
    }
}

/// Loss weights of a real and of a fake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassWeights {
    /// Of a real.
    pub real: f32,
    /// Of a fake.
    pub fake: f32,
}

impl ClassWeights {
    /// The weights that `balance` gives to `samples` (of both classes).
    pub fn of(samples: &[Sample], balance: Balance) -> Self {
        if balance != Balance::Loss {
            return Self { real: 1.0, fake: 1.0 };
        }
        let fakes = samples.iter().filter(|sample| sample.label == Label::Fake).count();
        let weight = |count: usize| samples.len() as f32 / (2.0 * count.max(1) as f32);
        Self { real: weight(samples.len() - fakes), fake: weight(fakes) }
    }

    /// The weight of that label.
    pub fn weight(self, label: Label) -> f32 {
        match label {
            Label::Real => self.real,
            Label::Fake => self.fake,
        }
    }
}
