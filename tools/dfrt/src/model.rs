//! What `--model` takes: an .onnx file, or a RUN, which stands for its model.onnx.

use crate::output;
use anyhow::{Result, bail};
use dfrt_runtime::detector::asked::Asked;
use dfrt_runtime::detector::session::{Detector, SessionError};
use dfrt_runtime::detector::settle::{Fact, Source};
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample};
use std::path::{Path, PathBuf};

/// The file of a RUN that is deployed.
const DEPLOYED: &str = "model.onnx";

/// A model as the user named it.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the user gave.
    pub given: PathBuf,
    /// Its ONNX file.
    pub onnx: PathBuf,
    /// The folder, for a RUN.
    pub run: Option<PathBuf>,
}

impl Model {
    /// Looks what lies at `given`; opens nothing yet.
    ///
    /// # Errors
    /// Nothing is there, or a folder that is no finished RUN.
    pub fn find(given: &Path) -> Result<Self> {
        let shown = given.display();
        if given.is_dir() {
            let onnx = given.join(DEPLOYED);
            if !onnx.is_file() {
                bail!(
                    "{shown}: holds no {DEPLOYED}, so it is no finished RUN; finish it with `dfrt train --out {shown} --resume`, or give an .onnx file"
                );
            }
            return Ok(Self { given: given.to_owned(), onnx, run: Some(given.to_owned()) });
        }
        if !given.exists() {
            bail!("{shown}: no such file or folder; give an .onnx file or a RUN as --model");
        }
        Ok(Self { given: given.to_owned(), onnx: given.to_owned(), run: None })
    }

    /// The file's or RUN's name without its extension: "gr".
    pub fn stem(&self) -> String {
        let whole = std::path::absolute(&self.given).unwrap_or_else(|_| self.given.clone());
        let name = if self.run.is_some() { whole.file_name() } else { whole.file_stem() };
        name.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Loads it into tract, one picture a run.
    ///
    /// # Errors
    /// A file that is no detector: one line that names it.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "studies load files of ours"))]
    pub fn load(&self) -> Result<Detector, SessionError> {
        Detector::load(&self.onnx, 1)
    }

    /// The same with what the user says about a file of another program; what only custom or
    /// a file beside it speaks for is told.
    ///
    /// # Errors
    /// As [`Model::load`], and a reading that the file cannot have or leaves open.
    pub fn load_as(&self, asked: &Asked) -> Result<Detector, SessionError> {
        let detector = Detector::load_as(&self.onnx, 1, asked)?;
        let told = [Source::Custom, Source::Beside];
        for fact in detector.facts().iter().filter(|fact| told.contains(&fact.source)) {
            let (part, value, why) = (fact.part, &fact.value, &fact.why);
            let option = if part == "pixels" { "preprocess" } else { part };
            output::note(format!(
                "note: {}: {part} {value}: {why} (--{option} changes it)",
                self.given.display()
            ));
        }
        Ok(detector)
    }

    /// Which class is fake must be said where only custom speaks for it and no data of both
    /// classes would show it wrong.
    ///
    /// # Errors
    /// Each of `measured` is of one class, and the file does not name its classes.
    pub fn check_classes(&self, detector: &Detector, measured: &[&[Sample]]) -> Result<()> {
        let custom = |fact: &Fact| fact.part == "fake-index" && fact.source == Source::Custom;
        let Some(fact) = detector.facts().iter().find(|fact| custom(fact)) else { return Ok(()) };
        let of = |samples: &[Sample], label| samples.iter().any(|sample| sample.label == label);
        if measured.iter().any(|samples| of(samples, Label::Real) && of(samples, Label::Fake)) {
            return Ok(());
        }
        bail!(
            "{}: {}, and pictures of one class cannot show whether that is so; pass --fake-index 1, or --fake-index 0 where it is the other way round",
            self.given.display(),
            fact.why
        )
    }

    /// The model as results name it: under the name the user gave.
    pub fn info(&self, detector: &Detector) -> ModelInfo {
        ModelInfo { path: self.given.display().to_string(), ..detector.info().clone() }
    }
}
