//! The divergence between a clean and an adversarial picture's predictions (`divergence.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("divergence.wgsl");

crate::parameters! { struct Params { n: u32, beta: f32 } }

static DIVERGENCE: Kernel = Kernel::new::<Params>(
    &SHADER,
    "divergence",
    &[
        read("clean"),
        read("adversarial"),
        read("labels"),
        write("losses"),
        write("dclean"),
        write("dadversarial"),
    ],
);
static AWAY: Kernel =
    Kernel::new::<Params>(&SHADER, "away", &[read("clean"), read("adversarial"), write("direction")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&DIVERGENCE, &AWAY];

/// A term of the loss with its gradients, all \[N\].
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// weight * beta * KL(p || q) of each picture.
    pub losses: Tensor,
    /// Gradient of their mean with respect to the logits of the clean pictures.
    pub dclean: Tensor,
    /// The same with respect to the logits of the adversarial pictures.
    pub dadversarial: Tensor,
}

/// Logits \[N\] of the clean and of the adversarial pictures, labels [N, 2] (target, weight), of which
/// the weight is used.
pub fn forward(
    recording: &mut Recording,
    clean: Tensor,
    adversarial: Tensor,
    labels: Tensor,
    beta: f32,
) -> Term {
    let n = clean.len;
    let [losses, dclean, dadversarial] = [(); 3].map(|()| recording.tensor(n));
    let tensors = [clean, adversarial, labels, losses, dclean, dadversarial];
    recording.dispatch(&DIVERGENCE, &Params { n: u(n), beta }, &tensors, n);
    Term { losses, dclean, dadversarial }
}

/// The sign \[N\] of the derivative of KL(p || q) with respect to the logits of the adversarial
/// pictures. The derivative itself vanishes in f32 where both predictions are confident.
pub fn away(recording: &mut Recording, clean: Tensor, adversarial: Tensor) -> Tensor {
    let n = clean.len;
    recording.produce(&AWAY, &Params { n: u(n), beta: 0.0 }, &[clean, adversarial], n, n)
}
