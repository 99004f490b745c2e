//! What the arms work on, and the loss that each records.

use crate::gpu::recording::{Recording, Tensor};
use crate::ops::cross_entropy;
use dfrt_runtime::detector::oracle::AttackLoss;

/// Mean losses, one slot a step.
pub const HISTORY: &str = "history";
/// Mean losses of the perturbed pass, one slot a step.
pub const PERTURBED_HISTORY: &str = "perturbed_history";

/// Slots of the loss histories: the losses are read back this seldom.
pub const SLOTS: usize = 64;

/// What the arms work on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Pixels [N, H, W, 4] in \[0, 1\].
    pub pixels: Tensor,
    /// Targets and weights [N, 2].
    pub labels: Tensor,
    /// Keys of the masks [N, 2]; none for no masks.
    pub keys: Option<Tensor>,
    /// The step's scalars.
    pub step: Tensor,
    /// Where the gradients go, flat.
    pub gradients: Tensor,
    /// Where the logits of the unperturbed pass go \[N\].
    pub logits: Tensor,
}

/// Records the mean cross-entropy of `logits` into the step's slot of `history`;
/// returns the gradient of the logits.
pub(super) fn loss(recording: &mut Recording, inputs: &Inputs, logits: Tensor, history: &str) -> Tensor {
    let (losses, dlogits) =
        cross_entropy::forward(recording, AttackLoss::CrossEntropy, logits, inputs.labels, None);
    let history = recording.external(history, SLOTS);
    cross_entropy::record(recording, losses, inputs.step, history);
    dlogits
}
