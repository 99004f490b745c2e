//! Plans of a network on the device: the layout of weights, the recording of forward and backward
//! passes, and the plans for evaluation and input gradients. The plans of training are in
//! [`crate::arms`].

pub mod evaluation;
pub mod input_gradient;
pub mod layout;
pub mod pass;
pub mod resident;

/// Names of the buffers that plans share.
pub mod names {
    /// Learned values, flat.
    pub const PARAMS: &str = "params";
    /// Running statistics, flat.
    pub const RUNNING: &str = "running";
    /// 8-bit pictures [N, H, W], a u32 each pixel.
    pub const BYTES: &str = "bytes";
    /// Keys of the masks [N, 2], u32.
    pub const KEYS: &str = "keys";
    /// Random numbers of an arm ([`crate::arms::Arm::draws`]).
    pub const DRAWS: &str = "draws";
    /// Target and weight [N, 2].
    pub const LABELS: &str = "labels";
    /// Logits \[N\].
    pub const LOGITS: &str = "logits";
    /// Losses \[N\].
    pub const LOSSES: &str = "losses";
    /// Gradients, flat as the learned values.
    pub const GRADIENTS: &str = "gradients";
    /// Pixels in \[0, 1\], [N, H, W, 4].
    pub const PIXELS: &str = "pixels";
    /// Gradient with respect to the pixels, [N, H, W, 4].
    pub const PIXEL_GRADIENT: &str = "pixel_gradient";
}
