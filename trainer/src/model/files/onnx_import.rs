//! Reads the weights of an ONNX file that [`super::onnx`] wrote. The file must be exactly what that
//! writer writes, because the gradients of another graph would be those of another model.

use super::super::arch::{Architecture, UnknownArchitecture};
use super::super::graph::{BadResolution, Graph};
use super::super::names;
use super::super::weights::{Origin, Tensor, Weights, WeightsError};
use super::onnx;
use dfrt_runtime::detector::metadata::{Metadata, MetadataError};
use dfrt_runtime::storage::{self, StorageError};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

/// The content of a file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network.
    pub graph: Graph,
    /// Its weights, the counter of batches at 0.
    pub weights: Weights,
    /// Its metadata.
    pub metadata: Metadata,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read at all.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It is not an ONNX file.
    #[error("{}: no ONNX model: the file is of another kind or was cut short; give the .onnx that `dfrt export` wrote", .0.display())]
    NotOnnx(PathBuf),
    /// dfrt did not export it.
    #[error("{}: was not exported by dfrt, so which of its tensors are weights is unknown; give a RUN or an .onnx that `dfrt export` wrote", .0.display())]
    NotExported(PathBuf),
    /// dfrt's metadata is invalid.
    #[error("{}: {source}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        source: MetadataError,
    },
    /// An unknown architecture.
    #[error("{}: {source}", path.display())]
    Arch {
        /// The file.
        path: PathBuf,
        /// Which.
        source: UnknownArchitecture,
    },
    /// A resolution that the architecture cannot have.
    #[error("{}: {source}", path.display())]
    Resolution {
        /// The file.
        path: PathBuf,
        /// Which.
        source: BadResolution,
    },
    /// Tensors that do not fit the architecture.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The graph or the weights were changed after the export.
    #[error("{}: {what} since dfrt exported it; export it again from its RUN, or give the RUN", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What was changed.
        what: &'static str,
    },
}

/// Reads the file `path`, which [`onnx::export`] wrote with the metadata of a run.
///
/// # Errors
/// A file of another format or program, an unknown architecture or resolution, tensors that do
/// not fit, and a graph or weights that were changed.
pub fn load(path: &Path) -> Result<Imported, ImportError> {
    let bytes = storage::read(path)?;
    let file = pb::ModelProto::decode(bytes.as_slice());
    let file = file.map_err(|_| ImportError::NotOnnx(path.to_owned()))?;
    let metadata = metadata(path, &file)?;
    let graph = graph(path, &metadata)?;
    let found = file.graph.ok_or_else(|| ImportError::NotOnnx(path.to_owned()))?;
    let origin = Origin { file: path.to_owned(), arch: Some(metadata.arch.clone()) };
    let weights = Weights::from_tensors(&graph, tensors(&graph, &found.initializer), &origin)?;
    let changed = |what| Err(ImportError::Changed { path: path.to_owned(), what });
    if metadata.weights_sha256.as_ref().is_some_and(|known| *known != weights.sha256(&graph)) {
        return changed("its weights were changed");
    }
    let again = onnx::export(&graph, &weights, &BTreeMap::new(), None);
    let again = pb::ModelProto::decode(again.as_slice()).expect("what was just encoded can be decoded");
    let again = again.graph.expect("an export has a graph");
    if found.node != again.node || found.initializer != again.initializer {
        return changed("its graph was changed");
    }
    Ok(Imported { graph, weights, metadata })
}

fn metadata(path: &Path, file: &pb::ModelProto) -> Result<Metadata, ImportError> {
    let pairs = file.metadata_props.iter().map(|pair| (pair.key.as_str(), pair.value.as_str()));
    let metadata = Metadata::from_pairs(pairs)
        .map_err(|source| ImportError::Metadata { path: path.to_owned(), source })?;
    metadata.ok_or_else(|| ImportError::NotExported(path.to_owned()))
}

fn graph(path: &Path, metadata: &Metadata) -> Result<Graph, ImportError> {
    let architecture = Architecture::named(&metadata.arch)
        .map_err(|source| ImportError::Arch { path: path.to_owned(), source })?;
    let architecture = onnx::conventions(metadata).applied(architecture);
    Graph::new(&architecture, metadata.res)
        .map_err(|source| ImportError::Resolution { path: path.to_owned(), source })
}

