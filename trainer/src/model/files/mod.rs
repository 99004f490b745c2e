//! Files of weights and networks: safetensors and ONNX, which dfrt writes and reads, and the files
//! of `torch.save`, with the names that they hold. [`super::import`] finds out which network the
//! names of another program belong to.

pub mod onnx;
pub mod onnx_import;
pub mod pickle;
pub mod torch;
pub mod weights_file;

use super::names::BATCHES_TRACKED;
use super::weights::Tensor;
use std::collections::BTreeMap;

/// Tensors of a file by name, in any naming scheme.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The tensors of real numbers, rounded to f32.
    pub tensors: BTreeMap<String, Tensor>,
    /// The values of integer and boolean tensors, in row-major order.
    pub integers: BTreeMap<String, Vec<i64>>,
    /// The names of entries that are not tensors: numbers, text, lists.
    pub ignored: Vec<String>,
    /// The key of the state in the file's dict, "model.state_dict" for nested dicts; none if the
    /// file's dict is the state itself.
    pub found_in: Option<String>,
}

impl StateDict {
    /// The shapes of all tensors by name; for integer tensors, whose shape is not kept, their length.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let real = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        let integers = self.integers.iter().map(|(name, values)| (name.clone(), vec![values.len()]));
        real.chain(integers).collect()
    }

    /// The number of training batches of the batch-norms: the largest of their counters.
    pub fn batches_tracked(&self) -> u64 {
        let counters = self.integers.iter().filter(|(name, _)| name.ends_with(BATCHES_TRACKED));
        counters.flat_map(|(_, values)| values).map(|&count| count.max(0) as u64).max().unwrap_or(0)
    }
}

/// The names and shapes of a state in a file, without its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateShapes {
    /// The key of the state; see [`StateDict::found_in`]. Empty if the file is the state itself.
    pub key: String,
    /// The shapes of its tensors by name.
    pub shapes: BTreeMap<String, Vec<usize>>,
}
