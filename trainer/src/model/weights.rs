//! The weights of a network: learned tensors and running statistics, in torch's order and with
//! torchvision's names. Random weights are in [`super::initial`], the
//! device's order in [`super::layout`], files in [`super::files`].

use super::graph::Graph;
pub use super::layout::{from_device_layout, to_device_layout};
use super::names::{self, Content};
use dfrt_runtime::storage::{self, StorageError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A batch-norm's running statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Exponential average of the batch means, \[C\].
    pub mean: Vec<f32>,
    /// Exponential average of the unbiased batch variances, \[C\].
    pub var: Vec<f32>,
}

/// The learned tensors and running statistics of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The learned tensors in torch's order, by [`super::graph::ParamId`].
    pub params: Vec<Vec<f32>>,
    /// The running statistics, by [`super::graph::Node::statistics`].
    pub running: Vec<Running>,
    /// Number of training batches in the running statistics (torch's `num_batches_tracked`).
    pub batches_tracked: u64,
}

/// Shape and values of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// torch's shape.
    pub shape: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<f32>,
}

/// Where tensors come from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// The architecture that the file names; none if it names none.
    pub arch: Option<String>,
}

/// Weights cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is truncated or not a safetensors file.
    #[error("{}: is not a complete safetensors file ({reason}); copy it again, or train or import the model again", file.display())]
    NotSafetensors {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor of the network is absent.
    #[error("{}: tensor `{name}` {expected:?} is missing; {advice}", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// torchvision's name.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// What to do.
        advice: String,
    },
    /// A tensor has another shape than in the network.
    #[error("{}: tensor `{name}` has shape {found:?}, the network needs {expected:?}; {advice}", file.display())]
    WrongShape {
        /// The file.
        file: PathBuf,
        /// torchvision's name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// What to do.
        advice: String,
    },
    /// The file holds a tensor that the network does not have.
    #[error("{}: tensor `{name}` {found:?} is unexpected, the network has none of that name; {advice}", file.display())]
    Unexpected {
        /// The file.
        file: PathBuf,
        /// Its name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// What to do.
        advice: String,
    },
    /// A tensor holds NaN, infinity or a negative variance.
    #[error("{}: tensor `{name}` holds {what}: its training failed or the file is damaged; take an earlier checkpoint, or copy the file again", file.display())]
    InvalidValues {
        /// The file.
        file: PathBuf,
        /// Its name.
        name: String,
        /// Which of these, and how many.
        what: String,
    },
    /// A tensor has numbers of another type.
    #[error("{}: tensor `{name}` holds {found} numbers, {expected} are needed; convert the file", file.display())]
    WrongType {
        /// The file.
        file: PathBuf,
        /// Its name.
        name: String,
        /// The type in the file.
        found: String,
        /// The types that are read.
        expected: &'static str,
    },
}

impl Content {
    /// Checks that the values of an entry are finite, and those of a variance not negative.
    ///
    /// # Errors
    /// [`WeightsError::InvalidValues`].
    pub(super) fn check(self, file: &Path, name: &str, values: &[f32]) -> Result<(), WeightsError> {
        let count = |wrong: fn(&f32) -> bool| values.iter().filter(|value| wrong(value)).count();
        let (broken, negative) = (count(|value| !value.is_finite()), count(|&value| value < 0.0));
        let what = if broken > 0 {
            format!("NaN or infinity at {broken} of its {} places", values.len())
        } else if negative > 0 && matches!(self, Self::RunningVar(_)) {
            format!("a negative variance at {negative} of its {} places", values.len())
        } else {
            return Ok(());
        };
        Err(WeightsError::InvalidValues { file: file.to_owned(), name: name.to_owned(), what })
    }
}

impl Weights {
    /// Every f32 entry of the state by torchvision's name, without the counters
    /// `num_batches_tracked`.
    pub fn to_tensors(&self, graph: &Graph) -> BTreeMap<String, Tensor> {
        let entries = names::state(graph).into_iter();
        let tensor = |entry: names::Entry| {
            let values = self.values(entry.content)?.to_vec();
            assert_eq!(
                values.len(),
                entry.shape.iter().product::<usize>(),
                "{}: weights of this graph",
                entry.name
            );
            Some((entry.name, Tensor { shape: entry.shape, values }))
        };
        entries.filter_map(tensor).collect()
    }

