//! Training of deepfake detectors on any GPU that wgpu reaches: hand-written WGSL
//! for forward, backward, gradient regularization and white-box attacks.

pub mod model;
pub mod reference;
