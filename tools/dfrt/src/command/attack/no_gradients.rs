//! In the place of the networks on a GPU, in a build without training.

use super::plan::Plan;
use crate::model::Model;
use anyhow::Result;
use dfrt_runtime::attack::Attack;
use std::path::Path;

/// None.
pub struct Networks;

impl Networks {
    /// Succeeds where none is needed.
    ///
    /// # Errors
    /// One is needed.
    pub fn open(
        own: Option<(&Model, f64)>,
        surrogate: Option<&Path>,
        _: Option<usize>,
        _: (usize, usize),
    ) -> Result<Self> {
        match (own, surrogate) {
            (None, None) => Ok(Self),
            _ => Err(crate::command::no_training("attack by gradients")),
        }
    }

    /// None either.
    ///
    /// # Errors
    /// Never.
    #[allow(clippy::unnecessary_wraps, reason = "as where there is a GPU")]
    pub fn boxes(&self, _: usize) -> Result<Boxes> {
        Ok(Boxes)
    }
}

/// None.
pub struct Boxes;

impl Boxes {
    /// Says that it cannot be done.
    ///
    /// # Errors
    /// Always.
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack>> {
        Err(crate::command::no_training(&format!("attack --method {}", plan.method.name())))
    }
}
