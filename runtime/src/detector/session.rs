//! An ONNX file run by tract: loading with one clear line for every way a file
//! can be wrong, and the oracle that evaluation and black-box attacks ask.
//!
//! A [`Detector`] has one plan of one batch size. Larger requests are cut, a
//! smaller one is padded, so that the bits of a picture's logit depend on the
//! plan alone and never on how many pictures were asked with it.

use super::evaluate::ModelInfo;
use super::metadata::{Metadata, MetadataError};
use super::oracle::{Oracle, OracleError};
use super::signature::{Signature, SignatureError};
use crate::data::batch::Batch;
use crate::storage::{self, StorageError};
use rayon::prelude::*;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use tract_onnx::pb::ModelProto;
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
    /// tract cannot run the graph; it names the node.
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
    batch: usize,
    info: ModelInfo,
    metadata: Option<Metadata>,
}

impl Detector {
    /// Loads `path` and optimises it for batches of `batch` pictures (at least 1;
    /// a file whose batch is fixed keeps its own, see [`Detector::batch`]).
    ///
    /// The graph must have one input, N x 3 x res x res floats in \[0, 1\], and one
    /// output of one logit a picture, \[N, 1\] or \[N\], positive for fake.
    ///
    /// # Errors
    /// An unreadable, empty, truncated or foreign file, an operator that tract
    /// does not have, other inputs or outputs: one line that names the file.
    pub fn load(path: &Path, batch: usize) -> Result<Self, SessionError> {
        Self::load_sized(path, batch, None)
    }

    /// The same with the side of the input in pixels, for a foreign file that
    /// leaves it open.
    ///
    /// # Errors
    /// As [`Detector::load`], and a size that differs from the file's.
    pub fn load_sized(path: &Path, batch: usize, res: Option<usize>) -> Result<Self, SessionError> {
        let bytes = storage::read(path)?;
        let proto = parse(path, &bytes)?;
        let metadata = read_metadata(path, &proto)?;
        let known = res.or(metadata.as_ref().map(|metadata| metadata.res));
        let signature = Signature::of(&proto, batch.max(1), known)
            .map_err(|source| SessionError::Signature { path: path.to_owned(), source })?;
        let graph = |reason| SessionError::Graph { path: path.to_owned(), reason };
        let plan = contained(|| optimise(&proto, &signature)).map_err(graph)?;
        signature
            .check_output(&plan)
            .map_err(|source| SessionError::Signature { path: path.to_owned(), source })?;
        let arch = metadata.as_ref().map_or("unknown", |metadata| &metadata.arch);
        let info = ModelInfo {
            path: path.display().to_string(),
            sha256: storage::sha256(&bytes),
            arch: arch.to_owned(),
            res: signature.res,
        };
        Ok(Self { path: path.to_owned(), plan, batch: signature.batch, info, metadata })
    }

    /// The pictures that one run takes.
    pub fn batch(&self) -> usize {
        self.batch
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

    /// The logit above which a picture is called fake; 0 for a foreign file.
    pub fn threshold(&self) -> f64 {
        self.metadata.as_ref().map_or(0.0, |metadata| metadata.threshold)
    }

    /// A state for one thread.
    ///
    /// # Errors
    /// tract cannot set up an operator.
    pub fn session(&self) -> Result<Session, SessionError> {
        let state = contained(|| self.plan.spawn());
        let state = state.map_err(|reason| self.failed(reason))?;
        Ok(Session { state, shape: [self.batch, 3, self.res(), self.res()] })
    }

    fn failed(&self, reason: String) -> SessionError {
        SessionError::Graph { path: self.path.clone(), reason }
    }
}

/// The running state of a [`Detector`]: one a thread.
#[derive(Debug)]
pub struct Session {
    state: TypedSimpleState,
    shape: [usize; 4],
}

impl Session {
    /// The logits \[N\] of `values`, N x 3 x res x res, N the detector's batch.
    ///
    /// # Errors
    /// What tract says, on one line. The session must not be used again.
    pub fn run(&mut self, values: &[f32]) -> Result<Vec<f32>, String> {
        contained(|| {
            let input = Tensor::from_shape(&self.shape, values)?;
            let outputs = self.state.run(tvec!(input.into_tvalue()))?;
            Ok(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        })
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

    /// The detector.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// One run of the plan on up to `batch` pictures.
    fn run(&self, values: &[f32]) -> Result<Vec<f32>, OracleError> {
        let stride = 3 * self.res() * self.res();
        let whole = stride * self.detector.batch;
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
        let failed = |reason| OracleError(self.detector.failed(reason).to_string());
        let mut logits = logits.map_err(failed)?;
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
        let chunk = batch.stride() * self.detector.batch;
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

fn optimise(proto: &ModelProto, signature: &Signature) -> TractResult<Arc<TypedSimplePlan>> {
    let shape = [signature.batch, 3, signature.res, signature.res];
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
