//! In the place of the networks on a GPU, in a build without training.

use crate::model::Model;
use anyhow::Result;
use dfrt_runtime::attack::models::WhiteBox;
use std::path::Path;

/// None.
#[derive(Default)]
pub struct Networks {
    /// None.
    pub own: Option<WhiteBox<'static>>,
    /// None.
    pub surrogate: Option<WhiteBox<'static>>,
}

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
            (None, None) => Ok(Self::default()),
            _ => Err(crate::command::no_training("attack by gradients")),
        }
    }
}
