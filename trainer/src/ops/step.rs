//! The scalars that change from step to step, in the buffer `step`.

/// Name of the buffer.
pub const NAME: &str = "step";
/// Its length in values.
pub const LEN: usize = size_of::<Step>() / 4;

crate::parameters! {
    /// The scalars of a step in the layout of the shaders (`shared/step.wgsl`).
    #[derive(PartialEq)]
    pub struct Step {
        /// Learning rate.
        learning_rate: f32,
        /// AdamW's 1 - beta1^t; 1 for SGD.
        bias1: f32,
        /// AdamW's 1 - beta2^t; 1 for SGD.
        bias2: f32,
        /// Length r of the perturbation of gr, sam and gnp.
        radius: f32,
        /// Weight alpha of the perturbed gradient of gr and gnp.
        alpha: f32,
        /// Slot of the loss in the history.
        slot: u32,
        /// Factor of the gradient so far when that of a part is added: 0 at the first part.
        kept: f32,
        /// Factor of a part's gradient in that of the step.
        share: f32,
        /// Radius of the adversarial pictures, in units of pixels in \[0, 1\].
        eps: f32,
    }
}
