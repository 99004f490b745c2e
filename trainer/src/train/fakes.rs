//! Where the fakes come from that a run trains on.

use serde::{Deserialize, Serialize};

/// Where the fakes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fakes {
    /// The data set's own.
    #[default]
    Files,
    /// Self-blended images, made of every real anew in every epoch; the data set's own are
    /// not trained on.
    Sbi,
}

/// A source of fakes is unknown.
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