    /// The inverse of [`Weights::to_tensors`], with the counter at 0.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, holds invalid values, or is unexpected; missing
    /// ones are reported first.
    pub fn from_tensors(
        graph: &Graph,
        mut tensors: BTreeMap<String, Tensor>,
        origin: &Origin,
    ) -> Result<Self, WeightsError> {
        let file = origin.file.clone();
        let advice = origin.advice(graph);
        let mut weights = Self::zero(graph);
        for names::Entry { name, shape: expected, content } in names::state(graph) {
            let Some(place) = weights.values_mut(content) else { continue };
            let Some(Tensor { shape: found, values }) = tensors.remove(&name) else {
                return Err(WeightsError::Missing { file, name, expected, advice });
            };
            if found != expected {
                return Err(WeightsError::WrongShape { file, name, found, expected, advice });
            }
            assert_eq!(values.len(), place.len(), "{name}: as many values as its shape says");
            content.check(&file, &name, &values)?;
            *place = values;
        }
        match tensors.pop_first() {
            Some((name, Tensor { shape: found, .. })) => {
                Err(WeightsError::Unexpected { file, name, found, advice })
            }
            None => Ok(weights),
        }
    }

    /// SHA-256 over names, shapes and values of all learned tensors and running statistics, in
    /// lower-case hexadecimal. It is equal for equal detectors, whatever file they come from.
    pub fn sha256(&self, graph: &Graph) -> String {
        let mut bytes = Vec::new();
        for (name, tensor) in self.to_tensors(graph) {
            let length = |length: usize| (length as u64).to_le_bytes();
            bytes.extend(length(name.len()));
            bytes.extend(name.as_bytes());
            bytes.extend(length(tensor.shape.len()));
            tensor.shape.iter().for_each(|&size| bytes.extend(length(size)));
            tensor.values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        storage::sha256(&bytes)
    }

    fn zero(graph: &Graph) -> Self {
        let zeros = |channels| Running { mean: vec![0.0; channels], var: vec![0.0; channels] };
        Self {
            params: graph.params.iter().map(|param| vec![0.0; param.len()]).collect(),
            running: graph.statistics.iter().map(|statistics| zeros(statistics.channels)).collect(),
            batches_tracked: 0,
        }
    }

    /// The f32 values of an entry; none for a counter.
    pub(super) fn values(&self, content: Content) -> Option<&Vec<f32>> {
        match content {
            Content::Param(id) => Some(&self.params[id.0]),
            Content::RunningMean(index) => Some(&self.running[index].mean),
            Content::RunningVar(index) => Some(&self.running[index].var),
            Content::BatchesTracked => None,
        }
    }

    fn values_mut(&mut self, content: Content) -> Option<&mut Vec<f32>> {
        match content {
            Content::Param(id) => Some(&mut self.params[id.0]),
            Content::RunningMean(index) => Some(&mut self.running[index].mean),
            Content::RunningVar(index) => Some(&mut self.running[index].var),
            Content::BatchesTracked => None,
        }
    }
}

impl Origin {
    /// What to do about a tensor that does not fit `graph`.
    fn advice(&self, graph: &Graph) -> String {
        let wanted = graph.architecture.name;
        match self.arch.as_deref() {
            Some(arch) if arch == wanted => {
                format!("the file says {arch}, but another version of dfrt wrote it: train or import again")
            }
            Some(arch) => format!("the file holds {arch}, not {wanted}: choose --arch {arch}"),
            None => format!("check that the file holds {wanted} (--arch) under torchvision's names"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_LITE0, EFFICIENTNET_TINY};

    fn origin(arch: Option<&str>) -> Origin {
        Origin { file: "run/last.safetensors".into(), arch: arch.map(str::to_owned) }
    }

    fn tiny() -> (Graph, Weights) {
        let graph = Graph::new(&EFFICIENTNET_TINY, 32).unwrap();
        let weights = Weights::initial(&graph, 1);
        (graph, weights)
    }

    #[test]
    fn tensors_go_there_and_back() {
        let (graph, mut weights) = tiny();
        weights.running[3].mean[2] = 0.25;
        weights.running[3].var[1] = 4.0;
        let tensors = weights.to_tensors(&graph);
        assert_eq!(tensors["features.2.0.block.0.1.running_mean"].values[2], 0.25);
        let back = Weights::from_tensors(&graph, tensors, &origin(None)).unwrap();
        assert_eq!(back, weights);
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let (graph, weights) = tiny();
        let tensors = weights.to_tensors(&graph);
        let complaint =
            |tensors, arch| Weights::from_tensors(&graph, tensors, &origin(arch)).unwrap_err().to_string();

        let mut missing = tensors.clone();
        missing.remove("features.1.0.block.1.fc2.bias");
        assert_eq!(
            complaint(missing, None),
            "run/last.safetensors: tensor `features.1.0.block.1.fc2.bias` [16] is missing; \
             check that the file holds efficientnet-tiny (--arch) under torchvision's names"
        );

        let mut misshapen = tensors.clone();
        misshapen.get_mut("features.0.0.weight").unwrap().shape = vec![16, 3, 9];
        let text = complaint(misshapen, Some("efficientnet-tiny"));
        assert!(text.contains("`features.0.0.weight` has shape [16, 3, 9]"), "{text}");
        assert!(text.contains("needs [16, 3, 3, 3]"), "{text}");

        let mut unexpected = tensors;
        unexpected.insert("head.weight".to_owned(), Tensor { shape: vec![1], values: vec![0.0] });
        let text = complaint(unexpected, None);
        assert!(text.contains("`head.weight` [1] is unexpected"), "{text}");
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        let (graph, weights) = tiny();
        let complaint = |change: fn(&mut Weights)| {
            let mut weights = weights.clone();
            change(&mut weights);
            let tensors = weights.to_tensors(&graph);
            Weights::from_tensors(&graph, tensors, &origin(None)).unwrap_err().to_string()
        };
        let nan = complaint(|weights| weights.params[0][3] = f32::NAN);
        assert!(nan.contains("`features.0.0.weight` holds NaN or infinity at 1 of its 432 places"), "{nan}");
        let infinite = complaint(|weights| weights.running[0].mean[0] = f32::INFINITY);
        assert!(infinite.contains("`features.0.1.running_mean` holds NaN or infinity"), "{infinite}");
        let negative = complaint(|weights| weights.running[1].var[..2].fill(-0.5));
        assert!(negative.contains("holds a negative variance at 2 of its 16 places"), "{negative}");
    }

    #[test]
    fn another_architecture_is_recognised() {
        let (graph, _) = tiny();
        let other = Graph::new(&EFFICIENTNET_LITE0, 32).unwrap();
        let tensors = Weights::initial(&other, 0).to_tensors(&other);
        let error = Weights::from_tensors(&graph, tensors, &origin(Some("efficientnet-lite0"))).unwrap_err();
        assert!(error.to_string().ends_with(
            "the file holds efficientnet-lite0, not efficientnet-tiny: choose --arch efficientnet-lite0"
        ));
    }

    #[test]
    fn the_hash_sees_every_value() {
        let (graph, weights) = tiny();
        let hash = weights.sha256(&graph);
        let mut counted = weights.clone();
        counted.batches_tracked = 9;
        assert_eq!(counted.sha256(&graph), hash, "a counter changes no detector");
        let mut moved = weights.clone();
        moved.running[0].var[5] = 1.5;
        assert_ne!(moved.sha256(&graph), hash);
        let mut moved = weights;
        *moved.params.last_mut().unwrap().last_mut().unwrap() = -0.0;
        assert_ne!(moved.sha256(&graph), hash, "even the sign of zero");
    }

    #[test]
    fn b0_has_311_tensors_and_49_counters() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        assert_eq!(Weights::initial(&graph, 0).to_tensors(&graph).len(), 360 - 49);
    }
}
