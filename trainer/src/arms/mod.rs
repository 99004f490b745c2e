//! The ways of making a step's gradient that a study compares. Arms differ here
//! and nowhere else.

pub mod baseline;
pub mod gradient_regularization;
pub mod inputs;
pub mod step;

use gradient_regularization::GradientRegularization;

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Method {
    /// The plain gradient of the loss.
    Baseline,
    /// Gradient regularization over feature statistics.
    Gr(GradientRegularization),
}

/// A method's name is unknown.
#[derive(Debug, thiserror::Error)]
#[error("method `{0}` is unknown; choose baseline or gr")]
pub struct UnknownMethod(pub String);

impl Method {
    /// The method of that name with its default settings.
    pub fn named(name: &str) -> Result<Self, UnknownMethod> {
        match name {
            "baseline" => Ok(Self::Baseline),
            "gr" => Ok(Self::Gr(GradientRegularization::default())),
            _ => Err(UnknownMethod(name.to_owned())),
        }
    }

    /// Its name at the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Gr(_) => "gr",
        }
    }
}

impl std::str::FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        Self::named(name)
    }
}
