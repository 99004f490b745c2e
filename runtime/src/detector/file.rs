//! An ONNX file: read with separate weights, checked, and rewritten so that tract can run it.

use super::external;
use super::metadata::Metadata;
use super::rewrite;
use super::session::SessionError;
use super::signature::{self, SignatureError};
use super::tract;
use super::weights;
use crate::storage;
use std::path::Path;
use tract_onnx::pb::{GraphProto, ModelProto};

/// A checked file.
pub(super) struct OnnxFile {
    /// The model in 32-bit floats, weights included.
    pub proto: ModelProto,
    /// The metadata of a file that dfrt exported; `None` for others.
    pub metadata: Option<Metadata>,
    /// SHA-256 of the file followed by those with its weights.
    pub sha256: String,
    /// Whether it held 16-bit floats.
    pub widened: bool,
}

impl OnnxFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is no ONNX model.
    pub fn read(path: &Path) -> Result<Self, SessionError> {
        let mut bytes = storage::read(path)?;
        let mut proto = parse(path, &bytes)?;
        let metadata = read_metadata(path, &proto)?;
        let external_files = external::load_external(path, &mut proto)
            .map_err(|source| SessionError::External { path: path.to_owned(), source })?;
        external_files.into_values().for_each(|file| bytes.extend(file));
        let wrong = |source| SessionError::Signature { path: path.to_owned(), source };
        if let Some(graph) = &proto.graph {
            signature::check_complete(graph).map_err(wrong)?;
        }
        let widened = rewrite::widen(&mut proto);
        if let Some(graph) = proto.graph.as_mut() {
            weights::check(graph).map_err(wrong)?;
            rewrite::settle_batch_norms(graph).map_err(|node| wrong(SignatureError::TrainingMode(node)))?;
        }
        Ok(Self { proto, metadata, sha256: storage::sha256(&bytes), widened })
    }

    /// The graph; [`parse`] checked that there is one.
    pub fn graph(&self) -> &GraphProto {
        self.proto.graph.as_ref().expect("a file without a graph is refused")
    }

    /// The graph, mutable.
    pub fn graph_mut(&mut self) -> &mut GraphProto {
        self.proto.graph.as_mut().expect("a file without a graph is refused")
    }

    /// The version of ONNX's own operator set that it is written in.
    pub fn opset(&self) -> i64 {
        let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let sets = self.proto.opset_import.iter();
        sets.filter(|set| own(&set.domain)).map(|set| set.version).max().unwrap_or(0)
    }

    /// The program that wrote it, and the operator set: "pytorch 2.9.0, operator set 17".
    pub fn producer(&self) -> String {
        let program = format!("{} {}", self.proto.producer_name, self.proto.producer_version);
        let named = if program.trim().is_empty() { "unknown" } else { program.trim() };
        format!("{named}, operator set {}", self.opset())
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<ModelProto, SessionError> {
    let wrong = |reason: &str| SessionError::NotOnnx { path: path.to_owned(), reason: reason.to_owned() };
    if bytes.is_empty() {
        return Err(wrong("the file is empty"));
    }
    if storage::is_lfs_pointer(bytes) {
        return Err(SessionError::Pointer { path: path.to_owned() });
    }
    let proto = tract::read(bytes).map_err(|_| wrong("the file is of another kind or was cut short"))?;
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
