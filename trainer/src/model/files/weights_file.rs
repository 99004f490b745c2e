//! Weights as safetensors files: torchvision's names, torch's shapes, little-endian f32, and what a
//! checkpoint needs besides (the optimiser's tensors, metadata). The bytes depend on the contents
//! only, so that equal checkpoints are equal files.

use super::super::conventions::Conventions;
use super::super::graph::Graph;
use super::super::names::{self, Content, Scheme};
use super::super::weights::{Origin, Tensor, Weights, WeightsError};
use super::StateDict;
use dfrt_runtime::storage;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// The prefix of the names of extra tensors in the file.
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
    /// The metadata; files of dfrt have [`ARCH_KEY`].
    pub metadata: BTreeMap<String, String>,
}

/// Writes `weights` to `path` atomically. `extras` are named after what they belong to
/// ("momentum.features.0.0.weight"); in the file [`EXTRA_PREFIX`] precedes these names. The
/// architecture and its conventions are added to the metadata.
///
/// # Errors
/// The file cannot be written.
pub fn save(
    path: &Path,
    graph: &Graph,
    weights: &Weights,
    extras: &BTreeMap<String, Vec<f32>>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    save_in(path, graph, Scheme::Torchvision, weights, extras, metadata)
}

/// Writes a file like [`save`], but with the names of `scheme`, for other programs.
///
/// # Errors
/// The file cannot be written.
pub fn save_in(
    path: &Path,
    graph: &Graph,
    scheme: Scheme,
    weights: &Weights,
    extras: &BTreeMap<String, Vec<f32>>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    let mut layout = Layout::default();
    let entries = names::state_in(graph, scheme);
    let (floats, counters): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.content != Content::BatchesTracked);
    // The widest numbers first, so that every tensor is aligned.
    counters.iter().for_each(|entry| layout.add(&entry.name, "I64", &entry.shape, 8));
    floats.iter().for_each(|entry| layout.add(&entry.name, "F32", &entry.shape, 4));
    for (name, values) in extras {
        layout.add(&format!("{EXTRA_PREFIX}{name}"), "F32", &[values.len()], 4);
    }
    let header = layout.header(&described(graph, metadata));
    storage::write_with(path, |file| {
        file.write_all(&header)?;
        let count = (weights.batches_tracked as i64).to_le_bytes();
        counters.iter().try_for_each(|_| file.write_all(&count))?;
        let floats = floats.iter().filter_map(|entry| weights.values(entry.content));
        floats.chain(extras.values()).try_for_each(|values| write_floats(file, values))
    })?;
    Ok(())
}

/// Reads a file of weights for `graph`. Extra tensors and missing counters are accepted.
///
/// # Errors
/// A file that cannot be read, and tensors that do not fit.
pub fn load(path: &Path, graph: &Graph) -> Result<Loaded, WeightsError> {
    let File { state, metadata } = read(path, &storage::read(path)?)?;
    let batches_tracked = state.batches_tracked();
    let (mut tensors, mut extras) = (BTreeMap::new(), BTreeMap::new());
    for (name, tensor) in state.tensors {
        match name.strip_prefix(EXTRA_PREFIX) {
            Some(extra) => drop(extras.insert(extra.to_owned(), tensor.values)),
            None => drop(tensors.insert(name, tensor)),
        }
    }
    let origin = Origin { file: path.to_owned(), arch: metadata.get(ARCH_KEY).cloned() };
    let mut weights = Weights::from_tensors(graph, tensors, &origin)?;
    weights.batches_tracked = batches_tracked;
    Ok(Loaded { weights, extras, metadata })
}

/// The content of any safetensors file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Its tensors.
    pub state: StateDict,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
}

/// Reads the bytes of a safetensors file. Floating-point numbers of 16 and 64 bits
/// become f32; numbers that are neither these nor integers are an error.
///
/// # Errors
/// Bytes that are no safetensors file, a tensor whose numbers are of no known type.
pub fn read(path: &Path, bytes: &[u8]) -> Result<File, WeightsError> {
    let (file, metadata) = parse(path, bytes)?;
    let mut state = StateDict::default();
    for (name, view) in file.iter() {
        if let Some(values) = floats(&view) {
            let tensor = Tensor { shape: view.shape().to_vec(), values };
            state.tensors.insert(name.to_owned(), tensor);
        } else if let Some(values) = integers(&view) {
            state.integers.insert(name.to_owned(), values);
        } else {
            let (file, found) = (path.to_owned(), view.dtype().to_string());
            let name = name.to_owned();
            return Err(WeightsError::WrongType { file, name, found, expected: "F32, F16, BF16 or F64" });
        }
    }
    Ok(File { state, metadata })
}

