//! Weights as other programs write them: what the files hold, under the names that
//! they hold it. Which network the names belong to is decided elsewhere.

pub mod pickle;
pub mod torch;

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
