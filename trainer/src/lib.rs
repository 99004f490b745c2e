//! Training of deepfake detectors on any GPU that wgpu reaches: hand-written WGSL
//! for forward, backward, gradient regularization and white-box attacks.

pub mod arms;
pub mod attack;
pub mod bench;
pub mod evaluator;
pub mod explain;
pub mod gpu;
pub mod model;
pub mod ops;
pub mod plan;
pub mod reference;
pub mod selftest;
pub mod study;
pub mod train;