/// Reads only the metadata, which name the architecture of the weights.
///
/// # Errors
/// A file that cannot be read.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, WeightsError> {
    Ok(parse(path, &storage::read(path)?)?.1)
}

fn parse<'a>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(SafeTensors<'a>, BTreeMap<String, String>), WeightsError> {
    let not_safetensors = |error: safetensors::SafeTensorError| WeightsError::NotSafetensors {
        file: path.to_owned(),
        reason: error.to_string(),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok((SafeTensors::deserialize(bytes).map_err(not_safetensors)?, metadata))
}

/// The key of the metadata that holds the logit above which a picture is called fake.
pub const THRESHOLD_KEY: &str = "dfrt.threshold";

/// The key of the metadata that holds the conventions, as JSON.
const CONVENTIONS_KEY: &str = "dfrt.conventions";

/// `metadata` with the architecture and conventions of the network.
fn described(graph: &Graph, metadata: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut metadata = metadata.clone();
    let conventions = Conventions::of(&graph.architecture);
    let text = serde_json::to_string(&conventions).expect("plain values");
    metadata.insert(ARCH_KEY.to_owned(), graph.architecture.name.to_owned());
    metadata.insert(CONVENTIONS_KEY.to_owned(), text);
    metadata
}

/// The conventions in the metadata of a file that dfrt wrote.
pub fn conventions(metadata: &BTreeMap<String, String>) -> Conventions {
    let text = metadata.get(CONVENTIONS_KEY);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Builds the header of a file.
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

    /// The length of the header and the header itself, padded with spaces to a multiple of 8 bytes.
    fn header(self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
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

fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    Some(match view.dtype() {
        Dtype::F32 => numbers(view.data(), f32::from_le_bytes),
        Dtype::F64 => numbers(view.data(), |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::F16 => numbers(view.data(), |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => numbers(view.data(), |bytes| bf16::from_le_bytes(bytes).to_f32()),
        _ => return None,
    })
}

fn integers(view: &TensorView<'_>) -> Option<Vec<i64>> {
    Some(match view.dtype() {
        Dtype::I64 => numbers(view.data(), i64::from_le_bytes),
        Dtype::I32 => numbers(view.data(), |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::U8 | Dtype::BOOL => view.data().iter().map(|&byte| byte.into()).collect(),
        _ => return None,
    })
}

/// Little-endian numbers of N bytes.
fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|&bytes| number(bytes)).collect()
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
        metadata = described(&graph, &metadata);
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
    fn truncated_and_other_files_give_one_clear_line() {
        let Saved { folder, graph, .. } = saved();
        let path = folder.path().join("last.safetensors");
        let whole = storage::read(&path).unwrap();
        let png = b"\x89PNG\r\n\x1a\n and so on, for some length".to_vec();
        for bytes in [&whole[..0], &whole[..5], &whole[..400], &whole[..whole.len() - 1], &png] {
            storage::write(&path, bytes).unwrap();
            let error = load(&path, &graph).unwrap_err();
            assert!(matches!(error, WeightsError::NotSafetensors { .. }), "{error}");
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
        // Of the same width, so that the file stays valid.
        let text = String::from_utf8_lossy(&bytes[8..200_000.min(bytes.len())]).into_owned();
        let at = 8 + text.find("\"F32\"").unwrap();
        let mut changed = bytes;
        changed[at..at + 5].copy_from_slice(b"\"U32\"");
        storage::write(&path, &changed).unwrap();
        let error = load(&path, &graph).unwrap_err().to_string();
        assert!(
            error.contains("`features.0.0.weight` holds U32 numbers, F32, F16, BF16 or F64 are needed"),
            "{error}"
        );
    }
}
