//! Weights as safetensors files: torchvision's names, torch's shapes, little-endian
//! f32, and beside them what a checkpoint needs (the optimiser's tensors, metadata).
//! The bytes depend on the contents alone, so that equal checkpoints are equal files.

use super::graph::Graph;
use super::names::{self, Content};
use super::weights::{Origin, Tensor, Weights, WeightsError};
use dfrt_runtime::storage;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// What the names of extra tensors begin with in the file.
pub const EXTRA_PREFIX: &str = "optimizer.";

/// The key of the metadata under which [`save`] names the architecture.
pub const ARCH_KEY: &str = "dfrt.arch";

/// The contents of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The network's weights.
    pub weights: Weights,
    /// Extra tensors by name, without [`EXTRA_PREFIX`].
    pub extras: BTreeMap<String, Vec<f32>>,
    /// The metadata, [`ARCH_KEY`] among them in our own files.
    pub metadata: BTreeMap<String, String>,
}

/// Writes `weights` to `path`, whole or not at all. `extras` are named after what
/// they belong to ("momentum.features.0.0.weight"); the file puts [`EXTRA_PREFIX`]
/// before that. [`ARCH_KEY`] is added to the metadata.
pub fn save(
    path: &Path,
    graph: &Graph,
    weights: &Weights,
    extras: &BTreeMap<String, Vec<f32>>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    let mut layout = Layout::default();
    let entries = names::state(graph);
    let (floats, counters): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.content != Content::BatchesTracked);
    // The widest numbers first, so that every tensor is aligned.
    counters.iter().for_each(|entry| layout.add(&entry.name, "I64", &entry.shape, 8));
    floats.iter().for_each(|entry| layout.add(&entry.name, "F32", &entry.shape, 4));
    for (name, values) in extras {
        layout.add(&format!("{EXTRA_PREFIX}{name}"), "F32", &[values.len()], 4);
    }
    let header = layout.header(graph.architecture.name, metadata);
    storage::write_with(path, |file| {
        file.write_all(&header)?;
        let count = (weights.batches_tracked as i64).to_le_bytes();
        counters.iter().try_for_each(|_| file.write_all(&count))?;
        let floats = floats.iter().filter_map(|entry| weights.values(entry.content));
        floats.chain(extras.values()).try_for_each(|values| write_floats(file, values))
    })?;
    Ok(())
}

/// Reads a file of weights for `graph`. Extra tensors and absent counters are
/// accepted; anything else that does not fit is an error.
pub fn load(path: &Path, graph: &Graph) -> Result<Loaded, WeightsError> {
    let bytes = storage::read(path)?;
    let (file, metadata) = parse(path, &bytes)?;
    let (mut tensors, mut extras, mut batches_tracked) = (BTreeMap::new(), BTreeMap::new(), 0);
    for (name, view) in file.iter() {
        if name.ends_with(".num_batches_tracked") {
            batches_tracked = batches_tracked.max(counter(path, name, &view)?);
        } else if let Some(extra) = name.strip_prefix(EXTRA_PREFIX) {
            extras.insert(extra.to_owned(), floats(path, name, &view)?);
        } else {
            let tensor = Tensor { shape: view.shape().to_vec(), values: floats(path, name, &view)? };
            tensors.insert(name.to_owned(), tensor);
        }
    }
    let origin = Origin { file: path.to_owned(), arch: metadata.get(ARCH_KEY).cloned() };
    let mut weights = Weights::from_tensors(graph, tensors, &origin)?;
    weights.batches_tracked = batches_tracked;
    Ok(Loaded { weights, extras, metadata })
}

/// Reads the metadata alone, to learn which graph the weights are for.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, WeightsError> {
    Ok(parse(path, &storage::read(path)?)?.1)
}

fn parse<'a>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(SafeTensors<'a>, BTreeMap<String, String>), WeightsError> {
    let foreign = |error: safetensors::SafeTensorError| WeightsError::Foreign {
        file: path.to_owned(),
        reason: error.to_string(),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok((SafeTensors::deserialize(bytes).map_err(foreign)?, metadata))
}

/// The header of a file in the making.
#[derive(Default)]
struct Layout {
    tensors: Map<String, Value>,
    end: usize,
}

impl Layout {
    fn add(&mut self, name: &str, number: &str, shape: &[usize], bytes_each: usize) {
        let begin = self.end;
        self.end += shape.iter().product::<usize>() * bytes_each;
        let entry = json!({ "dtype": number, "shape": shape, "data_offsets": [begin, self.end] });
        self.tensors.insert(name.to_owned(), entry);
    }

    /// The length of the header and the header, padded with blanks to 8 bytes.
    fn header(self, arch: &str, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let mut metadata = metadata.clone();
        metadata.insert(ARCH_KEY.to_owned(), arch.to_owned());
        let mut all = Map::new();
        all.insert("__metadata__".to_owned(), json!(metadata));
        all.extend(self.tensors);
        let mut text = Value::Object(all).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        header.extend(text);
        header
    }
}

fn write_floats(file: &mut impl Write, values: &[f32]) -> io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    file.write_all(&bytes)
}

