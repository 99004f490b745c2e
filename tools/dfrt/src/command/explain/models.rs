//! The models of `dfrt explain`: which arm each belongs to, and their networks on the device.

use crate::failure;
use anyhow::{Context, Result, bail};
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::model::Model;
use dfrt_trainer::explain::{self, Subject};
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::train::deployed::{self, NetworkError};
use std::path::Path;
use std::sync::Arc;

/// A model and its arm.
#[derive(Debug)]
pub struct Named {
    /// The arm: what stands before `=`, or else the model's name.
    pub arm: String,
    /// The model.
    pub model: Model,
}

/// The models of `--model`, each a path or NAME=PATH. A path that exists is never taken apart.
///
/// # Errors
/// Wrong usage: none, an empty name, one model twice, or two that are only called alike. Also a model
/// that does not exist.
pub fn named(given: &[String]) -> Result<Vec<Named>> {
    if given.is_empty() {
        return Err(failure::usage("--model is missing; see `dfrt explain --help`"));
    }
    let mut models: Vec<(Named, bool)> = Vec::new();
    for text in given {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if !Path::new(text).exists() => (Some(name.trim()), path),
            _ => (None, text.as_str()),
        };
        if name.is_some_and(str::is_empty) || path.is_empty() {
            return Err(failure::usage(format!("--model {text}: give a path, or NAME=PATH")));
        }
        let model = Model::find(Path::new(path))?;
        let arm = name.map_or_else(|| model.stem(), str::to_owned);
        explain::check_name(&arm)
            .map_err(|error| failure::usage(format!("--model {text}: {error}; NAME=PATH names a model")))?;
        let place = |model: &Model| std::fs::canonicalize(&model.onnx).ok();
        for (other, by_name) in &models {
            if place(&other.model) == place(&model) {
                return Err(failure::usage(format!("--model {text}: is given twice")));
            }
            if other.arm == arm && !(name.is_some() && *by_name) {
                return Err(failure::usage(format!(
                    "--model {text}: another model is called {arm}, too; give both as {arm}=PATH if they are seeds of one \
                    arm, or NAME=PATH to tell them apart"
                )));
            }
        }
        models.push((Named { arm, model }, name.is_some()));
    }
    Ok(models.into_iter().map(|(named, _)| named).collect())
}

/// Loads the models onto the device; gives the metadata of the first as well.
///
/// # Errors
/// A model that dfrt did not make, or that cannot be read, and a device that fails.
pub fn load(models: &[Named], engine: &Arc<Engine>) -> Result<(Vec<Subject>, Option<Metadata>)> {
    let (mut subjects, mut first) = (Vec::new(), None);
    for Named { arm, model } in models {
        let network = match deployed::resident(model, Arc::clone(engine)) {
            Err(NetworkError::NotExported(why)) => bail!(
                "{}: explain needs the gradients of a network that dfrt trained; give its RUN, or an ONNX file that dfrt \
                exported: {why}",
                model.given.display()
            ),
            loaded => loaded.with_context(|| model.given.display().to_string())?,
        };
        let detector = model.load()?;
        if subjects.is_empty() {
            first = detector.metadata().cloned();
        }
        subjects.push(Subject {
            arm: arm.clone(),
            info: model.info(&detector),
            threshold: detector.threshold(),
            network,
        });
    }
    Ok((subjects, first))
}
