//! Weights from elsewhere for a network of ours: found in a file of any kind that is
//! read here, known by their names, and accounted for one by one.

#[cfg(test)]
mod tests;

use super::arch::{ARCHITECTURES, Architecture};
use super::conventions::{Conventions, Family};
use super::files::torch::{self, TorchFileError};
use super::files::{StateDict, onnx_import, weights_file};
use super::graph::Graph;
use super::names::{self, Content, Entry, Scheme};
use super::weights::{Origin, Tensor, Weights, WeightsError};
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::storage::{self, StorageError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The conventions that the file states or its names imply; unset where they do neither.
    pub conventions: Conventions,
    /// The architecture that the file states.
    pub arch: Option<String>,
    /// The threshold that a safetensors file of ours states.
    pub threshold: Option<f64>,
    /// What an ONNX file of ours says about itself.
    pub metadata: Option<Metadata>,
    state: StateDict,
}

/// What became of the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// It had as many outputs as the network has.
    Kept,
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
    /// Entries of the network's state that the file holds, counters among them.
    pub found: usize,
    /// Counters of batches that the file lacks, which is no fault.
    pub uncounted: usize,
    /// Entries of the network's state.
    pub entries: usize,
    /// Entries of the file that belong to no EfficientNet and were left out.
    pub left_out: Vec<String>,
}

/// Why weights cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A PyTorch file that cannot be understood.
    #[error(transparent)]
    Torch(#[from] TorchFileError),
    /// A safetensors file that cannot be understood, or tensors that do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// An ONNX file that is not ours.
    #[error(transparent)]
    Onnx(onnx_import::ImportError),
    /// No file of any kind that is read.
    #[error("{}: neither safetensors, a PyTorch file nor ONNX: the file is of another kind or was cut short; copy it again, or convert it", .0.display())]
    Kind(PathBuf),
    /// A folder that is no RUN.
    #[error("{}: a folder without {OF_A_RUN}; give a RUN or a file of weights", .0.display())]
    NoRun(PathBuf),
    /// Names of no known scheme.
    #[error("{}: none of its {count} tensors has a name of EfficientNet's as torchvision, timm or EfficientNet-PyTorch give it (it begins with {begins}); save the state_dict of such a model", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// Tensors in the file.
        count: usize,
        /// The first names.
        begins: String,
    },
}

impl Source {
    /// Reads `path`: safetensors, a PyTorch file, ONNX that dfrt exported, or a RUN.
    ///
    /// # Errors
    /// A file that cannot be read, is of another kind, or holds no EfficientNet.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let run = path.join(OF_A_RUN);
        let path = match (path.is_dir(), run.is_file()) {
            (true, true) => run.as_path(),
            (true, false) => return Err(ImportError::NoRun(path.to_owned())),
            (false, _) => path,
        };
        let bytes = storage::read(path)?;
        let sha256 = storage::sha256(&bytes);
        if torch::is_torch(&bytes) {
            let state = torch::read(path, &bytes)?;
            return Self::recognised(path, sha256, Format::Torch, state);
        }
        if bytes.get(8) == Some(&b'{') {
            let file = weights_file::read(path, &bytes)?;
            let mut source = Self::recognised(path, sha256, Format::Safetensors, file.state)?;
            source.conventions = weights_file::conventions(&file.metadata).or(source.conventions);
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
        let state = StateDict { tensors, ..StateDict::default() };
        let mut source = Self::recognised(path, sha256, Format::Onnx, state)?;
        source.conventions = Conventions::of(&imported.graph.architecture);
        source.arch = Some(imported.metadata.arch.clone());
        source.metadata = Some(imported.metadata);
        Ok(source)
    }

    fn recognised(
        path: &Path,
        sha256: String,
        format: Format,
        state: StateDict,
    ) -> Result<Self, ImportError> {
        let mut known = state.tensors.keys().flat_map(|name| {
            let prefix = |scheme: Scheme| Some((scheme, name.strip_suffix(scheme.first())?));
            let whole = |&(_, prefix): &(Scheme, &str)| prefix.is_empty() || prefix.ends_with('.');
            Scheme::ALL.into_iter().filter_map(prefix).filter(whole)
        });
        let Some((scheme, prefix)) = known.next() else {
            let begins: Vec<&str> = state.tensors.keys().take(3).map(String::as_str).collect();
            let begins = if begins.is_empty() { "nothing".to_owned() } else { begins.join(", ") };
            return Err(ImportError::Names { path: path.to_owned(), count: state.tensors.len(), begins });
        };
        Ok(Self {
            path: path.to_owned(),
            sha256,
            found_in: state.found_in.clone(),
            format,
            scheme,
            prefix: prefix.to_owned(),
            conventions: implied(scheme, &state),
            arch: None,
            threshold: None,
            metadata: None,
            state,
        })
    }

