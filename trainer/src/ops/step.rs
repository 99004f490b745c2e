//! The scalars that change from step to step, in the buffer `step`.

/// Name of the buffer.
pub const NAME: &str = "step";
/// Its length in values.
pub const LEN: usize = size_of::<Step>() / 4;

crate::parameters! {
    /// What one step needs to know, as the shaders read it (`shared/step.wgsl`).
    #[derive(PartialEq)]
    pub struct Step {
        /// Learning rate.
        learning_rate: f32,
        /// AdamW's 1 - beta1^t; 1 for SGD.
        bias1: f32,
        /// AdamW's 1 - beta2^t; 1 for SGD.
        bias2: f32,
        /// Radius r of gradient regularization.
        radius: f32,
        /// Its alpha.
        alpha: f32,
        /// Where the loss goes in the history.
        slot: u32,
        /// Share of the gradient so far that is kept when a part's is added: 0 at the first.
        kept: f32,
        /// Share of a part's gradient in the step's.
        share: f32,
    }
}
