//! All models measured and summarised, and the files of that.

use super::error::ExplainError;
use super::measure::measure;
use super::options::Options;
use super::spectrum;
use super::subject::{Picture, Progress, Subject, load, name};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::report::ReportError;
use dfrt_runtime::report::explanation::images::{self, View};
use dfrt_runtime::report::explanation::{Basis, markdown, summarise};
use dfrt_runtime::results::ResultError;
use dfrt_runtime::results::evaluation::DataInfo;
use dfrt_runtime::results::explanation::one_model::OneModel;
use dfrt_runtime::results::explanation::{self as results, Explanation, Measured};
use dfrt_runtime::sample::Label;
use dfrt_runtime::storage;
use std::path::Path;

/// What [`explain`] found.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The summary.
    pub explanation: Explanation,
    /// What was measured on each model.
    pub measured: Vec<Measured>,
    /// The shown pictures under each model.
    pub views: Vec<View>,
}

impl Explained {
    /// Writes explain.json, explain.md, pictures.csv and `images/` into the folder `dir`.
    ///
    /// # Errors
    /// A file cannot be written, a figure is not finite, or a picture cannot be drawn.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        write_images(dir, &self.views)?;
        results::table::write(dir, &self.measured)?;
        let text = markdown(&self.explanation);
        storage::write(&dir.join(results::TEXT), text.as_bytes()).map_err(ResultError::from)?;
        Ok(self.explanation.write(dir)?)
    }
}

/// Measures every model of `subjects` on the pictures of `data` and summarises by arm. The first arm
/// is the reference. Results depend on the pictures, models and options alone, apart from the last
/// digits, which another batch size or device may change.
///
/// # Errors
/// Models or options that cannot be used, no readable picture, a logit that is not finite, a device
/// that fails.
pub fn explain(
    subjects: &[Subject],
    data: &Chosen,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Explained, ExplainError> {
    check(subjects, options)?;
    let (pictures, skipped) = load(data, subjects[0].network.graph.res)?;
    let (mut measured, mut views) = (Vec::new(), Vec::new());
    for (place, subject) in subjects.iter().enumerate() {
        let name = name(subjects, place);
        let (figures, shown) = measure(subject, &name, &pictures, options, progress)?;
        measured.push(figures);
        views.extend(shown);
    }
    let basis = basis(data, &pictures, skipped, options);
    progress("summary", 0, 1);
    let explanation = summarise(&measured, basis)?;
    progress("summary", 1, 1);
    Ok(Explained { explanation, measured, views })
}

/// What [`explain_one`] found.
#[derive(Clone, Debug)]
pub struct ExplainedOne {
    /// What was measured on the model.
    pub model: OneModel,
    /// The shown pictures under it.
    pub views: Vec<View>,
}

impl ExplainedOne {
    /// Writes `images/` and then model.json into the folder `dir`.
    ///
    /// # Errors
    /// A file cannot be written, a figure is not finite, or a picture cannot be drawn.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        write_images(dir, &self.views)?;
        Ok(self.model.write(dir)?)
    }
}

/// Measures one model on the pictures of `data`, to be summarised with others later.
///
/// # Errors
/// As [`explain`].
pub fn explain_one(
    subject: &Subject,
    data: &Chosen,
    options: &Options,
    progress: Progress<'_>,
) -> Result<ExplainedOne, ExplainError> {
    check(std::slice::from_ref(subject), options)?;
    let (pictures, skipped) = load(data, subject.network.graph.res)?;
    let (measured, views) = measure(subject, &subject.arm, &pictures, options, progress)?;
    let model = OneModel { basis: basis(data, &pictures, skipped, options), measured };
    Ok(ExplainedOne { model, views })
}

fn write_images(dir: &Path, views: &[View]) -> Result<(), ReportError> {
    for file in images::files(views)? {
        storage::write(&dir.join(results::IMAGES).join(&file.name), &file.png).map_err(ResultError::from)?;
    }
    Ok(())
}

fn basis(data: &Chosen, pictures: &[Picture], skipped: Vec<String>, options: &Options) -> Basis {
    let of = |label| pictures.iter().filter(|picture| picture.label == label).count();
    Basis {
        data: DataInfo {
            path: data.name.clone(),
            split: data.split.to_string(),
            n_real: of(Label::Real),
            n_fake: of(Label::Fake),
        },
        settings: options.settings(),
        frequencies: spectrum::frequencies().to_vec(),
        skipped,
    }
}

/// Checks that the name of an arm can be part of a file's name.
///
/// # Errors
/// It cannot.
pub fn check_name(arm: &str) -> Result<(), ExplainError> {
    let allowed = |letter: char| letter.is_alphanumeric() || "-_+.".contains(letter);
    match !arm.is_empty() && !arm.starts_with('.') && arm.chars().all(allowed) {
        true => Ok(()),
        false => Err(ExplainError::Name(arm.to_owned())),
    }
}

/// Checks that the models and options can be used, before any work.
///
/// # Errors
/// The first that cannot.
pub fn check(subjects: &[Subject], options: &Options) -> Result<(), ExplainError> {
    let first = subjects.first().ok_or(ExplainError::NoModel)?;
    for subject in subjects {
        check_name(&subject.arm)?;
        let (res, other_res) = (first.network.graph.res, subject.network.graph.res);
        if res != other_res {
            let (first, other) = (first.info.path.clone(), subject.info.path.clone());
            return Err(ExplainError::Resolutions { first, res, other, other_res });
        }
        let last = subject.network.graph.features.len() - 1;
        let mut taps = options.taps.clone();
        taps.sort_unstable();
        taps.dedup();
        if taps.is_empty() || taps.len() != options.taps.len() || taps.iter().any(|&tap| tap > last) {
            let (model, taps) = (subject.info.path.clone(), options.taps.clone());
            return Err(ExplainError::Taps { model, taps, last });
        }
    }
    if options.lengths.is_empty() || options.lengths.iter().any(|r| !(r.is_finite() && *r > 0.0)) {
        return Err(ExplainError::Lengths(options.lengths.clone()));
    }
    let counts = [
        ("the batch", options.batch),
        ("the number of steps of the attack", options.attack_steps),
        ("the number of steps at each radius", options.radius_steps),
    ];
    if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
        return Err(ExplainError::Zero(what));
    }
    options.threat()?;
    Ok(())
}
