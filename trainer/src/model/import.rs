//! Imports weights of other programs: reads the file, recognises the network by the names of its
//! tensors, and checks that every tensor is used or may be ignored.

mod accounting;
mod choosing;
mod conventions;
mod error;
mod head;
mod stated;
#[cfg(test)]
mod tests;

use super::conventions::Conventions;
use super::files::torch::{Checkpoint, Facts, is_torch};
use super::files::{StateDict, StateShapes, onnx_import, weights_file};
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

/// The format of a file of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// What `torch.save` writes.
    Torch,
    /// ONNX that dfrt exported.
    Onnx,
}

/// A file of weights that has been read and recognised, but not yet applied to a network.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The key of the state in the checkpoint; none if the file is the state itself.
    pub found_in: Option<String>,
    /// Its format.
    pub format: Format,
    /// The naming scheme of its tensors.
    pub scheme: Scheme,
    /// The prefix of each name: "module." of `DataParallel`, or empty.
    pub prefix: String,
    /// The conventions that a file written by dfrt states; unset for other files.
    pub conventions: Conventions,
    /// What a checkpoint states about its network.
    pub stated: Stated,
    /// The architecture that a file written by dfrt states.
    pub arch: Option<String>,
    /// The threshold that a safetensors file written by dfrt states.
    pub threshold: Option<f64>,
    /// The metadata of an ONNX file that dfrt exported.
    pub metadata: Option<Metadata>,
    /// The other networks in the file, as text for the user.
    pub others: Vec<String>,
    state: StateDict,
    choices: Choices,
    /// The prefixes of other networks in the same state.
    other_prefixes: Vec<String>,
}

/// How the last layer was made from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// Taken unchanged: it has as many outputs as the network.
    Kept,
    /// Two logits merged into fake minus real, or one logit, high for real, negated.
    Merged {
        /// Logits in the file.
        outputs: usize,
        /// Index of the fake class; with one logit 0 means that it was negated.
        fake_index: usize,
    },
    /// Replaced by a new one.
    Replaced {
        /// Outputs in the file.
        outputs: usize,
    },
    /// The file has none; a new one was made.
    Absent,
}

/// Weights from a [`Source`].
#[derive(Clone, Debug)]
pub struct Imported {
    /// The weights.
    pub weights: Weights,
    /// What became of the last layer.
    pub head: Head,
    /// The name of the last layer in the file; none if a new one was made.
    pub head_name: Option<String>,
    /// Whether that layer has no bias in the file, so that 0 is used.
    pub no_bias: bool,
    /// Entries of the network's state that the file holds, counters included.
    pub found: usize,
    /// Batch counters that the file lacks, which is no error.
    pub missing_counters: usize,
    /// Entries of the network's state.
    pub entries: usize,
    /// Entries of the file that do not belong to the network and were ignored.
    pub left_out: Vec<String>,
}

impl Source {
    /// Reads `path`: safetensors, a PyTorch file, ONNX that dfrt exported, or a RUN.
    ///
    /// # Errors
    /// A file that cannot be read, has another format or holds no EfficientNet; several networks
    /// if `choices` does not say which.
    pub fn open(path: &Path, choices: &Choices) -> Result<Self, ImportError> {
        let run = path.join(OF_A_RUN);
        let path = match (path.is_dir(), run.is_file()) {
            (true, true) => run.as_path(),
            (true, false) => return Err(ImportError::NotARun(path.to_owned())),
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
            return Err(ImportError::NoKeys(path.to_owned()));
        }
        let flat = |state: StateDict, format| {
            let state_shapes = StateShapes { key: String::new(), shapes: state.shapes() };
            let chosen = choosing::choose(path, &[state_shapes], choices)?;
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
            onnx_import::ImportError::NotOnnx(path) => ImportError::UnknownFormat(path),
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
            // Fails with the list of the keys.
            checkpoint.read(key)?;
            unreachable!("there is no state under the key");
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
        let in_same_state = others.iter().filter(|other| other.key == network.key);
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
            others: others.iter().map(Network::description).collect(),
            other_prefixes: in_same_state.map(|other| other.prefix.clone()).collect(),
            prefix: network.prefix,
            state,
            choices: choices.clone(),
        }
    }
}
