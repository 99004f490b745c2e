//! An ONNX file run by tract: loading with one clear line for every way a file
//! can be wrong, and the oracle that evaluation and black-box attacks ask.
//!
//! A [`Detector`] has one plan of one batch size. Larger requests are cut, a
//! smaller one is padded, so that the bits of a picture's logit depend on the
//! plan alone and never on how many pictures were asked with it. What a file wants
//! its pixels to be, and what its numbers mean, its [`Reading`] knows.

use super::evaluate::ModelInfo;
use super::external::{self, ExternalError};
use super::guess;
use super::metadata::{Metadata, MetadataError};
use super::oracle::{Oracle, OracleError};
use super::reading::{Asked, Layout, Reading};
use super::signature::{Signature, SignatureError};
use super::threshold::{Threshold, ThresholdSource};
use crate::data::batch::Batch;
use crate::storage::{self, StorageError};
use rayon::prelude::*;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use tract_onnx::pb::{ModelProto, NodeProto};
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
    /// Its numbers are not what they are read as.
    #[error("{}: {reason}", path.display())]
    Answer {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// tract cannot run the graph; the operator and its node are named.
    #[error("{}: tract cannot run this graph: {reason}; simplify the model or export it with opset 17", path.display())]
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
    guesses: Vec<String>,
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
    /// How another file is read is guessed, see [`Detector::guesses`].
    ///
    /// # Errors
    /// An unreadable, empty, truncated or foreign file, an operator that tract
    /// does not have, other inputs or outputs: one line that names the file.
    pub fn load(path: &Path, batch: usize) -> Result<Self, SessionError> {
        Self::load_as(path, batch, &Asked::default())
    }

    /// The same with what the user says about a foreign file.
    ///
    /// # Errors
    /// As [`Detector::load`], a size that differs from the file's, and a reading
    /// for a file that dfrt exported, which says itself how it is read.
    pub fn load_as(path: &Path, batch: usize, asked: &Asked) -> Result<Self, SessionError> {
        let mut bytes = storage::read(path)?;
        let mut proto = parse(path, &bytes)?;
        let metadata = read_metadata(path, &proto)?;
        check_asked(path, metadata.is_some(), asked)?;
        let beside = external::bring_in(path, &mut proto)
            .map_err(|source| SessionError::External { path: path.to_owned(), source })?;
        beside.into_values().for_each(|file| bytes.extend(file));
        let own = metadata.as_ref();
        let res = asked.res.or(own.map(|metadata| metadata.res));
        let layout = asked.layout.or(own.map(|_| Layout::Nchw));
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        let signature = Signature::of(&proto, batch.max(1), res, layout).map_err(wrong)?;
        let plan = contained(|| optimise(&proto, &signature)).map_err(|reason| SessionError::Graph {
            path: path.to_owned(),
            reason: with_operator(&proto, reason),
        })?;
        let outputs = signature.outputs(&plan).map_err(wrong)?;
        let (reading, guesses) = match own {
            Some(_) if outputs != 1 => {
                let found = format!("{outputs} numbers a picture where dfrt exports one logit a picture");
                return Err(wrong(SignatureError::Output(found)));
            }
            Some(_) => (Reading::plain(), Vec::new()),
            None => guess::settle(&proto, &signature, outputs, asked),
        };
        let info = ModelInfo {
            path: path.display().to_string(),
            sha256: storage::sha256(&bytes),
            arch: own.map_or("unknown", |metadata| &metadata.arch).to_owned(),
            res: signature.res,
            reading: own.is_none().then(|| reading.clone()),
        };
        let threshold = match own {
            Some(own) => Threshold { logit: own.threshold, source: ThresholdSource::Model },
            None => Threshold { logit: 0.0, source: ThresholdSource::Default },
        };
        Ok(Self { path: path.to_owned(), plan, signature, reading, guesses, info, metadata, threshold })
    }

    /// How its input and output are read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What of the reading was guessed: a line each, which names the option that
    /// changes it. None for a file that dfrt exported.
    pub fn guesses(&self) -> &[String] {
        &self.guesses
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
                let (shape, res) = (self.signature.shape(), self.signature.res);
                Ok(Session { path, state, shape, res, reading: self.reading.clone() })
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
        let (state, shape, reading, res) = (&mut self.state, &self.shape, &self.reading, self.res);
        let numbers = contained(|| {
            let input = if reading.takes_pixels() {
                Tensor::from_shape(shape, values)?
            } else {
                Tensor::from_shape(shape, &reading.input(values, res))?
            };
            let outputs = state.run(tvec!(input.into_tvalue()))?;
            Ok(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        });
        let numbers = numbers.map_err(|reason| SessionError::Graph { path: self.path.clone(), reason })?;
        let wrong = |reason| SessionError::Answer { path: self.path.clone(), reason };
        self.reading.logits(&numbers).map_err(wrong)
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

fn parse(path: &Path, bytes: &[u8]) -> Result<ModelProto, SessionError> {
    let wrong = |reason: &str| SessionError::NotOnnx { path: path.to_owned(), reason: reason.to_owned() };
    if bytes.is_empty() {
        return Err(wrong("the file is empty"));
    }
    let proto = contained(|| tract_onnx::onnx().proto_model_for_read(&mut &bytes[..]));
    let proto = proto.map_err(|_| wrong("the file is of another kind or was cut short"))?;
    let nodes = proto.graph.as_ref().map_or(0, |graph| graph.node.len());
    if nodes == 0 {
        return Err(wrong("it holds no graph"));
    }
    if proto.opset_import.is_empty() {
        return Err(wrong("it names no operator set, so it was probably cut short"));
    }
    Ok(proto)
}

fn read_metadata(path: &Path, proto: &ModelProto) -> Result<Option<Metadata>, SessionError> {
    let pairs = proto.metadata_props.iter();
    Metadata::from_pairs(pairs.map(|pair| (pair.key.as_str(), pair.value.as_str())))
        .map_err(|source| SessionError::Metadata { path: path.to_owned(), source })
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

/// What tract said with the operator of the node that it names.
fn with_operator(proto: &ModelProto, reason: String) -> String {
    // tract calls a node without a name after its first output, and what it makes of
    // a node by longer names.
    let called = |node: &NodeProto| match node.name.as_str() {
        "" => node.output.first().cloned().unwrap_or_default(),
        name => name.to_owned(),
    };
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    let named = nodes.map(|node| (called(node), &node.op_type)).filter(|(name, _)| {
        !name.is_empty()
            && (reason.contains(&format!("\"{name}")) || reason.contains(&format!("node {name}")))
    });
    match named.max_by_key(|(name, _)| name.len()) {
        Some((name, operator)) => format!("operator {operator} (node {name:?}): {reason}"),
        None => reason,
    }
}

fn optimise(proto: &ModelProto, signature: &Signature) -> TractResult<Arc<TypedSimplePlan>> {
    let shape = signature.shape();
    // Declared shapes of inner values name the file's own symbolic batch, which
    // is fixed here: tract infers them again.
    let onnx = tract_onnx::onnx().with_ignore_value_info(true);
    onnx.model_for_proto_model(proto)?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_optimized()?
        .into_runnable()
}

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` inside tract; an error's chain, or a panic, becomes one line.
///
/// tract indexes and asserts while it reads a graph, so a damaged or unusual
/// file can make it panic. This is the one place where that is caught: nothing
/// of ours is borrowed mutably across it but a session that is then dropped.
fn contained<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                report(info);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(one_line(&format!("{error:#}"))),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(one_line(text.unwrap_or("it stopped without a reason")))
        }
    }
}

/// The first 300 characters of `text` with every white space a blank.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
