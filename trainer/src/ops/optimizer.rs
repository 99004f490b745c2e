//! The update of the weights (`optimizer.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("optimizer.wgsl");

crate::parameters! {
    struct Params { quads: u32, nesterov: u32, weight_decay: f32, momentum: f32, beta2: f32, eps: f32 }
}

static SGD: Kernel =
    Kernel::new::<Params>(&SHADER, "sgd", &[read("step"), read("gradient"), write("weight"), write("first")]);
static ADAMW: Kernel = Kernel::new::<Params>(
    &SHADER,
    "adamw",
    &[read("step"), read("gradient"), write("weight"), write("first"), write("second")],
);
static MIX: Kernel = Kernel::new::<Params>(&SHADER, "mix", &[read("step"), read("plain"), write("mixed")]);
static ACCUMULATE: Kernel =
    Kernel::new::<Params>(&SHADER, "accumulate", &[read("step"), read("gradient"), write("total")]);
static ADD: Kernel = Kernel::new::<Params>(&SHADER, "add", &[read("addend"), write("sum")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&SGD, &ADAMW, &MIX, &ACCUMULATE, &ADD];

/// The optimiser. The learning rate is a scalar of each step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", tag = "name")]
pub enum Optimizer {
    /// SGD with momentum as in PyTorch.
    Sgd {
        /// Share of the velocity that is kept.
        momentum: f32,
        /// Whether to use Nesterov momentum.
        nesterov: bool,
    },
    /// AdamW as in PyTorch.
    Adamw {
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the root of the second moment.
        eps: f32,
    },
}

impl Optimizer {
    /// SGD with the momentum that it has unless another is chosen.
    pub const SGD: Self = Self::Sgd { momentum: 0.9, nesterov: false };
    /// AdamW with PyTorch's defaults.
    pub const ADAMW: Self = Self::Adamw { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
}

/// The tensors of a step, of equal lengths.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The step's scalars.
    pub step: Tensor,
    /// Gradients.
    pub gradient: Tensor,
    /// Weights.
    pub weight: Tensor,
    /// Velocity or first moment.
    pub first: Tensor,
    /// Second moment.
    pub second: Tensor,
}

/// Updates the weights.
pub fn update(recording: &mut Recording, optimizer: Optimizer, state: State, weight_decay: f32) {
    let quads = state.weight.len.div_ceil(4);
    let mut params = Params { quads: u(quads), weight_decay, ..Default::default() };
    match optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            params.momentum = momentum;
            params.nesterov = u32::from(nesterov);
            let tensors = [state.step, state.gradient, state.weight, state.first];
            recording.dispatch(&SGD, &params, &tensors, quads);
        }
        Optimizer::Adamw { beta1, beta2, eps } => {
            params.momentum = beta1;
            params.beta2 = beta2;
            params.eps = eps;
            let tensors = [state.step, state.gradient, state.weight, state.first, state.second];
            recording.dispatch(&ADAMW, &params, &tensors, quads);
        }
    }
}

/// mixed = (1 - alpha) plain + alpha mixed, alpha from `step`.
pub fn mix(recording: &mut Recording, step: Tensor, plain: Tensor, mixed: Tensor) {
    let quads = plain.len.div_ceil(4);
    let params = Params { quads: u(quads), ..Default::default() };
    recording.dispatch(&MIX, &params, &[step, plain, mixed], quads);
}

/// total = total + gradient.
pub fn add(recording: &mut Recording, gradient: Tensor, total: Tensor) {
    let quads = gradient.len.div_ceil(4);
    let params = Params { quads: u(quads), ..Default::default() };
    recording.dispatch(&ADD, &params, &[gradient, total], quads);
}

/// total = kept total + share gradient, both from `step`.
pub fn accumulate(recording: &mut Recording, step: Tensor, gradient: Tensor, total: Tensor) {
    let quads = gradient.len.div_ceil(4);
    let params = Params { quads: u(quads), ..Default::default() };
    recording.dispatch(&ACCUMULATE, &params, &[step, gradient, total], quads);
}
