//! What is explained on what: models, and pictures ready for them.

use super::error::ExplainError;
use crate::plan::resident::Resident;
use dfrt_runtime::data::picture;
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample};
use image::RgbImage;
use rayon::prelude::*;

/// A model to explain.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its arm: models of one name are the training seeds of one arm.
    pub arm: String,
    /// The model, as results name it.
    pub info: ModelInfo,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// Its network.
    pub network: Resident,
}

/// Receives what is being done ("gr: radii"), and how many of how many pictures are done.
pub type Progress<'a> = &'a dyn Fn(&str, usize, usize);

/// A picture, ready for the models.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its place in the split, the key of its draws.
    pub id: u64,
    /// Its class.
    pub label: Label,
    /// The person or video.
    pub group: String,
    /// res x res.
    pub pixels: RgbImage,
}

/// Loads the pictures of `data` at `res` x `res`, and gives a line for each that cannot be read.
///
/// # Errors
/// There is none, or none can be read.
pub fn load(data: &Chosen, res: usize) -> Result<(Vec<Picture>, Vec<String>), ExplainError> {
    let chosen = data.with_ids();
    if chosen.is_empty() {
        return Err(ExplainError::Empty(data.name.clone()));
    }
    let load = |&(id, sample): &(u64, &Sample)| {
        let pixels = picture::load(&sample.path, res).map_err(|error| error.to_string())?;
        Ok(Picture { id, label: sample.label, group: sample.group.clone(), pixels })
    };
    let loaded: Vec<Result<Picture, String>> = chosen.par_iter().map(load).collect();
    let (mut pictures, mut skipped) = (Vec::new(), Vec::new());
    for loaded in loaded {
        match loaded {
            Ok(picture) => pictures.push(picture),
            Err(reason) => skipped.push(reason),
        }
    }
    match skipped.first().filter(|_| pictures.is_empty()) {
        Some(first) => {
            Err(ExplainError::Unreadable { data: data.name.clone(), n: chosen.len(), first: first.clone() })
        }
        None => Ok((pictures, skipped)),
    }
}

/// The name of a model in messages and files: its arm, with its number among several models of it.
pub(super) fn name(subjects: &[Subject], place: usize) -> String {
    let arm = &subjects[place].arm;
    let number = subjects[..=place].iter().filter(|subject| subject.arm == *arm).count();
    if number > 1 { format!("{arm}-{number}") } else { arm.clone() }
}