fn floats(path: &Path, name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, WeightsError> {
    require(path, name, view, Dtype::F32, "F32")?;
    let (values, _) = view.data().as_chunks::<4>();
    Ok(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

fn counter(path: &Path, name: &str, view: &TensorView<'_>) -> Result<u64, WeightsError> {
    require(path, name, view, Dtype::I64, "I64")?;
    let (values, _) = view.data().as_chunks::<8>();
    Ok(values.iter().map(|&bytes| i64::from_le_bytes(bytes).max(0) as u64).max().unwrap_or(0))
}

fn require(
    path: &Path,
    name: &str,
    view: &TensorView<'_>,
    number: Dtype,
    expected: &'static str,
) -> Result<(), WeightsError> {
    if view.dtype() == number {
        return Ok(());
    }
    let (file, name, found) = (path.to_owned(), name.to_owned(), view.dtype().to_string());
    Err(WeightsError::Number { file, name, found, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_LITE0, EFFICIENTNET_TINY};

    struct Saved {
        folder: tempfile::TempDir,
        graph: Graph,
        loaded: Loaded,
    }

    /// A checkpoint of the tiny network, in a folder of its own.
    fn saved() -> Saved {
        let graph = Graph::new(&EFFICIENTNET_TINY, 32).unwrap();
        let mut weights = Weights::initial(&graph, 5);
        weights.batches_tracked = 1234;
        weights.running[1].var[0] = 0.5;
        let momentum = ("momentum.classifier.1.bias".to_owned(), vec![0.125]);
        let extras = BTreeMap::from([momentum, ("steps".to_owned(), vec![])]);
        let metadata = BTreeMap::from([("step".to_owned(), "1234".to_owned())]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        save(&path, &graph, &weights, &extras, &metadata).unwrap();
        let mut metadata = metadata;
        metadata.insert(ARCH_KEY.to_owned(), "efficientnet-tiny".to_owned());
        Saved { folder, graph, loaded: Loaded { weights, extras, metadata } }
    }

    #[test]
    fn a_checkpoint_goes_there_and_back() {
        let Saved { folder, graph, loaded } = saved();
        let path = folder.path().join("last.safetensors");
        assert_eq!(load(&path, &graph).unwrap(), loaded);
        assert_eq!(metadata(&path).unwrap(), loaded.metadata);
        let again = folder.path().join("again.safetensors");
        save(&again, &graph, &loaded.weights, &loaded.extras, &loaded.metadata).unwrap();
        assert_eq!(storage::read(&path).unwrap(), storage::read(&again).unwrap());
    }

    #[test]
    fn b0_has_torchvisions_360_entries() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b0.safetensors");
        let none = BTreeMap::new();
        save(&path, &graph, &Weights::initial(&graph, 0), &BTreeMap::new(), &none).unwrap();
        let bytes = storage::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.len(), 360);
        for entry in names::state(&graph) {
            assert_eq!(file.tensor(&entry.name).unwrap().shape(), entry.shape, "{}", entry.name);
        }
    }

    #[test]
    fn a_checkpoint_of_another_architecture_says_so() {
        let Saved { folder, .. } = saved();
        let path = folder.path().join("last.safetensors");
        for other in [&EFFICIENTNET_B0, &EFFICIENTNET_LITE0] {
            let error = load(&path, &Graph::new(other, 32).unwrap()).unwrap_err().to_string();
            assert!(error.contains("last.safetensors: tensor `"), "{error}");
            assert!(error.ends_with("choose --arch efficientnet-tiny"), "{error}");
        }
    }

    #[test]
    fn truncated_and_foreign_files_are_one_clear_line() {
        let Saved { folder, graph, .. } = saved();
        let path = folder.path().join("last.safetensors");
        let whole = storage::read(&path).unwrap();
        let png = b"\x89PNG\r\n\x1a\n and so on, for some length".to_vec();
        for bytes in [&whole[..0], &whole[..5], &whole[..400], &whole[..whole.len() - 1], &png] {
            storage::write(&path, bytes).unwrap();
            let error = load(&path, &graph).unwrap_err();
            assert!(matches!(error, WeightsError::Foreign { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("last.safetensors") && !text.contains('\n'), "{text}");
        }
        let absent = load(&folder.path().join("absent.safetensors"), &graph).unwrap_err();
        assert!(absent.to_string().contains("absent.safetensors: cannot be read"));
    }

    #[test]
    fn numbers_of_another_type_are_refused() {
        let Saved { folder, graph, .. } = saved();
        let path = folder.path().join("last.safetensors");
        let bytes = storage::read(&path).unwrap();
        // Of the same width, so that the file stays whole.
        let text = String::from_utf8_lossy(&bytes[8..200_000.min(bytes.len())]).into_owned();
        let at = 8 + text.find("\"F32\"").unwrap();
        let mut changed = bytes;
        changed[at..at + 5].copy_from_slice(b"\"I32\"");
        storage::write(&path, &changed).unwrap();
        let error = load(&path, &graph).unwrap_err().to_string();
        assert!(error.contains("`features.0.0.weight` holds I32 numbers, F32 are needed"), "{error}");
    }
}
