//! Training of deepfake detectors on any GPU that wgpu reaches: hand-written WGSL
//! for forward, backward, gradient regularization and white-box attacks.

pub mod arms;
pub mod gpu;
pub mod model;
pub mod ops;
pub mod plan;
pub mod reference;
