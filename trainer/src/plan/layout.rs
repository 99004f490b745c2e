//! The positions of learned values and running statistics in their flat buffers.

use crate::gpu::recording::{ALIGNMENT, Tensor};
use crate::model::graph::{Graph, Node, ParamId, Role};
use crate::model::weights::{Running, Weights, from_device_layout, to_device_layout};

/// Offsets in the flat buffers. Tensors with weight decay (the weights of convolutions and linear
/// layers) come first; gamma and beta of a batch-norm are adjacent.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Offset of each learned tensor, by [`ParamId`].
    offsets: Vec<usize>,
    /// Length of the flat buffer of learned values.
    pub len: usize,
    /// Length of its first part, which has weight decay.
    pub decayed: usize,
    /// Offset of each batch-norm's mean and variance.
    running: Vec<usize>,
    /// Length of the flat buffer of running statistics.
    pub running_len: usize,
}

fn decays(role: Role) -> bool {
    match role {
        Role::Convolution | Role::Pointwise | Role::Depthwise | Role::Linear => true,
        Role::Bias | Role::Gamma | Role::Beta => false,
    }
}

impl Layout {
    /// The layout of `graph`, which depends on its architecture only.
    pub fn new(graph: &Graph) -> Self {
        let mut offsets = vec![0; graph.params.len()];
        let mut end: usize = 0;
        let mut decayed = 0;
        for first_part in [true, false] {
            for (index, param) in graph.params.iter().enumerate() {
                if decays(param.role) == first_part {
                    // Beta follows its gamma without a gap.
                    if param.role != Role::Beta {
                        end = end.next_multiple_of(ALIGNMENT);
                    }
                    offsets[index] = end;
                    end += param.len();
                }
            }
            end = end.next_multiple_of(ALIGNMENT);
            if first_part {
                decayed = end;
            }
        }
        let mut running = Vec::new();
        let mut running_len = 0;
        for statistics in &graph.statistics {
            running.push(running_len);
            running_len += (2 * statistics.channels).next_multiple_of(ALIGNMENT);
        }
        Self { offsets, len: end, decayed, running, running_len }
    }

    /// The part of a flat tensor that belongs to a learned tensor.
    pub fn param(&self, flat: Tensor, graph: &Graph, param: ParamId) -> Tensor {
        flat.slice(self.offsets[param.0], graph.params[param.0].len())
    }

    /// Gamma and beta [2, C] of a batch-norm.
    pub fn affine(&self, flat: Tensor, graph: &Graph, node: &Node) -> Tensor {
        let [gamma, beta] = node.params[..] else { panic!("{} is no batch-norm", node.name) };
        let channels = graph.params[gamma.0].len();
        assert_eq!(self.offsets[beta.0], self.offsets[gamma.0] + channels);
        flat.slice(self.offsets[gamma.0], 2 * channels)
    }

    /// Mean and variance [2, C] of a batch-norm.
    pub fn running(&self, flat: Tensor, graph: &Graph, node: &Node) -> Tensor {
        let index = node.statistics.expect("a batch-norm has statistics");
        flat.slice(self.running[index], 2 * graph.statistics[index].channels)
    }

    /// The flat learned values of `weights`.
    pub fn pack(&self, graph: &Graph, weights: &Weights) -> Vec<f32> {
        self.pack_params(graph, &weights.params)
    }

    /// Tensors in torch's order, by [`ParamId`], as a flat buffer.
    pub fn pack_params(&self, graph: &Graph, params: &[Vec<f32>]) -> Vec<f32> {
        let mut flat = vec![0.0; self.len];
        for ((param, values), &offset) in graph.params.iter().zip(params).zip(&self.offsets) {
            flat[offset..offset + param.len()].copy_from_slice(&to_device_layout(param, values));
        }
        flat
    }

    /// A flat buffer as tensors in torch's order, by [`ParamId`].
    pub fn unpack_params(&self, graph: &Graph, flat: &[f32]) -> Vec<Vec<f32>> {
        let unpack = |(param, &offset): (&crate::model::graph::Parameter, &usize)| {
            from_device_layout(param, &flat[offset..offset + param.len()])
        };
        graph.params.iter().zip(&self.offsets).map(unpack).collect()
    }

    /// The flat running statistics of `weights`.
    pub fn pack_running(&self, weights: &Weights) -> Vec<f32> {
        let mut flat = vec![0.0; self.running_len];
        for (running, &offset) in weights.running.iter().zip(&self.running) {
            let channels = running.mean.len();
            flat[offset..offset + channels].copy_from_slice(&running.mean);
            flat[offset + channels..offset + 2 * channels].copy_from_slice(&running.var);
        }
        flat
    }

    /// Weights from the two flat buffers.
    pub fn unpack(&self, graph: &Graph, params: &[f32], running: &[f32], batches_tracked: u64) -> Weights {
        let statistics = |(statistics, &offset): (&crate::model::graph::RunningStatistics, &usize)| {
            let channels = statistics.channels;
            let of = |start: usize| running[start..start + channels].to_vec();
            Running { mean: of(offset), var: of(offset + channels) }
        };
        Weights {
            params: self.unpack_params(graph, params),
            running: graph.statistics.iter().zip(&self.running).map(statistics).collect(),
            batches_tracked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::SMALL_ARCHITECTURES;

    #[test]
    fn packing_loses_nothing() {
        for architecture in SMALL_ARCHITECTURES {
            let graph = Graph::new(architecture, 32).unwrap();
            let layout = Layout::new(&graph);
            let mut weights = Weights::initial(&graph, 3);
            weights.running[1].var[2] = 7.0;
            let (params, running) = (layout.pack(&graph, &weights), layout.pack_running(&weights));
            assert_eq!(layout.unpack(&graph, &params, &running, 0), weights);
        }
    }

    #[test]
    fn biases_and_batch_norms_have_no_decay() {
        let graph = Graph::new(SMALL_ARCHITECTURES[0], 32).unwrap();
        let layout = Layout::new(&graph);
        for (index, param) in graph.params.iter().enumerate() {
            assert_eq!(layout.offsets[index] < layout.decayed, param.shape.len() > 1, "{}", param.name);
        }
    }
}
