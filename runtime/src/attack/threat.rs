//! The threat model: which changes count.

use serde::{Deserialize, Serialize};

/// The norm that bounds a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Largest absolute change of a channel value.
    Linf,
    /// Euclidean length over all 3 * H * W values.
    L2,
}

/// A norm and a radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threat {
    /// The norm.
    pub norm: Norm,
    /// The radius in units of 1/255 (whole for Linf).
    pub eps_255: f64,
}
