//! Loading a detector: the checked file, what it proves and what a probe shows of it, the
//! plan that tract makes.

use super::{Detector, SessionError};
use crate::detector::answer;
use crate::detector::asked::{Asked, Preprocess};
use crate::detector::beside::{self, Beside};
use crate::detector::file::OnnxFile;
use crate::detector::graph::Wires;
use crate::detector::metadata::Metadata;
use crate::detector::pixels;
use crate::detector::probe;
use crate::detector::rewrite;
use crate::detector::settle::{self, Evidence, Fact, Question, Source};
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
    /// A file that dfrt exported has one input, N x 3 x res x res floats in \[0, 1\],
    /// and one output of one logit a picture, \[N, 1\] or \[N\], positive for fake.
    /// How another file is read is proved by it or probed, see [`Detector::facts`].
    ///
    /// # Errors
    /// An unreadable, empty, truncated or foreign file, an operator that tract
    /// does not have, other inputs or outputs, a reading that is neither proved nor
    /// probed: one line that names the file.
    pub fn load(path: &Path, batch: usize) -> Result<Self, SessionError> {
        Self::load_as(path, batch, &Asked::default())
    }

    /// The same with what the user says about a foreign file.
    ///
    /// # Errors
    /// As [`Detector::load`], a size that differs from the file's, and a reading
    /// for a file that dfrt exported, which says itself how it is read.
    pub fn load_as(path: &Path, batch: usize, asked: &Asked) -> Result<Self, SessionError> {
        let detector = Self::load_unsettled(path, batch, asked)?;
        match detector.questions.is_empty() {
            true => Ok(detector),
            false => Err(SessionError::Open { path: path.to_owned(), questions: detector.questions }),
        }
    }

    /// The same where the meaning of the numbers does not matter, as when the model is timed:
    /// what is not known stays open, see [`Detector::questions`], and its logits mean nothing.
    ///
    /// # Errors
    /// As [`Detector::load_as`], but for what is open.
    pub fn load_unsettled(path: &Path, batch: usize, asked: &Asked) -> Result<Self, SessionError> {
        let file = OnnxFile::read(path)?;
        check_asked(path, file.metadata.is_some(), asked)?;
        match file.metadata.clone() {
            Some(own) => Self::of_ours(path, batch, asked, file, own),
            None => Self::foreign(path, batch, asked, file),
        }
    }

    fn of_ours(
        path: &Path,
        batch: usize,
        asked: &Asked,
        file: OnnxFile,
        own: Metadata,
    ) -> Result<Self, SessionError> {
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        let res = asked.res.unwrap_or(own.res);
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

    fn foreign(path: &Path, batch: usize, asked: &Asked, mut file: OnnxFile) -> Result<Self, SessionError> {
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        let output_name = chosen_output(&mut file, asked).map_err(wrong)?;
        let beside = beside::read(path);
        let res = asked.res.or(beside.res.as_ref().map(|(res, _)| *res).filter(|_| leaves_size_open(&file)));
        let signature = Signature::of(&file.proto, batch.max(1), res, asked.layout).map_err(wrong)?;
        let wires = Wires::of(file.graph());
        if signature.batch > 1 && wires.has("DynamicQuantizeLinear") {
            return Err(wrong(match signature.fixed {
                true => SignatureError::Together(signature.batch),
                false => SignatureError::OneByOne(signature.batch),
            }));
        }
        let axis = if signature.layout == Layout::Nchw { 1 } else { 3 };
        let walked = pixels::walk(&wires, &signature.input, axis);
        let output = file.graph().output.first().map(|output| output.name.clone()).unwrap_or_default();
        let says = answer::says(&wires, &output);
        let linear = answer::is_linear(&wires, &output);
        let cut = answer::closing(&wires, &output, file.opset())
            .filter(|_| asked.output != Some(Output::Probability));
        if let Some(closing) = &cut {
            rewrite::end_at(file.graph_mut(), &closing.before);
        }
        let plan = planned(path, &file, &signature)?;
        let outputs = signature.outputs(&plan).map_err(wrong)?;
        if let Some(what) = settle::no_score(&says, outputs) {
            return Err(wrong(SignatureError::Output(what)));
        }
        let mut facts = shape_facts(&file, &signature, asked, &beside, output_name.as_deref());
        let mut questions = Vec::new();
        let mut settled = |found: Result<Fact, Question>| match found {
            Ok(fact) => facts.push(fact),
            Err(question) => questions.push(question),
        };
        let mut reading = Reading { layout: signature.layout, outputs, output_name, ..Reading::plain() };
        let way = settle::pixels(asked, &signature, walked.as_ref(), &beside, linear);
        // Whether the answers are probabilities can be seen under any usual way.
        let pixels = way.as_ref().map_or_else(|_| Preprocess::Imagenet.pixels(), |(pixels, _)| *pixels);
        let (channels, order) = settle::channels(asked, walked.as_ref(), &pixels);
        let known = way.is_ok();
        settled(way.map(|(_, fact)| fact));
        if known || order.source != Source::Custom {
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
        let (answers, bounded) = detector.probed(asked, cut.is_some(), &says)?;
        let evidence =
            Evidence { says: &says, cut: cut.as_ref(), answers: answers.as_ref(), bounded, outputs };
        settled(settle::output(asked, &evidence).map(|(output, fact)| {
            detector.reading.output = output;
            fact
        }));
        settled(settle::fake_index(asked, &beside, outputs).map(|(index, fact)| {
            detector.reading.fake_index = index;
            fact
        }));
        detector.reading.logits_before = cut.map(|closing| closing.operator);
        detector.info.reading = questions.is_empty().then(|| detector.reading.clone());
        (detector.facts, detector.questions) = (facts, questions);
        Ok(detector)
    }

    /// What the model answers to drawn pictures, where its output has to be probed.
    fn probed(
        &self,
        asked: &Asked,
        cut: bool,
        says: &answer::Says,
    ) -> Result<(Option<probe::Answers>, Option<bool>), SessionError> {
        let contradicted =
            asked.output == Some(Output::Logit) && matches!(says, answer::Says::Probability(_));
        if cut || (asked.output.is_some() && !contradicted) {
            return Ok((None, None));
        }
        let mut session = self.session()?;
        let mut run = |values: &[f32]| session.numbers(values);
        let (batch, res, outputs) = (self.batch(), self.res(), self.reading.outputs);
        let answers = probe::pictures(&mut run, batch, res, outputs)?;
        let unclear = answers.probabilities && matches!(says, answer::Says::Unknown(_));
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

/// Leaves one output to `file`: the only one, or the one that the user names. Gives its name
/// where there were several.
fn chosen_output(file: &mut OnnxFile, asked: &Asked) -> Result<Option<String>, SignatureError> {
    let graph = file.graph_mut();
    let names: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    match &asked.output_name {
        Some(name) if rewrite::choose_output(graph, name) => Ok(Some(name.clone())),
        Some(name) => Err(SignatureError::NoOutput { asked: name.clone(), there: names }),
        None if names.len() > 1 => Err(SignatureError::Outputs(names)),
        None => Ok(None),
    }
}

/// Whether the side of the input has to come from elsewhere.
fn leaves_size_open(file: &OnnxFile) -> bool {
    matches!(Signature::of(&file.proto, 1, None, None), Err(SignatureError::OpenSize))
}

/// What is known of the shapes and types.
fn shape_facts(
    file: &OnnxFile,
    signature: &Signature,
    asked: &Asked,
    beside: &Beside,
    output: Option<&str>,
) -> Vec<Fact> {
    let fact = |part, value: String, source, why: &str| Fact { part, value, source, why: why.to_owned() };
    let declared = &signature.declared;
    let shape = format!("of its input {:?} {declared}", signature.input);
    let (layout, side) = (signature.layout.to_string(), format!("{} px", signature.res));
    let side = match (asked.res, &beside.res) {
        (None, Some((res, name))) if *res == signature.res && leaves_size_open(file) => {
            fact("side", side, Source::Beside, &format!("{name} beside it says so"))
        }
        (Some(_), _) if leaves_size_open(file) => fact("side", side, Source::Said, "--res"),
        _ => fact("side", side, Source::Proved, &format!("the shape {shape}")),
    };
    let mut facts = vec![
        fact("written by", file.producer(), Source::Proved, "the file's own words, which prove nothing else"),
        match asked.layout {
            Some(_) => fact("layout", layout, Source::Said, "--layout"),
            None => fact("layout", layout, Source::Proved, &format!("the shape {shape} and what takes it")),
        },
        side,
    ];
    if file.widened {
        let why = "the file holds 16-bit floats; it runs in 32 bits here";
        facts.push(fact("numbers", "32-bit floats".to_owned(), Source::Proved, why));
    }
    if let Some(name) = output {
        facts.push(fact("output-name", name.to_owned(), Source::Said, "--output-name"));
    }
    facts
}

/// Refuses what the user cannot mean.
fn check_asked(path: &Path, own: bool, asked: &Asked) -> Result<(), SessionError> {
    let idle = asked
        .first_of_reading()
        .filter(|_| own)
        .map(|option| format!("was exported by dfrt and says itself how it is read; leave {option} out"));
    match idle.or_else(|| asked.fault()) {
        Some(reason) => Err(SessionError::Asked { path: path.to_owned(), reason }),
        None => Ok(()),
    }
}
