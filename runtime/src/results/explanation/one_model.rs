//! model.json: what was measured on one model. The measurements of several models are summarised
//! together ([`crate::report::explanation::summarise`]).

use super::{Measured, Settings};
use crate::results::evaluation::DataInfo;
use crate::results::{ResultError, json};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "model.json";

/// What an explanation rests on, besides the measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The pictures.
    pub data: DataInfo,
    /// How it was measured.
    pub settings: Settings,
    /// Middle of each band of the spectra, in cycles a pixel.
    pub frequencies: Vec<f64>,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
}

/// The object of model.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneModel {
    /// On what and how it was measured.
    pub basis: Basis,
    /// What was measured.
    pub measured: Measured,
}

impl OneModel {
    /// Writes model.json into the folder `dir`.
    ///
    /// # Errors
    /// A figure that is not finite, or a file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ResultError> {
        json::write(&dir.join(FILE), self)
    }

    /// Reads model.json in the folder `dir`.
    ///
    /// # Errors
    /// The file is missing or holds something else.
    pub fn read(dir: &Path) -> Result<Self, ResultError> {
        json::read(&dir.join(FILE))
    }
}
