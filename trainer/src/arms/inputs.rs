//! What the arms work on, and the parts of a step that they share.

use crate::gpu::recording::{Recording, Tensor};
use crate::model::graph::ValueId;
use crate::ops::batch_norm::MOMENTUM;
use crate::ops::{cross_entropy, optimizer};
use crate::plan::pass::{Forward, Mode, Network, Perturbation, Trace, Wanted};
use dfrt_runtime::detector::oracle::AttackLoss;
use std::collections::HashMap;

/// Mean losses, one slot per step.
pub const HISTORY: &str = "history";
/// Mean losses of the second pass, one slot per step.
pub const PERTURBED_HISTORY: &str = "perturbed_history";
/// A second gradient of the weights, flat as the first.
const OTHER: &str = "other_gradients";

/// Slots of the loss histories, which are read back after this many steps.
pub const SLOTS: usize = 64;

/// The tensors that an arm reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Pixels [N, H, W, 4] in \[0, 1\].
    pub pixels: Tensor,
    /// Targets and weights [N, 2].
    pub labels: Tensor,
    /// Keys of the masks [N, 2]; none for no masks.
    pub keys: Option<Tensor>,
    /// Keys of the random starts [N, 2], for arms with an adversary.
    pub starts: Option<Tensor>,
    /// What [`super::Arm::draws`] returned, for arms that draw.
    pub draws: Option<Tensor>,
    /// The step's scalars.
    pub step: Tensor,
    /// Where the gradients are written, flat.
    pub gradients: Tensor,
    /// Where the logits of the unperturbed pass are written \[N\].
    pub logits: Tensor,
}

/// A forward pass with its loss.
#[derive(Debug)]
pub struct Pass {
    /// What the backward pass needs.
    pub trace: Trace,
    /// The logits \[N\].
    pub logits: Tensor,
    /// The weighted cross-entropies \[N\].
    pub losses: Tensor,
    /// The gradient of their mean with respect to the logits \[N\].
    pub dlogits: Tensor,
}

impl Inputs {
    /// Records the first pass over the pixels: it updates the running statistics and writes the logits and
    /// the loss.
    pub fn first_pass(&self, recording: &mut Recording, network: &Network<'_>) -> Pass {
        self.first_pass_with(recording, network, &HashMap::new())
    }

    /// [`Inputs::first_pass`] with perturbed taps.
    pub fn first_pass_with(
        &self,
        recording: &mut Recording,
        network: &Network<'_>,
        perturbations: &HashMap<ValueId, Perturbation>,
    ) -> Pass {
        let mut trace = Trace::of(network.graph, self.pixels);
        let how = Forward {
            mode: Mode::Train { momentum: MOMENTUM },
            keys: self.keys,
            perturbations,
            logits: Some(self.logits),
        };
        network.forward(recording, &mut trace, 0, &how);
        self.with_loss(recording, trace, self.logits, Some(HISTORY))
    }

    /// Records another pass from the node `start` on, with the masks of `trace` and without an update of
    /// the running statistics; `history` takes its mean loss.
    pub fn second_pass(
        &self,
        recording: &mut Recording,
        network: &Network<'_>,
        (mut trace, start): (Trace, usize),
        perturbations: &HashMap<ValueId, Perturbation>,
        history: Option<&str>,
    ) -> Pass {
        let mode = Mode::Train { momentum: 0.0 };
        let how = Forward { mode, keys: self.keys, perturbations, logits: None };
        network.forward(recording, &mut trace, start, &how);
        let logits = trace.value(network.graph.logit);
        self.with_loss(recording, trace, logits, history)
    }

    fn with_loss(
        &self,
        recording: &mut Recording,
        trace: Trace,
        logits: Tensor,
        history: Option<&str>,
    ) -> Pass {
        let (losses, dlogits) =
            cross_entropy::forward(recording, AttackLoss::CrossEntropy, logits, self.labels, None);
        if let Some(history) = history {
            self.write_loss(recording, losses, history);
        }
        Pass { trace, logits, losses, dlogits }
    }

    /// Records the mean of `losses` \[N\] into the step's slot of `history`.
    pub fn write_loss(&self, recording: &mut Recording, losses: Tensor, history: &str) {
        let history = recording.external(history, SLOTS);
        cross_entropy::record(recording, losses, self.step, history);
    }

    /// Records the gradient of the weights into [`Inputs::gradients`].
    pub fn backward(&self, recording: &mut Recording, network: &Network<'_>, trace: &Trace, dlogits: Tensor) {
        let wanted = Wanted { weights: Some(self.gradients), ..Wanted::default() };
        network.backward(recording, trace, dlogits, wanted, &[]);
    }

    /// Records a gradient of the weights that is added to [`Inputs::gradients`].
    pub fn backward_more(
        &self,
        recording: &mut Recording,
        network: &Network<'_>,
        trace: &Trace,
        dlogits: Tensor,
    ) {
        let other = self.other(recording);
        let wanted = Wanted { weights: Some(other), ..Wanted::default() };
        network.backward(recording, trace, dlogits, wanted, &[]);
        optimizer::add(recording, other, self.gradients);
    }

    /// Memory of a second gradient of the weights.
    pub fn other(&self, recording: &mut Recording) -> Tensor {
        recording.external(OTHER, self.gradients.len)
    }
}
