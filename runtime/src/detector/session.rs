//! An ONNX file run by tract: loading with one clear line for every way a file
//! can be wrong, and the oracle that evaluation and black-box attacks ask.
//!
//! A [`Detector`] has one plan of one batch size. Larger requests are cut, a
//! smaller one is padded, so that the bits of a picture's logit depend on the
//! plan alone and never on how many pictures were asked with it. What a file wants
//! its pixels to be, and what its numbers mean, its [`Reading`] knows.

use super::answer;
use super::asked::{Asked, Preprocess};
use super::beside::{self, Beside};
use super::evaluate::ModelInfo;
use super::external::ExternalError;
use super::file::OnnxFile;
use super::graph::Wires;
use super::metadata::{Metadata, MetadataError};
use super::oracle::{Oracle, OracleError};
use super::pixels;
use super::probe;
use super::reading::{Layout, Output, Reading};
use super::rewrite;
use super::settle::{self, Evidence, Fact, Question, Source};
use super::signature::{Element, Signature, SignatureError};
use super::threshold::{Threshold, ThresholdSource};
use super::tract::{self, contained};
use crate::data::batch::Batch;
use crate::storage::StorageError;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::prelude::*;

/// Why a model's file cannot be used, or why it failed on a picture.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is no whole ONNX model.
    #[error("{}: no ONNX model: {reason}; give the .onnx that `dfrt export` wrote, or export it again", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pointer to a large file that was not fetched.
    #[error(
        "{}: is a pointer of Git LFS and not the model itself; fetch it with `git lfs pull`, or download the file by itself",
        path.display()
    )]
    Pointer {
        /// The file.
        path: PathBuf,
    },
    /// The model's inputs, outputs or operators are not what a detector here may have.
    #[error("{}: {source}", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// Our keys are there, but wrong.
    #[error("{}: {source}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        source: MetadataError,
    },
    /// Its weights lie in another file that cannot be used.
    #[error("{}: {source}", path.display())]
    External {
        /// The file.
        path: PathBuf,
        /// What is wrong with the other one.
        source: ExternalError,
    },
    /// What the user says about it cannot be.
    #[error("{}: {reason}", path.display())]
    Asked {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// What the file does not prove, no probe shows and the user did not say.
    #[error(
        "{}: {}; `dfrt inspect {}` shows all that is known",
        path.display(),
        questions.iter().map(Question::line).collect::<Vec<_>>().join("; and "),
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What is open.
        questions: Vec<Question>,
    },
    /// Its numbers are not what they are read as.
    #[error("{}: {reason}", path.display())]
    Answer {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// tract cannot run the graph; the operator and its node are named.
    #[error("{}: tract cannot run this graph: {reason}; simplify the model, or export it without that operator", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// What tract said, on one line.
        reason: String,
    },
}

/// A model ready to run on this CPU.
#[derive(Debug)]
pub struct Detector {
    path: PathBuf,
    plan: Arc<TypedSimplePlan>,
    signature: Signature,
    reading: Reading,
    facts: Vec<Fact>,
    questions: Vec<Question>,
    info: ModelInfo,
    metadata: Option<Metadata>,
    threshold: Threshold,
}

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
            return Err(wrong(SignatureError::Together(signature.batch)));
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
        settled(way.map(|(_, fact)| fact));
        reading.channels = pixels.channels;
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

    /// How its input and output are read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Where each part of the reading comes from. None for a file that dfrt exported.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What of the reading is open; none but after [`Detector::load_unsettled`].
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The pictures that one run takes.
    pub fn batch(&self) -> usize {
        self.signature.batch
    }

    /// The side of its input in pixels.
    pub fn res(&self) -> usize {
        self.info.res
    }

    /// The model as reports name it.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What the file says about itself; none for a foreign file.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The logit above which a picture is called fake: the file's, 0 for a foreign one, or
    /// what [`TractOracle::judge_by`] was told.
    pub fn threshold(&self) -> f64 {
        self.threshold.logit
    }

    /// Where that came from.
    pub fn threshold_source(&self) -> &ThresholdSource {
        &self.threshold.source
    }

    /// A state for one thread.
    ///
    /// # Errors
    /// tract cannot set up an operator.
    pub fn session(&self) -> Result<Session, SessionError> {
        let state = contained(|| self.plan.spawn());
        let path = self.path.clone();
        match state {
            Ok(state) => {
                let (shape, element) = (self.signature.shape(), self.signature.element);
                Ok(Session { path, state, shape, element, res: self.res(), reading: self.reading.clone() })
            }
            Err(reason) => Err(SessionError::Graph { path, reason }),
        }
    }
}

