//! Training of deepfake detectors on any GPU that wgpu reaches: hand-written WGSL
//! for forward, backward, gradient regularization and white-box attacks.

pub mod arms;
pub mod bench;
pub mod evaluator;
pub mod gpu;
pub mod gpu_oracle;
pub mod model;
pub mod ops;
pub mod pgd;
pub mod plan;
pub mod reference;
pub mod selftest;
pub mod train;
