//! Weights from elsewhere for a network of ours: found in a file of any kind that is
//! read here, known by their names, and accounted for one by one.

mod accounting;
mod choosing;
mod error;
mod head;
mod settling;
mod stated;
#[cfg(test)]
mod tests;

use super::conventions::Conventions;
use super::files::torch::{Checkpoint, Facts, is_torch};
use super::files::{Listed, StateDict, onnx_import, weights_file};
use super::names::Scheme;
use super::weights::Weights;
pub use choosing::Choices;
use choosing::Network;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::storage;
pub use error::ImportError;
use serde::{Deserialize, Serialize};
pub use stated::Stated;
use std::path::{Path, PathBuf};

/// The weights of a RUN.
const OF_A_RUN: &str = "best.safetensors";

/// What kind of file weights lay in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// What `torch.save` writes.
    Torch,
    /// ONNX that dfrt exported.
    Onnx,
}

/// A file of weights, read and recognised, for no network yet.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The key of a checkpoint under which the state lay.
    pub found_in: Option<String>,
    /// Its kind.
    pub format: Format,
    /// Whose names it has.
    pub scheme: Scheme,
    /// What stands before each name: "module." of `DataParallel`, or nothing.
    pub prefix: String,
    /// The conventions that a file of ours states; unset elsewhere.
    pub conventions: Conventions,
    /// What a checkpoint states of its network.
    pub stated: Stated,
    /// The architecture that a file of ours states.
    pub arch: Option<String>,
    /// The threshold that a safetensors file of ours states.
    pub threshold: Option<f64>,
    /// What an ONNX file of ours says about itself.
    pub metadata: Option<Metadata>,
    /// The other networks in the file, in words.
    pub others: Vec<String>,
    state: StateDict,
    choices: Choices,
    /// The prefixes of other networks in the same state.
    other_prefixes: Vec<String>,
}

/// What became of the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// It had as many outputs as the network has.
    Kept,
    /// It had two logits, which became fake minus real, or one that was high for real.
    Merged {
        /// Logits in the file.
        outputs: usize,
        /// Which of them was the fake's; 0 of one turns its sign.
        fake_index: usize,
    },
    /// It had this many outputs; a fresh one took its place.
    Replaced {
        /// Outputs in the file.
        outputs: usize,
    },
    /// The file has none; a fresh one took its place.
    Absent,
}

/// Weights from a [`Source`].
#[derive(Clone, Debug)]
pub struct Imported {
    /// The weights.
    pub weights: Weights,
    /// What became of the last layer.
    pub head: Head,
    /// The last layer's name in the file, where it was taken.
    pub head_name: Option<String>,
    /// Whether that layer has no bias there, so that 0 was taken.
    pub unbiased: bool,
    /// Entries of the network's state that the file holds, counters among them.
    pub found: usize,
    /// Counters of batches that the file lacks, which is no fault.
    pub uncounted: usize,
    /// Entries of the network's state.
    pub entries: usize,
    /// Entries of the file that belong to no EfficientNet and were left out.
    pub left_out: Vec<String>,
}

impl Source {
    /// Reads `path`: safetensors, a PyTorch file, ONNX that dfrt exported, or a RUN.
    ///
    /// # Errors
    /// A file that cannot be read, is of another kind, or holds no EfficientNet, or several
    /// of which `choices` name none.
    pub fn open(path: &Path, choices: &Choices) -> Result<Self, ImportError> {
        let run = path.join(OF_A_RUN);
        let path = match (path.is_dir(), run.is_file()) {
            (true, true) => run.as_path(),
            (true, false) => return Err(ImportError::NoRun(path.to_owned())),
            (false, _) => path,
        };
        let bytes = storage::read(path)?;
        if storage::is_lfs_pointer(&bytes) {
            return Err(ImportError::LfsPointer(path.to_owned()));
        }
        let sha256 = storage::sha256(&bytes);
        if is_torch(&bytes) {
            return Self::of_torch(path, sha256, &bytes, choices);
        }
        if choices.key.is_some() {
            return Err(ImportError::Keyless(path.to_owned()));
        }
        let flat = |state: StateDict, format| {
            let listed = Listed { key: String::new(), shapes: state.shapes() };
            let chosen = choosing::choose(path, &[listed], choices)?;
            Ok::<_, ImportError>(Self::new(path, sha256, format, (state, Facts::default()), chosen, choices))
        };
        if bytes.get(8) == Some(&b'{') {
            let file = weights_file::read(path, &bytes)?;
            let mut source = flat(file.state, Format::Safetensors)?;
            source.conventions = weights_file::conventions(&file.metadata);
            source.arch = file.metadata.get(weights_file::ARCH_KEY).cloned();
            let threshold = file.metadata.get(weights_file::THRESHOLD_KEY);
            source.threshold = threshold.and_then(|text| text.parse().ok());
            return Ok(source);
        }
        let imported = onnx_import::load(path).map_err(|error| match error {
            onnx_import::ImportError::NotOnnx(path) => ImportError::Kind(path),
            other => ImportError::Onnx(other),
        })?;
        let tensors = imported.weights.to_tensors(&imported.graph);
        let mut source = flat(StateDict { tensors, ..StateDict::default() }, Format::Onnx)?;
        source.conventions = Conventions::of(&imported.graph.architecture);
        source.arch = Some(imported.metadata.arch.clone());
        source.metadata = Some(imported.metadata);
        Ok(source)
    }

    fn of_torch(path: &Path, sha256: String, bytes: &[u8], choices: &Choices) -> Result<Self, ImportError> {
        let checkpoint = Checkpoint::open(path, bytes)?;
        let listed = checkpoint.states();
        let facts = checkpoint.facts();
        if let Some(key) = choices.key.as_ref().filter(|key| listed.iter().all(|state| state.key != **key)) {
            // Says which keys there are.
            checkpoint.read(key)?;
            unreachable!("no state lies there");
        }
        let chosen = choosing::choose(path, &listed, choices)?;
        let state = checkpoint.read(&chosen.0.key)?;
        Ok(Self::new(path, sha256, Format::Torch, (state, facts), chosen, choices))
    }

    fn new(
        path: &Path,
        sha256: String,
        format: Format,
        (state, facts): (StateDict, Facts),
        (network, others): (Network, Vec<Network>),
        choices: &Choices,
    ) -> Self {
        let beside = others.iter().filter(|other| other.key == network.key);
        Self {
            path: path.to_owned(),
            sha256,
            found_in: state.found_in.clone(),
            format,
            scheme: network.scheme,
            stated: Stated::of(&facts, network.scheme),
            conventions: Conventions::default(),
            arch: None,
            threshold: None,
            metadata: None,
            others: others.iter().map(Network::told).collect(),
            other_prefixes: beside.map(|other| other.prefix.clone()).collect(),
            prefix: network.prefix,
            state,
            choices: choices.clone(),
        }
    }
}
