//! A model by its path: an .onnx file, or a RUN, whose model.onnx is used.

use super::session::{Detector, SessionError};
use crate::results::evaluation::ModelInfo;
use crate::results::run::files;
use std::path::{Path, PathBuf};

/// A model as the user named it.
#[derive(Clone, Debug)]
pub struct Model {
    /// The path that the user gave.
    pub given: PathBuf,
    /// Its ONNX file.
    pub onnx: PathBuf,
    /// The folder of a RUN; `None` for a file.
    pub run: Option<PathBuf>,
}

/// Why there is no model at a path.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The folder is no finished RUN.
    #[error("{run}: holds no {name}, so it is no finished RUN; finish it with `dfrt train --out {run} --resume`, or give an .onnx file", run = .0.display(), name = files::MODEL)]
    Unfinished(PathBuf),
    /// No file or folder exists there.
    #[error("{}: no such file or folder; give an .onnx file or a RUN as --model", .0.display())]
    Absent(PathBuf),
}

impl Model {
    /// Finds the model at `given` without opening it.
    ///
    /// # Errors
    /// Nothing exists there, or the folder is no finished RUN.
    pub fn find(given: &Path) -> Result<Self, ModelError> {
        let given = given.to_owned();
        if given.is_dir() {
            let onnx = given.join(files::MODEL);
            if !onnx.is_file() {
                return Err(ModelError::Unfinished(given));
            }
            return Ok(Self { onnx, run: Some(given.clone()), given });
        }
        if !given.exists() {
            return Err(ModelError::Absent(given));
        }
        Ok(Self { onnx: given.clone(), run: None, given })
    }

    /// The file's or RUN's name without its extension: "gr".
    pub fn stem(&self) -> String {
        let absolute = std::path::absolute(&self.given).unwrap_or_else(|_| self.given.clone());
        let name = if self.run.is_some() { absolute.file_name() } else { absolute.file_stem() };
        name.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Loads it into tract for batches of one picture.
    ///
    /// # Errors
    /// The file is no detector: one line that names it.
    pub fn load(&self) -> Result<Detector, SessionError> {
        Detector::load(&self.onnx, 1)
    }

    /// The model as results name it: by the path that the user gave.
    pub fn info(&self, detector: &Detector) -> ModelInfo {
        ModelInfo { path: self.given.display().to_string(), ..detector.info().clone() }
    }
}
