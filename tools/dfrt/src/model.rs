//! Loading the model of `--model`, with the options for files of other programs.

use crate::output;
use anyhow::{Result, bail};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, SessionError};
use dfrt_runtime::detector::settle::{Fact, Source};
use dfrt_runtime::sample::{Label, Sample};

/// Loads `model`, read as `overrides` say if another program wrote it. What is only a convention, or
/// comes from a file next to it, is noted on standard error.
///
/// # Errors
/// A file that cannot be loaded, and a reading that the file contradicts or leaves open.
pub fn load_as(model: &Model, overrides: &Overrides) -> Result<Detector, SessionError> {
    let detector = Detector::load_as(&model.onnx, 1, overrides)?;
    let noted = [Source::Convention, Source::Sidecar];
    for fact in detector.facts().iter().filter(|fact| noted.contains(&fact.source)) {
        let (part, value, why) = (fact.part, &fact.value, &fact.why);
        let option = if part == "pixels" { "preprocess" } else { part };
        output::note(format!(
            "note: {}: {part} {value}: {why} (--{option} changes it)",
            model.given.display()
        ));
    }
    Ok(detector)
}

/// Checks that the index of the fake class is known, or that pictures of both classes would show
/// a wrong one.
///
/// # Errors
/// Each of `measured` has one class only, and the file does not name its classes.
pub fn check_classes(model: &Model, detector: &Detector, measured: &[&[Sample]]) -> Result<()> {
    let custom = |fact: &Fact| fact.part == "fake-index" && fact.source == Source::Convention;
    let Some(fact) = detector.facts().iter().find(|fact| custom(fact)) else { return Ok(()) };
    let of = |samples: &[Sample], label| samples.iter().any(|sample| sample.label == label);
    if measured.iter().any(|samples| of(samples, Label::Real) && of(samples, Label::Fake)) {
        return Ok(());
    }
    bail!(
        "{}: {}, and pictures of one class cannot show whether that is so; pass --fake-index 1, or --fake-index 0 where it is the other way round",
        model.given.display(),
        fact.why
    )
}
