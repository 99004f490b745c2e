//! An ONNX file run by tract: loading, with a one-line error for everything that can be wrong
//! with a file, and the oracle that evaluation and black-box attacks query.
//!
//! A [`Detector`] has one plan of one batch size. Larger requests are split, smaller ones padded,
//! so that a picture's logit is bit-identical whatever pictures it is scored with. Its
//! [`Reading`] says how pixels are scaled and what the output means.

mod loading;

use super::external::ExternalError;
use super::metadata::{Metadata, MetadataError};
use super::oracle::{Oracle, OracleError};
use super::settle::{Fact, Question};
use super::signature::{Element, Signature, SignatureError};
use super::threshold::Threshold;
use super::tract::contained;
use crate::data::batch::Batch;
use crate::reading::Reading;
use crate::results::evaluation::ModelInfo;
use crate::results::evaluation::ThresholdSource;
use crate::storage::StorageError;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::prelude::*;

/// Why a model's file cannot be used, or why it failed on a picture.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is no complete ONNX model.
    #[error("{}: no ONNX model: {reason}; give the .onnx that `dfrt export` wrote, or export it again", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is a Git LFS pointer.
    #[error(
        "{}: is a pointer of Git LFS and not the model itself; fetch it with `git lfs pull`, or download the file by itself",
        path.display()
    )]
    Pointer {
        /// The file.
        path: PathBuf,
    },
    /// The model's inputs, outputs or operators do not fit a detector.
    #[error("{}: {source}", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// The file has dfrt's metadata, but they are wrong.
    #[error("{}: {source}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: MetadataError,
    },
    /// Its weights are in another file that cannot be used.
    #[error("{}: {source}", path.display())]
    External {
        /// The file.
        path: PathBuf,
        /// What is wrong with the other one.
        source: ExternalError,
    },
    /// The user's options cannot be used with this file.
    #[error("{}: {reason}", path.display())]
    Override {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// How the model is read is not known: the file does not prove it, a probe does not show it,
    /// and the user did not say it.
    #[error(
        "{}: {}; `dfrt inspect {}` shows all that is known",
        path.display(),
        questions.iter().map(Question::line).collect::<Vec<_>>().join("; and "),
        path.display()
    )]
    UnknownReading {
        /// The file.
        path: PathBuf,
        /// What is not known.
        questions: Vec<Question>,
    },
    /// The output contradicts how it is read.
    #[error("{}: {reason}", path.display())]
    UnexpectedOutput {
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
        /// tract's message, on one line.
        reason: String,
    },
}

/// A model ready to run on this CPU.
///
/// ```
/// # use dfrt_runtime::detector::metadata::Metadata;
/// # use prost::Message;
/// # use tract_onnx::pb::{
/// #     AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
/// #     TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType,
/// #     tensor_shape_proto::{Dimension, dimension::Value}, type_proto,
/// # };
/// # let floats = |name: &str, sizes: &[i64]| ValueInfoProto {
/// #     name: name.to_owned(),
/// #     r#type: Some(TypeProto {
/// #         value: Some(type_proto::Value::TensorType(type_proto::Tensor {
/// #             elem_type: DataType::Float as i32,
/// #             shape: Some(TensorShapeProto {
/// #                 dim: sizes.iter().map(|&size| Dimension {
/// #                     value: Some(Value::DimValue(size)), ..Dimension::default()
/// #                 }).collect(),
/// #             }),
/// #         })),
/// #         ..TypeProto::default()
/// #     }),
/// #     ..ValueInfoProto::default()
/// # };
/// # let integers = |name: &str, ints: &[i64]| AttributeProto {
/// #     name: name.to_owned(), r#type: AttributeType::Ints as i32, ints: ints.to_vec(),
/// #     ..AttributeProto::default()
/// # };
/// # let keepdims = AttributeProto {
/// #     name: "keepdims".to_owned(), r#type: AttributeType::Int as i32, i: 0,
/// #     ..AttributeProto::default()
/// # };
/// # let mean = NodeProto {
/// #     op_type: "ReduceMean".to_owned(),
/// #     input: vec!["pixels".to_owned()],
/// #     output: vec!["logit".to_owned()],
/// #     attribute: vec![integers("axes", &[1, 2, 3]), keepdims],
/// #     ..NodeProto::default()
/// # };
/// # let own = Metadata::new("mean", 8, 0.1).to_pairs();
/// # let model = ModelProto {
/// #     ir_version: 8,
/// #     opset_import: vec![OperatorSetIdProto { version: 17, ..OperatorSetIdProto::default() }],
/// #     graph: Some(GraphProto {
/// #         node: vec![mean],
/// #         input: vec![floats("pixels", &[1, 3, 8, 8])],
/// #         output: vec![floats("logit", &[1])],
/// #         ..GraphProto::default()
/// #     }),
/// #     metadata_props: own.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect(),
/// #     ..ModelProto::default()
/// # };
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("mean.onnx");
/// # std::fs::write(&path, model.encode_to_vec())?;
/// use dfrt_runtime::data::batch::Batch;
/// use dfrt_runtime::sample::Label;
/// use dfrt_runtime::detector::oracle::Oracle;
/// use dfrt_runtime::detector::session::{Detector, TractOracle};
///
/// // `path` is an ONNX file whose logit is the mean of the pixels, and whose threshold 0.1.
/// let oracle = TractOracle::new(Detector::load(&path, 1)?);
/// let grey = image::RgbImage::from_pixel(8, 8, image::Rgb([51; 3]));
/// let logit = oracle.logits(&Batch::of(oracle.res(), [&grey]))?[0];
/// assert!((logit - 0.2).abs() < 1e-6);
/// assert_eq!(Label::decided(logit, oracle.detector().threshold() as f32), Label::Fake);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// How the input and output are read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Where each part of the reading comes from; empty for a file that dfrt exported.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What of the reading is not known; empty except after [`Detector::load_unsettled`].
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Pictures in one run.
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

    /// The metadata of a file that dfrt exported; `None` for others.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The logit above which a picture is called fake: the file's, 0 for a file of another
    /// program, or the one set by [`TractOracle::judge_by`].
    pub fn threshold(&self) -> f64 {
        self.threshold.logit
    }

    /// Where the threshold came from.
    pub fn threshold_source(&self) -> &ThresholdSource {
        &self.threshold.source
    }

    /// A session for one thread.
    ///
    /// # Errors
    /// tract cannot prepare an operator.
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
    /// The logits \[N\] of `values`, N x 3 x res x res in \[0, 1\], where N is the detector's
    /// batch.
    ///
    /// # Errors
    /// tract fails, or the output contradicts how it is read. The session must not be used again.
    pub fn run(&mut self, values: &[f32]) -> Result<Vec<f32>, SessionError> {
        let numbers = self.numbers(values)?;
        let wrong = |reason| SessionError::UnexpectedOutput { path: self.path.clone(), reason };
        self.reading.logits(&numbers).map_err(wrong)
    }

    /// The model's raw output for `values`, N times [`Reading::outputs`] numbers.
    ///
    /// # Errors
    /// tract fails. The session must not be used again.
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

/// A [`Detector`] as an [`Oracle`], for any number of pictures from any thread.
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

    /// Replaces the detector's threshold.
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
        let full = stride * self.detector.batch();
        let mut session = match self.sessions().pop() {
            Some(session) => session,
            None => self.detector.session().map_err(|error| OracleError(error.to_string()))?,
        };
        let logits = if values.len() == full {
            session.run(values)
        } else {
            let mut padded = values.to_vec();
            padded.resize(full, 0.0);
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
