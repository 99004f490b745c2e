//! Weights in a separate file beside the model, such as the `model.onnx.data` of PyTorch's newer
//! exporter. They are loaded into the model.

use crate::storage::{self, StorageError};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path, PathBuf};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

/// Why separate weights cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The file beside the model cannot be read.
    #[error("its weights are in another file: {0}; keep both files together")]
    Storage(#[from] StorageError),
    /// The model names no file, or one that is not beside it.
    #[error(
        "tensor {name:?} is stored in the file {location:?}, which is not next to the model; export it again"
    )]
    Location {
        /// The tensor.
        name: String,
        /// The file name in the model.
        location: String,
    },
    /// The file ends before the tensor does.
    #[error("tensor {name:?} is beyond the end of {location}; copy both files again")]
    Truncated {
        /// The tensor.
        name: String,
        /// The file beside the model.
        location: String,
    },
}

/// Contents of files beside a model, by the name that the model uses.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Loads every tensor of `proto`, the model at `path`, that is stored in another file. Returns
/// those files.
pub(super) fn load_external(path: &Path, proto: &mut ModelProto) -> Result<Files, ExternalError> {
    let mut files = Files::new();
    if let Some(graph) = proto.graph.as_mut() {
        of_graph(path.parent().unwrap_or(Path::new("")), graph, &mut files)?;
    }
    Ok(files)
}

fn of_graph(folder: &Path, graph: &mut GraphProto, files: &mut Files) -> Result<(), ExternalError> {
    for tensor in &mut graph.initializer {
        of_tensor(folder, tensor, files)?;
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(tensor) = attribute.t.as_mut() {
            of_tensor(folder, tensor, files)?;
        }
        if let Some(graph) = attribute.g.as_mut() {
            of_graph(folder, graph, files)?;
        }
    }
    Ok(())
}

fn of_tensor(folder: &Path, tensor: &mut TensorProto, files: &mut Files) -> Result<(), ExternalError> {
    if tensor.data_location != Some(DataLocation::External as i32) {
        return Ok(());
    }
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|it| &it.value);
    let name = tensor.name.clone();
    let location = entry("location").cloned().unwrap_or_default();
    // A model must not be able to name any other file of this machine.
    let here = |component: &Component<'_>| !matches!(component, Component::CurDir);
    let relative: PathBuf = Path::new(&location).components().filter(here).collect();
    let mut components = relative.components();
    let inside =
        components.clone().next().is_some() && components.all(|it| matches!(it, Component::Normal(_)));
    if !inside {
        return Err(ExternalError::Location { name, location });
    }
    let file: &[u8] = match files.entry(location.clone()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(storage::read(&folder.join(&relative))?),
    };
    let offset = entry("offset").map_or(Ok(0), |text| text.parse());
    let length = entry("length").map(|text| text.parse()).transpose();
    let part = match (offset, length) {
        (Ok(offset), Ok(None)) => file.get(offset..),
        (Ok(offset), Ok(Some(length))) => file.get(offset..).and_then(|rest| rest.get(..length)),
        _ => None,
    };
    let part: &[u8] = part.ok_or(ExternalError::Truncated { name, location })?;
    tensor.raw_data = part.to_vec();
    tensor.data_location = None;
    tensor.external_data.clear();
    Ok(())
}
