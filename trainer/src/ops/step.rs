//! The scalars that change from step to step, in the buffer `step`.

/// Name of the buffer.
pub const NAME: &str = "step";
/// Its length in values.
pub const LEN: usize = 8;

/// What one step needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Learning rate.
    pub learning_rate: f32,
    /// AdamW's 1 - beta1^t; 1 for SGD.
    pub bias1: f32,
    /// AdamW's 1 - beta2^t; 1 for SGD.
    pub bias2: f32,
    /// Radius r of gradient regularization.
    pub radius: f32,
    /// Its alpha.
    pub alpha: f32,
    /// Where the loss goes in the history.
    pub slot: u32,
    /// Share of the gradient so far that is kept when a part's is added: 0 at the first.
    pub kept: f32,
    /// Share of a part's gradient in the step's.
    pub share: f32,
}

impl Step {
    /// The buffer's values.
    pub fn values(&self) -> [f32; LEN] {
        let Self { learning_rate, bias1, bias2, radius, alpha, slot, kept, share } = *self;
        [learning_rate, bias1, bias2, radius, alpha, slot as f32, kept, share]
    }
}
