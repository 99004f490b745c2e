//! Loads a detector: checks the file, finds how it is read by proof and probe, and makes tract's
//! plan.

use super::{Detector, SessionError};
use crate::detector::file::OnnxFile;
use crate::detector::graph::Wires;
use crate::detector::metadata::Metadata;
use crate::detector::output_kind;
use crate::detector::overrides::{Overrides, Preprocess};
use crate::detector::pixels;
use crate::detector::probe;
use crate::detector::rewrite;
use crate::detector::settle::{self, Evidence, Fact, Question, Source};
use crate::detector::sidecar::{self, Sidecar};
use crate::detector::signature::{Signature, SignatureError};
use crate::detector::threshold::Threshold;
use crate::detector::tract;
use crate::reading::{Layout, Output, Reading};
use crate::results::evaluation::ModelInfo;
use crate::results::evaluation::ThresholdSource;
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::*;

impl Detector {
    /// Loads `path` and optimises it for batches of `batch` pictures (at least 1;
    /// a file whose batch is fixed keeps its own, see [`Detector::batch`]).
    ///
    /// A file that dfrt exported has one input, N x 3 x res x res floats in \[0, 1\], and one
    /// output of one logit a picture, \[N, 1\] or \[N\], positive for fake. For other files this
    /// has to be proved or probed, see [`Detector::facts`].
    ///
    /// # Errors
    /// The file cannot be read, is empty, truncated or no ONNX model; tract lacks an operator;
    /// inputs or outputs do not fit; or a part of the reading is neither proved nor probed. One
    /// line that names the file.
    pub fn load(path: &Path, batch: usize) -> Result<Self, SessionError> {
        Self::load_as(path, batch, &Overrides::default())
    }

    /// [`Detector::load`] for a file of another program, read as `overrides` say.
    ///
    /// # Errors
    /// Those of [`Detector::load`], a size that differs from the file's, and options for a file
    /// that dfrt exported, whose metadata say how it is read.
    pub fn load_as(path: &Path, batch: usize, overrides: &Overrides) -> Result<Self, SessionError> {
        let detector = Self::load_unsettled(path, batch, overrides)?;
        match detector.questions.is_empty() {
            true => Ok(detector),
            false => {
                Err(SessionError::UnknownReading { path: path.to_owned(), questions: detector.questions })
            }
        }
    }

    /// [`Detector::load_as`] without the errors on an unknown reading, for example to time a
    /// model: see [`Detector::questions`] for what is not known. Its logits then mean nothing.
    ///
    /// # Errors
    /// Those of [`Detector::load_as`], except for an unknown reading.
    pub fn load_unsettled(path: &Path, batch: usize, overrides: &Overrides) -> Result<Self, SessionError> {
        let file = OnnxFile::read(path)?;
        check_overrides(path, file.metadata.is_some(), overrides)?;
        match file.metadata.clone() {
            Some(own) => Self::own(path, batch, overrides, file, own),
            None => Self::foreign(path, batch, overrides, file),
        }
    }

    fn own(
        path: &Path,
        batch: usize,
        overrides: &Overrides,
        file: OnnxFile,
        own: Metadata,
    ) -> Result<Self, SessionError> {
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        let res = overrides.res.unwrap_or(own.res);
        let signature =
            Signature::of(&file.proto, batch.max(1), Some(res), Some(Layout::Nchw)).map_err(wrong)?;
        let plan = planned(path, &file, &signature)?;
        let outputs = signature.outputs(&plan).map_err(wrong)?;
        if outputs != 1 {
            let found = format!("{outputs} numbers a picture where dfrt exports one logit a picture");
            return Err(wrong(SignatureError::Output(found)));
        }
        let info = info(path, &file, &own.arch, signature.res, None);
        let (reading, facts, questions) = (Reading::plain(), Vec::new(), Vec::new());
        let threshold = Threshold { logit: own.threshold, source: ThresholdSource::Model };
        let (path, metadata) = (path.to_owned(), Some(own));
        Ok(Self { path, plan, signature, reading, facts, questions, info, metadata, threshold })
    }

