//! Studies for common purposes: where the settings start from, before a file or options change them.

use dfrt_runtime::names::named;
use serde::{Deserialize, Serialize};

/// A purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A first look, within a quarter of an hour on two CPU cores: a small network, one seed, few pictures.
    Quick,
    /// What a reviewer would want: all arms that answer a question of their own, five seeds, a suite of
    /// attacks at five radii, corruptions. Other data sets are named by `cross-data`.
    Paper,
}

named!(Preset, "preset", [Quick = "quick", Paper = "paper"]);

impl Preset {
    /// What a reader of the report should know.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Quick => Some(
                "This is a quick study (--preset quick): one seed, a small network, few pictures. It shows how \
                 the tool works and large effects; it cannot show small ones. --preset paper is for a result.",
            ),
            Self::Paper => None,
        }
    }
}
