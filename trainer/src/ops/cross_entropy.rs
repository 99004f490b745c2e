//! Losses of one logit per picture (`cross_entropy.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};
use dfrt_runtime::detector::oracle::AttackLoss;

static SHADER: Shader = shader!("cross_entropy.wgsl");

crate::parameters! { struct Params { n: u32 } }

static CROSS_ENTROPY: Kernel = Kernel::new::<Params>(
    &SHADER,
    "cross_entropy",
    &[read("logits"), read("labels"), write("losses"), write("dlogits")],
);
static MARGIN: Kernel = Kernel::new::<Params>(
    &SHADER,
    "margin",
    &[read("logits"), read("labels"), write("losses"), write("dlogits")],
);
static RECORD: Kernel =
    Kernel::new::<Params>(&SHADER, "record", &[read("terms"), read("step"), write("history")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&CROSS_ENTROPY, &MARGIN, &RECORD];

/// logits \[N\], labels [N, 2] (target, weight) -> losses \[N\] (into `losses` where
/// given) and dlogits \[N\]: of the mean for the cross-entropy, of the sum for the margin.
pub fn forward(
    recording: &mut Recording,
    loss: AttackLoss,
    logits: Tensor,
    labels: Tensor,
    losses: Option<Tensor>,
) -> (Tensor, Tensor) {
    let n = logits.len;
    let losses = losses.unwrap_or_else(|| recording.tensor(n));
    let dlogits = recording.tensor(n);
    let kernel = match loss {
        AttackLoss::CrossEntropy => &CROSS_ENTROPY,
        AttackLoss::Margin => &MARGIN,
    };
    recording.dispatch(kernel, &Params { n: u(n) }, &[logits, labels, losses, dlogits], n);
    (losses, dlogits)
}

/// Writes the mean of losses \[N\] to the step's slot of `history`.
pub fn record(recording: &mut Recording, losses: Tensor, step: Tensor, history: Tensor) {
    recording.dispatch(&RECORD, &Params { n: u(losses.len) }, &[losses, step, history], 1);
}