    fn foreign(
        path: &Path,
        batch: usize,
        overrides: &Overrides,
        mut file: OnnxFile,
    ) -> Result<Self, SessionError> {
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        let output_name = chosen_output(&mut file, overrides).map_err(wrong)?;
        let sidecar = sidecar::read(path);
        let res =
            overrides.res.or(sidecar.res.as_ref().map(|(res, _)| *res).filter(|_| leaves_size_open(&file)));
        let signature = Signature::of(&file.proto, batch.max(1), res, overrides.layout).map_err(wrong)?;
        let wires = Wires::of(file.graph());
        if signature.batch > 1 && wires.has("DynamicQuantizeLinear") {
            return Err(wrong(match signature.fixed {
                true => SignatureError::FixedBatchQuantized(signature.batch),
                false => SignatureError::BatchQuantized(signature.batch),
            }));
        }
        let axis = if signature.layout == Layout::Nchw { 1 } else { 3 };
        let walked = pixels::walk(&wires, &signature.input, axis);
        let output = file.graph().output.first().map(|output| output.name.clone()).unwrap_or_default();
        let kind = output_kind::kind(&wires, &output);
        let linear = output_kind::is_linear(&wires, &output);
        let cut = output_kind::closing(&wires, &output, file.opset())
            .filter(|_| overrides.output != Some(Output::Probability));
        if let Some(closing) = &cut {
            rewrite::end_at(file.graph_mut(), &closing.before);
        }
        let plan = planned(path, &file, &signature)?;
        let outputs = signature.outputs(&plan).map_err(wrong)?;
        if let Some(what) = settle::no_score(&kind, outputs) {
            return Err(wrong(SignatureError::Output(what)));
        }
        let mut facts = shape_facts(&file, &signature, overrides, &sidecar, output_name.as_deref());
        let mut questions = Vec::new();
        let mut settled = |found: Result<Fact, Question>| match found {
            Ok(fact) => facts.push(fact),
            Err(question) => questions.push(question),
        };
        let mut reading = Reading { layout: signature.layout, outputs, output_name, ..Reading::plain() };
        let scaling = settle::pixels(overrides, &signature, walked.as_ref(), &sidecar, linear);
        // Whether the outputs are probabilities shows under any usual scaling.
        let pixels = scaling.as_ref().map_or_else(|_| Preprocess::Imagenet.pixels(), |(pixels, _)| *pixels);
        let (channels, order) = settle::channels(overrides, walked.as_ref(), &pixels);
        let known = scaling.is_ok();
        settled(scaling.map(|(_, fact)| fact));
        if known || order.source != Source::Convention {
            settled(Ok(order));
        }
        reading.channels = channels;
        (reading.range, reading.mean, reading.std) = (pixels.range, pixels.mean, pixels.std);
        let info = info(path, &file, "unknown", signature.res, Some(reading.clone()));
        let mut detector = Self {
            path: path.to_owned(),
            plan,
            signature,
            reading,
            facts: Vec::new(),
            questions: Vec::new(),
            info,
            metadata: None,
            threshold: Threshold { logit: 0.0, source: ThresholdSource::Default },
        };
        let (answers, bounded) = detector.probed(overrides, cut.is_some(), &kind)?;
        let evidence =
            Evidence { kind: &kind, cut: cut.as_ref(), answers: answers.as_ref(), bounded, outputs };
        settled(settle::output(overrides, &evidence).map(|(output, fact)| {
            detector.reading.output = output;
            fact
        }));
        settled(settle::fake_index(overrides, &sidecar, outputs).map(|(index, fact)| {
            detector.reading.fake_index = index;
            fact
        }));
        detector.reading.logits_before = cut.map(|closing| closing.operator);
        detector.info.reading = questions.is_empty().then(|| detector.reading.clone());
        (detector.facts, detector.questions) = (facts, questions);
        Ok(detector)
    }

