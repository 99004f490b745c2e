//! What `--model` takes, with what must be said about a file of another program.

use crate::output;
use anyhow::{Result, bail};
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, SessionError};
use dfrt_runtime::detector::settle::{Fact, Source};
use dfrt_runtime::sample::{Label, Sample};

/// Loads `model` as the user says that a file of another program is read; what only custom
/// or a file beside it speaks for is noted on standard error.
///
/// # Errors
/// As [`Model::load`], and a reading that the file cannot have or leaves open.
pub fn load_as(model: &Model, asked: &Overrides) -> Result<Detector, SessionError> {
    let detector = Detector::load_as(&model.onnx, 1, asked)?;
    let told = [Source::Convention, Source::Sidecar];
    for fact in detector.facts().iter().filter(|fact| told.contains(&fact.source)) {
        let (part, value, why) = (fact.part, &fact.value, &fact.why);
        let option = if part == "pixels" { "preprocess" } else { part };
        output::note(format!(
            "note: {}: {part} {value}: {why} (--{option} changes it)",
            model.given.display()
        ));
    }
    Ok(detector)
}

/// Which class is fake must be said where only custom speaks for it and no data of both
/// classes would show it wrong.
///
/// # Errors
/// Each of `measured` is of one class, and the file does not name its classes.
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
