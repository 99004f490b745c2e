//! What a pass works on and what it leaves: weights, a mode, a perturbation, a trace.

use crate::model::graph::Graph;
use crate::model::weights::{Running, Weights};
use crate::reference::feature_statistics::{Flow, Sharing, Statistics};
use crate::reference::moments::Moments;

/// Weights in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The learned tensors in torch's order, by `ParamId`.
    pub params: Vec<Vec<f64>>,
    /// The running statistics of each batch-norm.
    pub running: Vec<Moments>,
}

impl From<&Weights> for State {
    fn from(weights: &Weights) -> Self {
        let wide = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value)).collect();
        let moments = |running: &Running| Moments { mean: wide(&running.mean), var: wide(&running.var) };
        Self {
            params: weights.params.iter().map(wide).collect(),
            running: weights.running.iter().map(moments).collect(),
        }
    }
}

/// How batch-norms, dropout and drop-path behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode<'a> {
    /// Batch-norms use the batch's own moments.
    Train {
        /// One key an image for the masks of dropout and drop-path ([`crate::reference::mask`]),
        /// the op's number being the node's place in `graph.nodes`; none without masks.
        masks: Option<&'a [u64]>,
    },
    /// Batch-norms use the running statistics; no masks.
    Eval,
}

/// Statistics moved at some taps in the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Perturbation {
    /// Indices into [`Graph::features`].
    pub taps: Vec<usize>,
    /// dmu and dsigma for each of the taps.
    pub deltas: Vec<Statistics>,
    /// Whether they are shared over the batch.
    pub sharing: Sharing,
    /// Whether the backward pass goes through mu and sigma.
    pub flow: Flow,
}

/// A forward pass, with what the backward pass needs of it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// N: images.
    pub n: usize,
    /// Every value [N, H, W, C] as its readers see it, by `ValueId`: at a tap, perturbed.
    pub values: Vec<Vec<f64>>,
    /// The features at each tap of the perturbation before it.
    pub unperturbed: Vec<Vec<f64>>,
    /// The moments that each batch-norm normalised by: the batch's or the running ones.
    pub moments: Vec<Moments>,
}

/// A network at work: the graph, its weights, a mode, and statistics perturbed or not.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// The steps.
    pub graph: &'a Graph,
    /// The weights.
    pub state: &'a State,
    /// Training or not.
    pub mode: Mode<'a>,
    /// What is moved at the taps.
    pub perturbation: Option<&'a Perturbation>,
}

impl Trace {
    /// The logits, \[N\].
    pub fn logits(&self, graph: &Graph) -> &[f64] {
        &self.values[graph.logit.0]
    }
}
