//! The state of a network as torchvision's `state_dict` lists it: the learned
//! tensors and, after each batch-norm's, its running statistics and counter.

use super::graph::{Graph, ParamId};

/// What an entry of the state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A learned tensor.
    Param(ParamId),
    /// The running mean of that batch-norm, \[C\].
    RunningMean(usize),
    /// The running variance of that batch-norm, \[C\].
    RunningVar(usize),
    /// The number of training batches that batch-norm has seen, one integer of shape [].
    BatchesTracked,
}

/// One entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// torchvision's name: "features.0.1.running_mean".
    pub name: String,
    /// torch's shape.
    pub shape: Vec<usize>,
    /// What it holds.
    pub content: Content,
}

/// Every entry, in torchvision's order: 360 for EfficientNet-B0.
pub fn state(graph: &Graph) -> Vec<Entry> {
    let mut entries = Vec::new();
    for node in &graph.nodes {
        for &id in &node.params {
            let param = &graph.params[id.0];
            let (name, shape) = (param.name.clone(), param.shape.clone());
            entries.push(Entry { name, shape, content: Content::Param(id) });
        }
        if let Some(index) = node.statistics {
            entries.extend(statistics(graph, index));
        }
    }
    entries
}

fn statistics(graph: &Graph, index: usize) -> [Entry; 3] {
    let running = &graph.statistics[index];
    let entry = |field: &str, shape: Vec<usize>, content: Content| {
        let name = format!("{}.{field}", running.name);
        Entry { name, shape, content }
    };
    [
        entry("running_mean", vec![running.channels], Content::RunningMean(index)),
        entry("running_var", vec![running.channels], Content::RunningVar(index)),
        entry("num_batches_tracked", vec![], Content::BatchesTracked),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{ARCHITECTURES, EFFICIENTNET_B0};
    use std::collections::BTreeSet;

    /// The `state_dict` of torchvision's `efficientnet_b0` with one class: lines of
    /// name, tab, sizes joined by "x" (nothing for a counter).
    const TORCHVISION_B0: &str = include_str!("../../../fixtures/efficientnet_b0_state.tsv");

    #[test]
    fn b0_lists_torchvisions_state_in_its_order() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        let entries = state(&graph);
        assert_eq!(entries.len(), 360);
        let line = |entry: &Entry| {
            let sizes: Vec<String> = entry.shape.iter().map(usize::to_string).collect();
            format!("{}\t{}\n", entry.name, sizes.join("x"))
        };
        let known = TORCHVISION_B0.split_inclusive('\n').filter(|line| !line.starts_with('#'));
        for (entry, known) in entries.iter().zip(known) {
            assert_eq!(line(entry), known);
        }
    }

    #[test]
    fn every_tensor_is_listed_once() {
        for architecture in ARCHITECTURES {
            let graph = Graph::new(architecture, 32).unwrap();
            let entries = state(&graph);
            let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names.len(), entries.len(), "{}", architecture.name);
            assert_eq!(entries.len(), graph.params.len() + 3 * graph.statistics.len());
        }
    }
}
