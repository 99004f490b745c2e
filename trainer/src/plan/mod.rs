//! A graph laid out on the device: where weights lie, how a pass forward and
//! backward is recorded, and the plans that are replayed (evaluation, input
//! gradient). Training plans add an arm's way of making gradients.

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
