//! Batch-norms folded into convolutions on the device (`folding.wgsl`).

use super::{quads, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("folding.wgsl");

crate::parameters! { struct Params { quads: u32, channels: u32, eps: f32 } }

static FOLD_WEIGHT: Kernel = Kernel::new::<Params>(
    &SHADER,
    "fold_weight",
    &[read("affine"), read("running"), read("weight"), write("folded")],
);
static FOLD_AFFINE: Kernel =
    Kernel::new::<Params>(&SHADER, "fold_affine", &[read("affine"), read("running"), write("shift")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FOLD_WEIGHT, &FOLD_AFFINE];

/// A batch-norm of C channels, a multiple of 4.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// gamma and beta [2, C].
    pub affine: Tensor,
    /// Running mean and variance [2, C].
    pub running: Tensor,
    /// Added to the variance.
    pub eps: f32,
}

impl BatchNorm {
    fn channels(self) -> usize {
        self.affine.len / 2
    }

    /// The weight [.., C] of the convolution before it -> `folded`, of the same length.
    pub fn weight(self, recording: &mut Recording, weight: Tensor, folded: Tensor) {
        assert_eq!(weight.len, folded.len, "a folded weight has its weight's length");
        let length = weight.len / 4;
        let params = Params { quads: u(length), channels: quads(self.channels()), eps: self.eps };
        recording.dispatch(&FOLD_WEIGHT, &params, &[self.affine, self.running, weight, folded], length);
    }

    /// (1, shift) [2, C] -> `shift`, as [`super::activation::Folded`] takes it.
    pub fn shift(self, recording: &mut Recording, shift: Tensor) {
        let channels = quads(self.channels());
        let params = Params { quads: 0, channels, eps: self.eps };
        recording.dispatch(&FOLD_AFFINE, &params, &[self.affine, self.running, shift], channels as usize);
    }
}
