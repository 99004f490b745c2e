//! Adversarial pictures of a training step (`adversarial.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("adversarial.wgsl");

crate::parameters! { struct Params { n: u32, pixels: u32, ratio: f32 } }

static START: Kernel =
    Kernel::new::<Params>(&SHADER, "start", &[read("step"), read("clean"), read("keys"), write("y")]);
static ASCEND: Kernel = Kernel::new::<Params>(
    &SHADER,
    "ascend",
    &[read("step"), read("clean"), read("gradient"), read("x"), write("ahead")],
);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&START, &ASCEND];

/// Pictures \[N, P, 4\] in \[0, 1\] and the scalars of the step, whose `eps` is the radius.
#[derive(Clone, Copy, Debug)]
pub struct Pictures {
    /// N.
    pub n: usize,
    /// The clean pictures.
    pub clean: Tensor,
    /// The scalars of the step.
    pub step: Tensor,
}

impl Pictures {
    fn params(self, ratio: f32) -> Params {
        Params { n: u(self.n), pixels: u(self.clean.len / (4 * self.n)), ratio }
    }

    /// keys [N, 2] -> a uniform point of the Linf ball around each clean picture, cut to \[0, 1\].
    pub fn start(self, recording: &mut Recording, keys: Tensor) -> Tensor {
        let inputs = [self.step, self.clean, keys];
        recording.produce(&START, &self.params(0.0), &inputs, self.clean.len, self.clean.len / 4)
    }

    /// x + `ratio` * eps * sign(gradient), back onto the ball and \[0, 1\].
    pub fn ascend(self, recording: &mut Recording, x: Tensor, gradient: Tensor, ratio: f32) -> Tensor {
        let inputs = [self.step, self.clean, gradient, x];
        recording.produce(&ASCEND, &self.params(ratio), &inputs, self.clean.len, self.clean.len / 4)
    }
}
