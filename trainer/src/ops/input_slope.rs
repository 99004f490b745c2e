//! The finite difference of the loss along the gradient of the pixels (`input_slope.wgsl`).

use super::perturbation::{self, Shape};
use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("input_slope.wgsl");

crate::parameters! { struct Params { n: u32, pixels: u32, h: f32, lambda: f32 } }

static AHEAD: Kernel =
    Kernel::new::<Params>(&SHADER, "ahead", &[read("x"), read("gradient"), read("lengths"), write("y")]);
static WEIGH: Kernel = Kernel::new::<Params>(
    &SHADER,
    "weigh",
    &[
        read("labels"),
        read("losses"),
        read("losses_ahead"),
        read("dlogits"),
        read("dlogits_ahead"),
        write("own"),
        write("own_ahead"),
    ],
);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&AHEAD, &WEIGH];

/// The losses of a pass and the gradient of its logits, both \[N\].
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// The weighted losses.
    pub losses: Tensor,
    /// The gradient of their mean.
    pub dlogits: Tensor,
}

/// x [N, P, 4] + h * gradient / ||gradient||_2, each picture by its own norm; x for a zero gradient.
pub fn ahead(recording: &mut Recording, n: usize, x: Tensor, gradient: Tensor, h: f32) -> Tensor {
    let pixels = x.len / (4 * n);
    let lengths = perturbation::length(recording, gradient, Shape { n, pixels, eps: 0.0, size: 0.0 }, None);
    let params = Params { n: u(n), pixels: u(pixels), h, lambda: 0.0 };
    recording.produce(&AHEAD, &params, &[x, gradient, lengths], x.len, x.len / 4)
}

/// The gradients \[N\] of L(x) + `lambda` d^2 / 2 with d = (L(x + h v) - L(x)) / h, with respect to the
/// logits of the pass at x and of that at x + h v; labels [N, 2].
pub fn weigh(
    recording: &mut Recording,
    labels: Tensor,
    at: Pass,
    ahead: Pass,
    (h, lambda): (f32, f32),
) -> [Tensor; 2] {
    let n = at.dlogits.len;
    let outputs = [recording.tensor(n), recording.tensor(n)];
    let tensors = [labels, at.losses, ahead.losses, at.dlogits, ahead.dlogits, outputs[0], outputs[1]];
    recording.dispatch(&WEIGH, &Params { n: u(n), pixels: 0, h, lambda }, &tensors, n);
    outputs
}
