//! The source of the fakes that a run trains on.

use serde::{Deserialize, Serialize};

/// The source of the fakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fakes {
    /// The fakes of the data set.
    #[default]
    Files,
    /// Self-blended images, made again from every real in every epoch; the fakes of the data set are
    /// not used.
    Sbi,
}

/// An unknown source of fakes.
#[derive(Debug, thiserror::Error)]
#[error("fakes `{0}` are unknown; choose files or sbi")]
pub struct UnknownFakes(String);

impl std::str::FromStr for Fakes {
    type Err = UnknownFakes;

    fn from_str(name: &str) -> Result<Self, UnknownFakes> {
        match name {
            "files" => Ok(Self::Files),
            "sbi" => Ok(Self::Sbi),
            _ => Err(UnknownFakes(name.to_owned())),
        }
    }
}
