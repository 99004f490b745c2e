//! Files of weights and networks: what we write (safetensors, ONNX) and read back, and
//! what `torch.save` writes, under the names that the files hold. Which network a
//! stranger's names belong to is decided in [`super::import`].

pub mod onnx;
pub mod onnx_import;
pub mod pickle;
pub mod torch;
pub mod weights_file;

use super::names::BATCHES_TRACKED;
use super::weights::Tensor;
use std::collections::BTreeMap;

/// Tensors by name as a file holds them, whatever the names' scheme.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The tensors of real numbers, rounded to f32.
    pub tensors: BTreeMap<String, Tensor>,
    /// The values of the tensors of integers and truth values, in row-major order.
    pub integers: BTreeMap<String, Vec<i64>>,
    /// The names of entries that are plain data, not tensors: numbers, text, lists.
    pub ignored: Vec<String>,
    /// The key of the file's dict under which the state was, "model.state_dict" for
    /// one in another; `None` where the file's dict is the state itself.
    pub found_in: Option<String>,
}

impl StateDict {
    /// The shapes of all tensors by name; of integers, whose shape is not kept, how many
    /// there are.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let real = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        let integers = self.integers.iter().map(|(name, values)| (name.clone(), vec![values.len()]));
        real.chain(integers).collect()
    }

    /// Training batches that the batch-norms have seen, the most that one says.
    pub fn batches_tracked(&self) -> u64 {
        let counters = self.integers.iter().filter(|(name, _)| name.ends_with(BATCHES_TRACKED));
        counters.flat_map(|(_, values)| values).map(|&count| count.max(0) as u64).max().unwrap_or(0)
    }
}

/// A state that a file holds, as its names and shapes alone tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The key under which it lies; see [`StateDict::found_in`]. Empty where the file is
    /// the state itself.
    pub key: String,
    /// The shapes of its tensors by name.
    pub shapes: BTreeMap<String, Vec<usize>>,
}