    /// Probes the model where its output is not known otherwise.
    fn probed(
        &self,
        overrides: &Overrides,
        cut: bool,
        kind: &output_kind::OutputKind,
    ) -> Result<(Option<probe::ProbeResult>, Option<bool>), SessionError> {
        let contradicted = overrides.output == Some(Output::Logit)
            && matches!(kind, output_kind::OutputKind::Probability(_));
        if cut || (overrides.output.is_some() && !contradicted) {
            return Ok((None, None));
        }
        let mut session = self.session()?;
        let mut run = |values: &[f32]| session.numbers(values);
        let (batch, res, outputs) = (self.batch(), self.res(), self.reading.outputs);
        let answers = probe::pictures(&mut run, batch, res, outputs)?;
        let unclear = answers.probabilities && matches!(kind, output_kind::OutputKind::Unknown(_));
        let bounded = unclear
            .then(|| probe::beyond(&mut run, self.signature.element, batch, res, outputs))
            .transpose()?;
        Ok((Some(answers), bounded))
    }
}

fn planned(
    path: &Path,
    file: &OnnxFile,
    signature: &Signature,
) -> Result<Arc<TypedSimplePlan>, SessionError> {
    tract::plan(&file.proto, signature)
        .map_err(|reason| SessionError::Graph { path: path.to_owned(), reason })
}

fn info(path: &Path, file: &OnnxFile, arch: &str, res: usize, reading: Option<Reading>) -> ModelInfo {
    ModelInfo {
        path: path.display().to_string(),
        sha256: file.sha256.clone(),
        arch: arch.to_owned(),
        res,
        reading,
    }
}

/// Keeps one output of `file`: the only one, or the one that the user names. Returns its name
/// where there were several.
fn chosen_output(file: &mut OnnxFile, overrides: &Overrides) -> Result<Option<String>, SignatureError> {
    let graph = file.graph_mut();
    let names: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    match &overrides.output_name {
        Some(name) if rewrite::choose_output(graph, name) => Ok(Some(name.clone())),
        Some(name) => Err(SignatureError::NoOutput { name: name.clone(), outputs: names }),
        None if names.len() > 1 => Err(SignatureError::Outputs(names)),
        None => Ok(None),
    }
}

/// Whether the file does not fix the side of its input.
fn leaves_size_open(file: &OnnxFile) -> bool {
    matches!(Signature::of(&file.proto, 1, None, None), Err(SignatureError::UnknownSize))
}

/// The facts about shapes and types.
fn shape_facts(
    file: &OnnxFile,
    signature: &Signature,
    overrides: &Overrides,
    sidecar: &Sidecar,
    output: Option<&str>,
) -> Vec<Fact> {
    let fact = |part, value: String, source, why: &str| Fact { part, value, source, why: why.to_owned() };
    let declared = &signature.declared;
    let shape = format!("of its input {:?} {declared}", signature.input);
    let (layout, side) = (signature.layout.to_string(), format!("{} px", signature.res));
    let side = match (overrides.res, &sidecar.res) {
        (None, Some((res, name))) if *res == signature.res && leaves_size_open(file) => {
            fact("side", side, Source::Sidecar, &format!("{name} next to it says so"))
        }
        (Some(_), _) if leaves_size_open(file) => fact("side", side, Source::User, "--res"),
        _ => fact("side", side, Source::Proved, &format!("the shape {shape}")),
    };
    let mut facts = vec![
        fact("written by", file.producer(), Source::Proved, "as the file states, which proves nothing else"),
        match overrides.layout {
            Some(_) => fact("layout", layout, Source::User, "--layout"),
            None => fact("layout", layout, Source::Proved, &format!("the shape {shape} and what takes it")),
        },
        side,
    ];
    if file.widened {
        let why = "the file holds 16-bit floats; it runs in 32 bits here";
        facts.push(fact("numbers", "32-bit floats".to_owned(), Source::Proved, why));
    }
    if let Some(name) = output {
        facts.push(fact("output-name", name.to_owned(), Source::User, "--output-name"));
    }
    facts
}

/// Refuses options that cannot be used with this file.
fn check_overrides(path: &Path, own: bool, overrides: &Overrides) -> Result<(), SessionError> {
    let needless = overrides
        .first_reading_option()
        .filter(|_| own)
        .map(|option| format!("was exported by dfrt and says itself how it is read; leave {option} out"));
    match needless.or_else(|| overrides.problem()) {
        Some(reason) => Err(SessionError::Override { path: path.to_owned(), reason }),
        None => Ok(()),
    }
}