/// The initialisers that are weights of `graph`, by name. One whose length does not fit its shape
/// is left out, and so reported as missing.
fn tensors(graph: &Graph, initializers: &[pb::TensorProto]) -> BTreeMap<String, Tensor> {
    let known: BTreeSet<String> = names::state(graph).into_iter().map(|entry| entry.name).collect();
    let tensor = |tensor: &pb::TensorProto| {
        if tensor.data_type != DataType::Float as i32 || !known.contains(&tensor.name) {
            return None;
        }
        let shape: Vec<usize> = tensor.dims.iter().map(|&size| size.max(0) as usize).collect();
        let (values, _) = tensor.raw_data.as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let fits = shape.iter().try_fold(1_usize, |len, &size| len.checked_mul(size)) == Some(values.len());
        fits.then(|| (tensor.name.clone(), Tensor { shape, values }))
    };
    initializers.iter().filter_map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_TINY, SMALL_ARCHITECTURES};
    use crate::model::conventions::Family;

    fn exported(architecture: &'static Architecture, batch: Option<usize>) -> (Graph, Weights, Vec<u8>) {
        let graph = Graph::new(architecture, 64).unwrap();
        let mut weights = Weights::initial(&graph, 3);
        weights.running[1].var[0] = 0.25;
        let mut metadata = onnx::described(&graph, Metadata::new(architecture.name, 64, 0.5));
        metadata.weights_sha256 = Some(weights.sha256(&graph));
        let pairs = metadata.to_pairs().into_iter().collect();
        let bytes = onnx::export(&graph, &weights, &pairs, batch);
        (graph, weights, bytes)
    }

    fn loaded(bytes: &[u8]) -> Result<Imported, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        storage::write(&path, bytes).unwrap();
        load(&path)
    }

    fn complaint(change: impl Fn(&mut pb::ModelProto)) -> String {
        let (_, _, bytes) = exported(&EFFICIENTNET_TINY, None);
        let mut file = pb::ModelProto::decode(bytes.as_slice()).unwrap();
        change(&mut file);
        let text = loaded(&file.encode_to_vec()).unwrap_err().to_string();
        assert!(text.contains("model.onnx") && !text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn what_was_exported_comes_back() {
        for architecture in SMALL_ARCHITECTURES {
            for batch in [None, Some(4)] {
                let (graph, weights, bytes) = exported(architecture, batch);
                let imported = loaded(&bytes).unwrap();
                assert_eq!(imported.weights, weights);
                assert_eq!((imported.graph.nodes, imported.graph.res), (graph.nodes, graph.res));
                assert_eq!(imported.metadata.threshold, 0.5);
            }
        }
    }

    #[test]
    fn conventions_come_back() {
        let tf = Family::named("tf").unwrap().conventions(&EFFICIENTNET_TINY);
        let graph = Graph::new(&tf.applied(&EFFICIENTNET_TINY), 64).unwrap();
        let weights = Weights::initial(&graph, 3);
        let metadata = onnx::described(&graph, Metadata::new("efficientnet-tiny", 64, 0.5));
        let pairs = metadata.to_pairs().into_iter().collect();
        let imported = loaded(&onnx::export(&graph, &weights, &pairs, None)).unwrap();
        assert_eq!(imported.graph.architecture, graph.architecture);
        assert_eq!(imported.graph.nodes, graph.nodes);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(complaint(|file| file.metadata_props.clear()).contains("not exported by dfrt"));
        let arch = complaint(|file| {
            let pair = file.metadata_props.iter_mut().find(|pair| pair.key == "dfrt.arch").unwrap();
            pair.value = "resnet".to_owned();
        });
        assert!(arch.contains("architecture `resnet` is unknown"), "{arch}");
        assert!(loaded(b"\xff\xffnothing").unwrap_err().to_string().contains("no ONNX model"));
        let missing = complaint(|file| {
            let initializers = &mut file.graph.as_mut().unwrap().initializer;
            initializers.retain(|tensor| tensor.name != "features.0.0.weight");
        });
        assert!(missing.contains("`features.0.0.weight` [16, 3, 3, 3] is missing"), "{missing}");
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let tensor = |file: &mut pb::ModelProto, name: &str| {
            let initializers = &mut file.graph.as_mut().unwrap().initializer;
            initializers.iter_mut().find(|tensor| tensor.name == name).unwrap().raw_data[0] ^= 1;
        };
        assert!(complaint(|file| tensor(file, "features.0.0.weight")).contains("its weights were changed"));
        assert!(complaint(|file| tensor(file, onnx::MEAN)).contains("its graph was changed"));
        let node = complaint(|file| {
            let nodes = &mut file.graph.as_mut().unwrap().node;
            nodes.iter_mut().find(|node| node.op_type == "Sigmoid").unwrap().op_type = "Tanh".to_owned();
        });
        assert!(node.contains("its graph was changed"), "{node}");
    }
}