    /// The weights for `graph`. A last layer of another size is replaced by one drawn
    /// from `seed`.
    ///
    /// # Errors
    /// A tensor that is missing, misshapen or of another architecture, named as the file does.
    pub fn weights(&self, graph: &Graph, seed: u64) -> Result<Imported, ImportError> {
        let entries = names::state_in(graph, self.scheme);
        let last = graph.nodes.iter().find(|node| node.output == graph.logit).expect("a node makes it");
        let of_head = |content: Content| matches!(content, Content::Param(id) if last.params.contains(&id));
        let ours = names::state(graph);
        let mut fresh = Weights::initial(graph, seed).to_tensors(graph);
        let (mut tensors, mut found, mut uncounted, mut head) = (BTreeMap::new(), 0, 0, Head::Kept);
        // The last layer comes last, its weight first.
        for (entry, own) in entries.iter().zip(&ours) {
            let name = format!("{}{}", self.prefix, entry.name);
            if of_head(entry.content) && entry.shape.len() > 1 {
                head = self.head(graph, entry, &name)?;
            }
            if entry.content == Content::BatchesTracked {
                let held = usize::from(self.state.integers.contains_key(&name));
                found += held;
                uncounted += 1 - held;
            } else if of_head(entry.content) && head != Head::Kept {
                found += usize::from(self.state.tensors.contains_key(&name));
                let tensor = fresh.remove(&own.name).expect("initial weights are whole");
                tensors.insert(own.name.clone(), tensor);
            } else {
                found += 1;
                tensors.insert(own.name.clone(), self.tensor(graph, entry, &name)?.clone());
            }
        }
        let left_out = self.left_out(graph, &entries)?;
        let origin = Origin { file: self.path.clone(), arch: self.arch.clone() };
        let mut weights = Weights::from_tensors(graph, tensors, &origin)?;
        weights.batches_tracked = self.batches_tracked();
        Ok(Imported { weights, head, found, uncounted, entries: entries.len(), left_out })
    }

    /// Whether the file's last layer, whose weight is `name`, can be kept.
    fn head(&self, graph: &Graph, weight: &Entry, name: &str) -> Result<Head, ImportError> {
        let Some(tensor) = self.state.tensors.get(name) else { return Ok(Head::Absent) };
        match tensor.shape[..] {
            [outputs, inputs] if inputs == weight.shape[1] => {
                Ok(if outputs == weight.shape[0] { Head::Kept } else { Head::Replaced { outputs } })
            }
            _ => Err(self.misshapen(graph, weight, name, tensor)),
        }
    }

    fn tensor(&self, graph: &Graph, entry: &Entry, name: &str) -> Result<&Tensor, ImportError> {
        let Some(tensor) = self.state.tensors.get(name) else {
            return Err(WeightsError::Missing {
                file: self.path.clone(),
                name: name.to_owned(),
                expected: entry.shape.clone(),
                advice: self.advice(graph),
            }
            .into());
        };
        if tensor.shape == entry.shape { Ok(tensor) } else { Err(self.misshapen(graph, entry, name, tensor)) }
    }

    fn misshapen(&self, graph: &Graph, entry: &Entry, name: &str, tensor: &Tensor) -> ImportError {
        WeightsError::Misshapen {
            file: self.path.clone(),
            name: name.to_owned(),
            found: tensor.shape.clone(),
            expected: entry.shape.clone(),
            advice: self.advice(graph),
        }
        .into()
    }

    /// Tensors that no entry claims. One that lies among the network's own is an error:
    /// the file holds a larger network.
    fn left_out(&self, graph: &Graph, entries: &[Entry]) -> Result<Vec<String>, ImportError> {
        let known: BTreeSet<String> =
            entries.iter().map(|entry| format!("{}{}", self.prefix, entry.name)).collect();
        let mut left_out = Vec::new();
        for (name, tensor) in &self.state.tensors {
            if known.contains(name) || name.starts_with(weights_file::EXTRA_PREFIX) {
                continue;
            }
            let inside = name.strip_prefix(&self.prefix).is_some_and(|name| {
                ["features.", "blocks.", "_blocks."].iter().any(|root| name.starts_with(root))
            });
            if inside {
                return Err(WeightsError::Unexpected {
                    file: self.path.clone(),
                    name: name.clone(),
                    found: tensor.shape.clone(),
                    advice: self.advice(graph),
                }
                .into());
            }
            left_out.push(name.clone());
        }
        left_out.extend(self.state.ignored.iter().cloned());
        Ok(left_out)
    }

    fn batches_tracked(&self) -> u64 {
        let counters = self.state.integers.iter();
        let counters = counters.filter(|(name, _)| name.ends_with("num_batches_tracked"));
        counters.flat_map(|(_, values)| values).map(|&count| count.max(0) as u64).max().unwrap_or(0)
    }

    /// What to do about tensors that do not fit `graph`.
    fn advice(&self, graph: &Graph) -> String {
        let wanted = graph.architecture.name;
        match self.recognise() {
            Some(found) if found.name != wanted => format!("the file fits --arch {}", found.name),
            Some(_) => "the file is of another version; save the state_dict again".to_owned(),
            None => {
                let known = ARCHITECTURES.map(|architecture| architecture.name).join(", ");
                format!("the file fits none of {known}: it is of another network, or not whole")
            }
        }
    }

    /// The architecture whose every tensor but the last layer's the file holds.
    pub fn recognise(&self) -> Option<&'static Architecture> {
        let fits = |entry: &Entry| match entry.content {
            Content::BatchesTracked => true,
            _ => {
                let tensor = self.state.tensors.get(&format!("{}{}", self.prefix, entry.name));
                tensor.is_some_and(|tensor| tensor.shape == entry.shape)
            }
        };
        ARCHITECTURES.into_iter().find(|architecture| {
            let graph = Graph::new(architecture, 32).expect("a multiple of 32");
            let mut entries = names::state_in(&graph, self.scheme);
            entries.truncate(entries.len() - 2);
            let expected = entries.len();
            let blocks = |name: &&String| name.contains("blocks.") || name.contains("features.");
            let held = self.state.tensors.keys().filter(blocks).count();
            entries.iter().all(fits) && held <= expected
        })
    }
}

/// What the names tell: EfficientNet-PyTorch's weights came from TensorFlow.
fn implied(scheme: Scheme, state: &StateDict) -> Conventions {
    if scheme != Scheme::EfficientNetPytorch {
        return Conventions::default();
    }
    let squeezes = state.tensors.keys().any(|name| name.contains("_se_reduce."));
    let family = Family::named(if squeezes { "tf" } else { "lite" });
    family.expect("both are in the table").conventions()
}