/// The running state of a [`Detector`]: one a thread.
#[derive(Debug)]
pub struct Session {
    path: PathBuf,
    state: TypedSimpleState,
    shape: [usize; 4],
    element: Element,
    res: usize,
    reading: Reading,
}

impl Session {
    /// The logits \[N\] of `values`, N x 3 x res x res in \[0, 1\], N the detector's
    /// batch.
    ///
    /// # Errors
    /// What tract says, on one line, and numbers that are not what they are read as.
    /// The session must not be used again.
    pub fn run(&mut self, values: &[f32]) -> Result<Vec<f32>, SessionError> {
        let numbers = self.numbers(values)?;
        let wrong = |reason| SessionError::Answer { path: self.path.clone(), reason };
        self.reading.logits(&numbers).map_err(wrong)
    }

    /// The model's own numbers for `values`, N times [`Reading::outputs`].
    ///
    /// # Errors
    /// What tract says, on one line. The session must not be used again.
    pub(super) fn numbers(&mut self, values: &[f32]) -> Result<Vec<f32>, SessionError> {
        let (state, shape, reading, res) = (&mut self.state, &self.shape, &self.reading, self.res);
        let element = self.element;
        let numbers = contained(|| {
            let input = match element {
                Element::Float if reading.takes_pixels() => Tensor::from_shape(shape, values)?,
                Element::Float => Tensor::from_shape(shape, &reading.input(values, res))?,
                Element::Byte => {
                    let bytes = reading.input(values, res).into_iter().map(|value| value.round() as u8);
                    Tensor::from_shape(shape, &bytes.collect::<Vec<u8>>())?
                }
            };
            let outputs = state.run(tvec!(input.into_tvalue()))?;
            Ok(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        });
        numbers.map_err(|reason| SessionError::Graph { path: self.path.clone(), reason })
    }
}

/// A [`Detector`] as an [`Oracle`]: any number of pictures, from any thread.
#[derive(Debug)]
pub struct TractOracle {
    detector: Detector,
    idle: Mutex<Vec<Session>>,
}

impl TractOracle {
    /// The oracle of `detector`.
    pub fn new(detector: Detector) -> Self {
        Self { detector, idle: Mutex::new(Vec::new()) }
    }

    /// From now on the detector judges by `threshold`.
    pub fn judge_by(&mut self, threshold: Threshold) {
        self.detector.threshold = threshold;
    }

    /// The detector.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// One run of the plan on up to `batch` pictures.
    fn run(&self, values: &[f32]) -> Result<Vec<f32>, OracleError> {
        let stride = 3 * self.res() * self.res();
        let whole = stride * self.detector.batch();
        let mut session = match self.sessions().pop() {
            Some(session) => session,
            None => self.detector.session().map_err(|error| OracleError(error.to_string()))?,
        };
        let logits = if values.len() == whole {
            session.run(values)
        } else {
            let mut padded = values.to_vec();
            padded.resize(whole, 0.0);
            session.run(&padded)
        };
        let mut logits = logits.map_err(|error| OracleError(error.to_string()))?;
        logits.truncate(values.len() / stride);
        self.sessions().push(session);
        Ok(logits)
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Oracle for TractOracle {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        if batch.res != self.res() {
            return Err(OracleError(format!(
                "{}: takes pictures of {} px, got {} px; resize them to {} px",
                self.detector.info.path,
                self.res(),
                batch.res,
                self.res()
            )));
        }
        let chunk = batch.stride() * self.detector.batch();
        if batch.values.len() <= chunk {
            return if batch.is_empty() { Ok(Vec::new()) } else { self.run(&batch.values) };
        }
        let logits: Result<Vec<_>, _> =
            batch.values.par_chunks(chunk).map(|values| self.run(values)).collect();
        Ok(logits?.concat())
    }

    fn res(&self) -> usize {
        self.detector.res()
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
